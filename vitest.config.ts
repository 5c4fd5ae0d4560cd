import { defineConfig } from "vitest/config";

/**
 * Tests that pour packets in as fast as they can run after all others: network namespaces share the kernel's receive
 * backlog of a core, so a flood in one of them loses packets in the next. And a test that holds the daemon to a time.
 */
const FLOODS = [
  "test/e2e/random-bytes.test.ts",
  "test/e2e/foreign-hands.test.ts",
  "test/e2e/overload.test.ts",
  "test/native/queue.test.ts",
  "test/hooks/packet-walk.test.ts",
];

/** Scenarios that run once more with every packet judged in userspace. */
const EITHER_OFFLOAD = [
  "test/e2e/allow-deny.test.ts",
  "test/e2e/default-deny.test.ts",
  "test/e2e/endpoints.test.ts",
  "test/e2e/forward.test.ts",
  "test/e2e/live-change.test.ts",
  "test/e2e/reload.test.ts",
  "test/e2e/reject.test.ts",
  "test/e2e/revocation.test.ts",
  "test/e2e/attack.test.ts",
  "test/e2e/conformance-packets.test.ts",
];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // For two cores: tests with real packets wait half of their time, and more files at once would make them wait for one another.
    maxWorkers: 3,
    pool: "forks",
    projects: [
      {
        extends: true,
        test: { name: "tests", include: ["test/**/*.test.ts"], exclude: FLOODS, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: "no-offload",
          include: EITHER_OFFLOAD,
          env: { RAMPART_SANDBOX_OFFLOAD: "none" },
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "floods", include: FLOODS, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
