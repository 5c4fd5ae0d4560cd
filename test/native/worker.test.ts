import { expect, test } from "vitest";
import { scenario } from "./namespace.ts";

test("a worker thread serves a queue, and its termination frees the queue for others", async () => {
  expect(await scenario("worker.mjs", "terminate")).toEqual({
    arrived: ["through the worker", "through the main thread"],
    bound: true,
    after: false,
  });
});

test("termination while packets keep coming frees the queue, ten times over", async () => {
  expect(await scenario("worker.mjs", "terminateUnderLoad")).toBe(false);
});

test("termination of a callback that never returns frees the queue", async () => {
  expect(await scenario("worker.mjs", "terminateInCallback")).toBe(false);
});

test("two workers serve two queues at once", async () => {
  expect(await scenario("worker.mjs", "balance")).toEqual([true, true]);
});

test("a process ends cleanly with a queue and a watch still open", async () => {
  expect(await scenario("worker.mjs", "exitWithoutClose")).toBe(true);
});
