import { describe, expect, it } from "vitest";
import { CONNECTION_CLASSES, ConnectionClass, connectionLimits, FIRST_KEPT } from "../../src/flow/connection-class.ts";
import { Domain } from "../../src/flow/connection-key.ts";
import { allocateConnections } from "../../src/flow/connection-memory.ts";
import { ConnectionTable } from "../../src/flow/connection-table.ts";
import { Protocol } from "../../src/packet/protocol.ts";
import { reverse } from "../../src/packet/reverse.ts";
import type { PacketView } from "../../src/packet/view.ts";
import { icmpView, portView } from "./views.ts";

const A = 0x0a000001;
const B = 0x0a000002;

function turned(view: PacketView): PacketView {
  reverse(view);
  return view;
}

/** Of a connection nobody else has. */
function opener(port: number): PacketView {
  return portView(Protocol.TCP, A, B, port, 80);
}

function insert(table: ConnectionTable, view: PacketView, of: number, now = 0): number {
  expect(table.lookup(view, Domain.LOCAL)).toBe(-1);
  return table.insert(of, now);
}

function holds(table: ConnectionTable, port: number): boolean {
  return table.lookup(opener(port), Domain.LOCAL) >= 0;
}

describe("a connection", () => {
  it.each([
    ["IPv4, the lower end first", 4, A, B],
    ["IPv4, the higher end first", 4, B, A],
    ["IPv6", 6, A, B],
    ["between the same addresses", 4, A, A],
  ] as const)("is found from both directions, and its direction is told: %s", (_what, family, source, destination) => {
    const table = new ConnectionTable(allocateConnections(8));
    const view = (): PacketView => portView(Protocol.UDP, source, destination, 4000, 53, family);
    const slot = insert(table, view(), ConnectionClass.UNREPLIED);
    expect(table.lookup(view(), Domain.LOCAL)).toBe(slot);
    expect(table.isReply(slot)).toBe(0);
    expect(table.lookup(turned(view()), Domain.LOCAL)).toBe(slot);
    expect(table.isReply(slot)).toBe(1);
    table.orient(slot, 0);
    expect(table.isReply(slot)).toBe(0);
    expect(table.lookup(view(), Domain.LOCAL)).toBe(slot);
    expect(table.isReply(slot)).toBe(1);
  });

  it("differs by protocol, either port, either address, family and domain", () => {
    const table = new ConnectionTable(allocateConnections(8));
    insert(table, opener(4000), ConnectionClass.TCP);
    for (const other of [
      portView(Protocol.UDP, A, B, 4000, 80),
      portView(Protocol.TCP, A, B, 4001, 80),
      portView(Protocol.TCP, A, B, 4000, 81),
      portView(Protocol.TCP, A, B, 80, 4000),
      portView(Protocol.TCP, A + 2, B, 4000, 80),
      portView(Protocol.TCP, A, B + 2, 4000, 80),
      portView(Protocol.TCP, A, B, 4000, 80, 6),
    ]) {
      expect(table.lookup(other, Domain.LOCAL)).toBe(-1);
    }
    for (const domain of [Domain.FORWARD, Domain.LOOPBACK_IN, Domain.LOOPBACK_OUT]) {
      expect(table.lookup(opener(4000), domain)).toBe(-1);
    }
  });

  it.each([
    ["ICMP echo", Protocol.ICMP, 4, 8, 0],
    ["ICMP timestamp", Protocol.ICMP, 4, 13, 14],
    ["ICMPv6 echo", Protocol.ICMPV6, 6, 128, 129],
  ] as const)("of %s is the query's: both ends may ask with the same identifier", (_what, protocol, family, query, answer) => {
    const table = new ConnectionTable(allocateConnections(8));
    const ask = (from: number, to: number, type: number): PacketView => icmpView(protocol, from, to, type, 0, 7, family);
    const slot = insert(table, ask(A, B, query), ConnectionClass.UNREPLIED);
    expect(table.lookup(ask(B, A, answer), Domain.LOCAL)).toBe(slot);
    expect(table.isReply(slot)).toBe(1);
    expect(table.lookup(ask(B, A, query), Domain.LOCAL)).toBe(-1);
    expect(table.lookup(ask(A, B, answer), Domain.LOCAL)).toBe(-1);
  });
});

describe("room", () => {
  it("is made by the least worthy class first, and by the one idle longest within it", () => {
    const order = Array.from({ length: CONNECTION_CLASSES }, (_, each) => each);
    const table = new ConnectionTable(allocateConnections(2 * CONNECTION_CLASSES));
    // The most worthy are idle longest, so that age alone would take them first.
    for (const of of order.toReversed()) {
      insert(table, opener(2 * of), of, 1000 * (CONNECTION_CLASSES - of));
      insert(table, opener(2 * of + 1), of, 1000 * (CONNECTION_CLASSES - of) + 500);
    }
    const later = 1_000_000;
    for (const of of order) {
      for (const port of [2 * of, 2 * of + 1]) {
        expect(holds(table, port), `class ${of}`).toBe(true);
        insert(table, opener(10_000 + port), ConnectionClass.TCP, later);
        expect(holds(table, port), `class ${of}`).toBe(false);
      }
      expect(table.evictions[of]).toBe(2);
    }
  });

  it("is not made for what is denied by anything better", () => {
    const table = new ConnectionTable(allocateConnections(2));
    insert(table, opener(1), ConnectionClass.UNREPLIED);
    insert(table, opener(2), ConnectionClass.DENIED);
    insert(table, opener(3), ConnectionClass.DENIED, 64);
    expect([1, 2, 3].map((port) => holds(table, port))).toEqual([true, false, true]);
    insert(table, opener(4), ConnectionClass.UNREPLIED, 64);
    table.lookup(opener(5), Domain.LOCAL);
    expect(table.insert(ConnectionClass.DENIED, 10_000_000)).toBe(-1);
    expect(table.insert(ConnectionClass.CUT, 10_000_000)).toBe(-1);
  });

  it("is never made by established connections in use, however many strangers knock", () => {
    const table = new ConnectionTable(allocateConnections(64));
    for (let port = 0; port < 63; port++) insert(table, opener(port), FIRST_KEPT + (port % (CONNECTION_CLASSES - FIRST_KEPT)));
    for (let stranger = 0; stranger < 1000; stranger++) {
      const of = stranger % 2 === 0 ? ConnectionClass.OPENING : ConnectionClass.UNREPLIED;
      insert(table, opener(1000 + stranger), of, stranger);
    }
    for (let port = 0; port < 63; port++) expect(holds(table, port)).toBe(true);
    expect(table.size).toBe(64);
    expect(table.evictions.slice(FIRST_KEPT).every((count) => count === 0)).toBe(true);
  });

  it("is made by an established connection when all are, and it was idle for minutes", () => {
    const table = new ConnectionTable(allocateConnections(2));
    insert(table, opener(1), ConnectionClass.TCP, 0);
    insert(table, opener(2), ConnectionClass.TCP, 250_000);
    table.lookup(opener(3), Domain.LOCAL);
    expect(table.insert(ConnectionClass.OPENING, 299_000)).toBe(-1);
    expect(insert(table, opener(3), ConnectionClass.OPENING, 301_000)).toBeGreaterThanOrEqual(0);
    expect([1, 2, 3].map((port) => holds(table, port))).toEqual([false, true, true]);
  });
});

describe("age", () => {
  it("removes what was idle longer than its class may be, within the budget, and nothing else", () => {
    const table = new ConnectionTable(allocateConnections(CONNECTION_CLASSES));
    for (let of = 0; of < CONNECTION_CLASSES; of++) insert(table, opener(of), of);
    const moments = [...new Set(connectionLimits)].toSorted((a, b) => a - b);
    for (const limit of moments) {
      table.expire(limit, 100);
      for (let of = 0; of < CONNECTION_CLASSES; of++) expect(holds(table, of)).toBe(connectionLimits[of] >= limit);
      expect(table.expire(limit + 64, 1)).toBe(1);
      table.expire(limit + 64, 100);
      for (let of = 0; of < CONNECTION_CLASSES; of++) expect(holds(table, of)).toBe(connectionLimits[of] > limit);
    }
    expect(table.size).toBe(0);
    expect([...table.counts]).toEqual(Array.from({ length: CONNECTION_CLASSES }, () => 0));
  });
});

describe("memory", () => {
  it("is at most 90 bytes a connection, allocated once", () => {
    const memory = allocateConnections(1_000_000);
    expect(new ConnectionTable(memory).capacity).toBe(1_000_000);
    expect(memory.byteLength).toBeLessThan(90_000_000);
  });

  it.each([0, -1, 1.5, 2 ** 24 + 1])("of %d connections is refused", (capacity) => {
    expect(() => new ConnectionTable(allocateConnections(capacity))).toThrow(RangeError);
  });
});
