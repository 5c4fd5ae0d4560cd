import { defineConfig } from "vitest/config";

/**
 * Tests that pour packets in as fast as they can run after all others: network namespaces share the kernel's receive
 * backlog of a core, so a flood in one of them loses packets in the next.
 */
const FLOODS = ["test/e2e/random-bytes.test.ts", "test/native/queue.test.ts", "test/hooks/packet-walk.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: more files at once only make real-packet tests wait for one another.
    maxWorkers: 2,
    pool: "forks",
    projects: [
      {
        extends: true,
        test: { name: "tests", include: ["test/**/*.test.ts"], exclude: FLOODS, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: { name: "floods", include: FLOODS, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
