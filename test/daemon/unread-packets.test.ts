/** What no reader has seen, by the rules' counters. */
import { expect, test } from "vitest";
import { UnreadPackets } from "../../src/daemon/unread-packets.ts";
import type { HookCounter } from "../../src/hooks/apply.ts";

function counted(name: string, packets: number, hook: HookCounter["hook"] = "INPUT"): HookCounter {
  return { family: 4, hook, name, packets, bytes: 0 };
}

test("counts from when the queues were bound, over every rule that queues and no other", () => {
  const before = [counted("queued", 100), counted("heavy-source", 10), counted("fast-path", 5000)];
  const unread = new UnreadPackets(before);
  const now = [
    counted("queued", 150),
    counted("queued", 7, "PREDNAT"),
    counted("heavy-source", 30),
    counted("heavy-destination", 2),
    counted("closed-port", 1),
    counted("fast-path", 9000),
  ];
  expect(unread.count(now, 0)).toBe(80);
  expect(unread.count(now, 60)).toBe(20);
});

test("is never below zero: counters and readers are not looked at in one moment", () => {
  expect(new UnreadPackets([]).count([counted("queued", 5)], 9)).toBe(0);
});
