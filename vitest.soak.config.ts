import { defineConfig } from "vitest/config";

/** The long runs: the scenarios of `npm test`, with the numbers of hours instead of seconds. One at a time. */
export default defineConfig({
  test: {
    include: ["test/soak/**/*.soak.ts"],
    testTimeout: 1_800_000,
    hookTimeout: 120_000,
    pool: "forks",
    fileParallelism: false,
  },
});
