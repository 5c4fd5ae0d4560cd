/** Connections pass from one table to another. */
import { describe, expect, it } from "vitest";
import { ConnectionClass } from "../../src/flow/connection-class.ts";
import { Domain } from "../../src/flow/connection-key.ts";
import { allocateConnections } from "../../src/flow/connection-memory.ts";
import { adoptRecords, connectionRecords, RECORD_WORDS } from "../../src/flow/connection-records.ts";
import { State } from "../../src/flow/connection-state.ts";
import { ConnectionTable } from "../../src/flow/connection-table.ts";
import { Protocol } from "../../src/packet/protocol.ts";
import { reverse } from "../../src/packet/reverse.ts";
import type { PacketView } from "../../src/packet/view.ts";
import { icmpView, portView } from "./views.ts";

const A = 0x0a000001;
const B = 0x0a000002;
type Known = Readonly<Record<"class" | "state" | "origin" | "from" | "to" | "decision", number>>;

const ESTABLISHED: Known = {
  class: ConnectionClass.TCP,
  state: State.ESTABLISHED,
  origin: 9,
  from: 3,
  to: 0,
  decision: -77,
};

function know(table: ConnectionTable, view: PacketView, known: Partial<Known> = {}, now = 0): void {
  const { class: of, state, origin, from, to, decision } = { ...ESTABLISHED, ...known };
  expect(table.lookup(view, Domain.LOCAL)).toBe(-1);
  const slot = table.insert(of, now);
  table.state[slot] = state;
  table.epoch[slot] = 5;
  table.origin[slot] = origin;
  table.from[slot] = from;
  table.to[slot] = to;
  table.decision[slot] = decision;
}

/** What a table knows of the view's connection, and whether the view is its reply. */
function told(table: ConnectionTable, view: PacketView): (Known & { epoch: number; reply: number }) | undefined {
  const slot = table.lookup(view, Domain.LOCAL);
  if (slot < 0) return undefined;
  return {
    class: table.class[slot],
    state: table.state[slot],
    epoch: table.epoch[slot],
    origin: table.origin[slot],
    from: table.from[slot],
    to: table.to[slot],
    decision: table.decision[slot],
    reply: table.isReply(slot),
  };
}

function turned(view: PacketView): PacketView {
  reverse(view);
  return view;
}

function passOn(from: SharedArrayBuffer, capacity = 64): { table: ConnectionTable; adopted: number } {
  const table = new ConnectionTable(allocateConnections(capacity));
  return { adopted: adoptRecords(table, connectionRecords(from), 1000), table };
}

describe("a connection that is passed on", () => {
  const tcp = (): PacketView => portView(Protocol.TCP, A, B, 40_000, 80);
  const back = (): PacketView => portView(Protocol.TCP, B, A, 80, 40_000);
  const udp = (): PacketView => portView(Protocol.UDP, A, B, 40_000, 53, 6);
  const ping = (): PacketView => icmpView(Protocol.ICMP, A, B, 8, 0, 7);

  it.each([
    ["TCP, the lower end first", tcp, () => turned(tcp())],
    ["TCP, the higher end first", back, () => turned(back())],
    ["UDP over IPv6", udp, () => turned(udp())],
    ["an ICMP query", ping, () => icmpView(Protocol.ICMP, B, A, 0, 0, 7)],
  ])("is found from both directions, with all that was known: %s", (_what, view, answer) => {
    const memory = allocateConnections(8);
    know(new ConnectionTable(memory), view());
    const { table, adopted } = passOn(memory);
    expect(adopted).toBe(1);
    // No epoch, so that the next packet has it judged.
    expect(told(table, view())).toEqual({ ...ESTABLISHED, epoch: 0, reply: 0 });
    expect(told(table, answer())).toEqual({ ...ESTABLISHED, epoch: 0, reply: 1 });
  });

  it("keeps its place: what was idle longest still makes room first", () => {
    const memory = allocateConnections(8);
    const table = new ConnectionTable(memory);
    for (let port = 1; port <= 4; port++) {
      know(table, portView(Protocol.TCP, A, B, port, 80), { class: ConnectionClass.OPENING, state: State.OPENING }, port * 1000);
    }
    table.lookup(portView(Protocol.TCP, A, B, 1, 80), Domain.LOCAL);
    table.use(0, ConnectionClass.OPENING, 9000);
    const next = passOn(memory, 4).table;
    const ports = (): number[] => [1, 2, 3, 4].filter((port) => told(next, portView(Protocol.TCP, A, B, port, 80)) !== undefined);
    expect(ports()).toEqual([1, 2, 3, 4]);
    know(next, portView(Protocol.TCP, A, B, 99, 80), { class: ConnectionClass.OPENING }, 1000);
    expect(ports()).toEqual([1, 3, 4]);
  });

  it("names no rule any more, and stays cut where it was cut", () => {
    const memory = allocateConnections(8);
    const view = (): PacketView => portView(Protocol.TCP, A, B, 1, 80);
    know(new ConnectionTable(memory), view(), { class: ConnectionClass.CUT, decision: 12 });
    expect(told(passOn(memory).table, view())).toMatchObject({ class: ConnectionClass.CUT, decision: 0 });
  });

  it("is none that was denied from the start", () => {
    const memory = allocateConnections(8);
    know(new ConnectionTable(memory), portView(Protocol.TCP, A, B, 1, 80), { class: ConnectionClass.DENIED });
    expect(connectionRecords(memory)).toHaveLength(0);
  });
});

describe("records", () => {
  const view = (port: number): PacketView => portView(Protocol.TCP, A, B, port, 80);
  const records = (count: number): Uint32Array => {
    const memory = allocateConnections(64);
    const table = new ConnectionTable(memory);
    for (let port = 1; port <= count; port++) know(table, view(port));
    return connectionRecords(memory);
  };

  it("beyond a table's capacity, repeated or cut short are left out", () => {
    const three = records(3);
    const table = new ConnectionTable(allocateConnections(2));
    expect(adoptRecords(table, three, 0)).toBe(2);
    const roomy = new ConnectionTable(allocateConnections(8));
    expect(adoptRecords(roomy, three.subarray(0, 3 * RECORD_WORDS - 1), 0)).toBe(2);
    expect(adoptRecords(roomy, three, 0)).toBe(1);
    expect(roomy.size).toBe(3);
  });

  it.each([
    ["a state", 0x0000000b],
    ["a class", 0x00000d00],
    ["a class that gives no right", 0x00000000],
    ["an orientation", 0x00020c00],
    ["an origin", 0x10000c00],
  ])("with %s that there is not are left out", (_what, traits) => {
    const one = records(1);
    one[RECORD_WORDS - 4] = traits;
    expect(adoptRecords(new ConnectionTable(allocateConnections(8)), one, 0)).toBe(0);
  });

  it("of random words break nothing", () => {
    const table = new ConnectionTable(allocateConnections(256));
    const words = new Uint32Array(RECORD_WORDS * 4096);
    let seed = 1;
    for (let i = 0; i < words.length; i++) {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      words[i] = i % RECORD_WORDS === RECORD_WORDS - 4 ? seed & 0x0f010f0f : seed;
    }
    const adopted = adoptRecords(table, words, 0);
    expect(adopted).toBe(table.size);
    expect(adopted).toBe(256);
    expect(table.expire(1e12, 1000)).toBe(256);
  });
});
