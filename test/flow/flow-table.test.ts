import { describe, expect, it } from "vitest";
import { FlowTable } from "../../src/flow/flow-table.ts";
import { reverse } from "../../src/packet/reverse.ts";
import { icmpView, portView } from "./views.ts";

const SCOPE = 7;
const MINUTE = 60_000;

describe("FlowTable", () => {
  it("finds what was inserted, with the caller's fields", () => {
    const table = new FlowTable(4);
    const view = portView(6, 1, 2, 40000, 443);
    expect(table.find(view, SCOPE)).toBe(-1);
    const slot = table.insert(view, SCOPE, 1000);
    expect([table.generationOf(slot), table.decisionOf(slot)]).toEqual([0, 0]);
    table.decide(slot, 0xffffffff, -3);
    expect(table.find(view, SCOPE)).toBe(slot);
    expect([table.generationOf(slot), table.decisionOf(slot)]).toEqual([0xffffffff, -3]);
    expect(table.lastSeen(slot)).toBe(1000);
    expect(table.size).toBe(1);
  });

  it("keeps apart flows that differ in one part of the key", () => {
    const base = portView(6, 1, 2, 1000, 2000);
    const others = [
      portView(17, 1, 2, 1000, 2000),
      portView(6, 3, 2, 1000, 2000),
      portView(6, 1, 3, 1000, 2000),
      portView(6, 1, 2, 1001, 2000),
      portView(6, 1, 2, 1000, 2001),
      portView(6, 2, 1, 2000, 1000),
      portView(6, 1, 2, 1000, 2000, 6),
      icmpView(1, 1, 2, 8, 0, 1),
      icmpView(1, 1, 2, 8, 0, 2),
      icmpView(1, 1, 2, 8, 1, 1),
      icmpView(1, 1, 2, 13, 0, 1),
    ];
    const ipv6Words = [0, 1, 2, 3, 4, 5, 6, 7].map((index) => {
      const view = portView(6, 1, 2, 1000, 2000, 6);
      view.words[index] = 0xfffffff0;
      return view;
    });
    const table = new FlowTable(64);
    const views = [base, ...others, ...ipv6Words];
    const slots = views.map((view) => table.insert(view, SCOPE, 0));
    slots.push(table.insert(base, SCOPE + 1, 0), table.insert(base, 0xffffffff, 0));
    expect(new Set(slots).size).toBe(views.length + 2);
    expect(views.map((view) => table.find(view, SCOPE))).toEqual(slots.slice(0, views.length));
    expect(table.find(base, 0xffffffff)).toBe(slots.at(-1));
  });

  it("does not take ports that were not read for port 0", () => {
    const table = new FlowTable(4);
    const read = portView(17, 1, 2, 0, 0);
    const unread = portView(17, 1, 2, 0, 0);
    unread.hasPorts = 0;
    table.insert(read, SCOPE, 0);
    expect(table.find(unread, SCOPE)).toBe(-1);
  });

  it("finds a reply's flow once the reply is turned round", () => {
    const table = new FlowTable(4);
    const slot = table.insert(icmpView(58, 1, 2, 128, 0, 5, 6), SCOPE, 0);
    const reply = icmpView(58, 2, 1, 129, 0, 5, 6);
    expect(table.find(reply, SCOPE)).toBe(-1);
    reverse(reply);
    expect(table.find(reply, SCOPE)).toBe(slot);
  });

  it("gives the slot that is there when a flow is inserted twice", () => {
    const table = new FlowTable(4);
    const view = portView(6, 1, 2, 3, 4);
    const slot = table.insert(view, SCOPE, 5);
    table.decide(slot, 1, 1);
    expect(table.insert(view, SCOPE, 9)).toBe(slot);
    expect([table.decisionOf(slot), table.lastSeen(slot), table.size]).toEqual([1, 9, 1]);
  });

  it("evicts the flow idle longest, whatever its protocol, and counts it", () => {
    const table = new FlowTable(3);
    const [tcp, udp, icmp] = [portView(6, 1, 2, 3, 4), portView(17, 1, 2, 3, 4), icmpView(1, 1, 2, 8, 0, 1)];
    const tcpSlot = table.insert(tcp, SCOPE, 1);
    table.insert(udp, SCOPE, 2);
    table.insert(icmp, SCOPE, 3);
    table.touch(tcpSlot, 4);
    table.insert(portView(132, 1, 2, 3, 4), SCOPE, 5);
    expect([tcp, udp, icmp].map((view) => table.find(view, SCOPE) !== -1)).toEqual([true, false, true]);
    expect([table.size, table.evictions]).toEqual([3, 1]);
  });

  it("works with room for one flow", () => {
    const table = new FlowTable(1);
    for (let port = 0; port < 100; port++) {
      const view = portView(6, 1, 2, port, 80);
      const slot = table.insert(view, SCOPE, port);
      expect(slot).toBeGreaterThanOrEqual(0);
      expect(table.find(view, SCOPE)).toBe(slot);
    }
    expect([table.size, table.evictions]).toEqual([1, 99]);
  });

  it("expires each protocol by its own limit", () => {
    const limits: readonly (readonly [number, number])[] = [
      [6, 60 * MINUTE],
      [17, 2 * MINUTE],
      [136, 2 * MINUTE],
      [132, 10 * MINUTE],
      [47, 10 * MINUTE],
    ];
    for (const [protocol, limit] of limits) {
      const table = new FlowTable(4);
      table.insert(portView(protocol, 1, 2, 3, 4), SCOPE, 100);
      expect(table.expire(100 + limit, 10)).toBe(0);
      expect(table.expire(101 + limit, 10)).toBe(1);
      expect(table.size).toBe(0);
    }
    const table = new FlowTable(4);
    table.insert(icmpView(1, 1, 2, 8, 0, 1), SCOPE, 0);
    table.insert(icmpView(58, 1, 2, 128, 0, 1, 6), SCOPE, 0);
    expect(table.expire(MINUTE / 2 + 1, 10)).toBe(2);
  });

  it("expires no more than its budget and goes on the next time", () => {
    const table = new FlowTable(16);
    for (let port = 0; port < 5; port++) table.insert(portView(17, 1, 2, port, 53), SCOPE, 0);
    for (let port = 0; port < 5; port++) table.insert(portView(132, 1, 2, port, 53), SCOPE, 0);
    const later = 60 * MINUTE;
    expect(table.expire(later, 0)).toBe(0);
    expect(table.expire(later, 7)).toBe(7);
    expect(table.expire(later, 7)).toBe(3);
    expect(table.size).toBe(0);
    expect(table.evictions).toBe(0);
  });

  it("keeps a flow that is touched", () => {
    const table = new FlowTable(4);
    const old = table.insert(portView(17, 1, 2, 3, 4), SCOPE, 0);
    table.insert(portView(17, 1, 2, 3, 5), SCOPE, 1);
    table.touch(old, 2 * MINUTE);
    expect(table.expire(3 * MINUTE, 10)).toBe(1);
    expect(table.find(portView(17, 1, 2, 3, 4), SCOPE)).toBe(old);
  });

  it("goes by parts of a millisecond as by whole ones", () => {
    const table = new FlowTable(4);
    table.insert(portView(17, 1, 2, 3, 4), SCOPE, 1000.75);
    expect(table.expire(1000.75 + 2 * MINUTE, 10)).toBe(0);
    expect(table.expire(1001.75 + 2 * MINUTE, 10)).toBe(1);
  });

  it("takes memory for the flows that are there, not for those that may come", () => {
    const before = process.memoryUsage.rss();
    const table = new FlowTable(1 << 22);
    for (let port = 0; port < 1000; port++) table.insert(portView(6, 1, 2, port, 80), SCOPE, 0);
    expect(process.memoryUsage.rss() - before).toBeLessThan(32 * 2 ** 20);
    expect(table.size).toBe(1000);
  });

  it("stays within its memory over a million flows", () => {
    const capacity = 4096;
    const table = new FlowTable(capacity);
    const view = portView(6, 1, 2, 0, 443);
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 1_000_000; n++) {
      view.words[3] = n;
      table.insert(view, SCOPE, n);
    }
    expect(process.memoryUsage().arrayBuffers).toBeLessThanOrEqual(before + 65_536);
    expect([table.size, table.evictions]).toEqual([capacity, 1_000_000 - capacity]);
    view.words[3] = 1_000_000 - capacity;
    expect(table.find(view, SCOPE)).not.toBe(-1);
    view.words[3] = 1_000_000 - capacity - 1;
    expect(table.find(view, SCOPE)).toBe(-1);
  });

  it("refuses a capacity it cannot hold", () => {
    for (const capacity of [0, -1, 1.5, Number.NaN, 2 ** 24 + 1]) {
      expect(() => new FlowTable(capacity)).toThrow(RangeError);
    }
  });
});
