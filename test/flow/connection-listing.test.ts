import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConnectionClass } from "../../src/flow/connection-class.ts";
import { Domain } from "../../src/flow/connection-key.ts";
import { ConnectionListing } from "../../src/flow/connection-listing.ts";
import { allocateConnections } from "../../src/flow/connection-memory.ts";
import { State } from "../../src/flow/connection-state.ts";
import { ConnectionTable } from "../../src/flow/connection-table.ts";
import { Protocol } from "../../src/packet/protocol.ts";
import { PacketView } from "../../src/packet/view.ts";
import { icmpView, portView } from "./views.ts";

function fields(view: PacketView): unknown {
  const { words, family, protocol, sourcePort, destinationPort, hasPorts, icmpType, icmpCode, icmpId, hasIcmp } = view;
  return { words: [...words], family, protocol, sourcePort, destinationPort, hasPorts, icmpType, icmpCode, icmpId, hasIcmp };
}

function listed(memory: SharedArrayBuffer): unknown[] {
  const view = new PacketView();
  const found: unknown[] = [];
  // The view holds a connection only until the next one.
  for (const each of new ConnectionListing(memory).allowed(view)) found.push({ ...each, ...(fields(view) as object) });
  return found;
}

const word = fc.integer({ min: 0, max: 0xffffffff });
const port = fc.integer({ min: 0, max: 65_535 });
const family = fc.constantFrom(4, 6);

const arbitraryView = fc.oneof(
  fc.tuple(word, word, port, port, family, fc.constantFrom(Protocol.TCP, Protocol.UDP, Protocol.SCTP)).map(
    ([source, destination, from, to, of, protocol]) => portView(protocol, source, destination, from, to, of),
  ),
  fc.tuple(word, word, fc.constantFrom(8, 0, 13, 14, 3), port).map(([source, destination, type, id]) =>
    icmpView(Protocol.ICMP, source, destination, type, 0, id),
  ),
  fc.tuple(word, word, fc.constantFrom(128, 129, 1), port).map(([source, destination, type, id]) =>
    icmpView(Protocol.ICMPV6, source, destination, type, 0, id, 6),
  ),
);

describe("the connections of a table", () => {
  it("are told by their original direction, as they were opened", () => {
    fc.assert(
      fc.property(fc.array(arbitraryView, { maxLength: 12 }), (views) => {
        const memory = allocateConnections(16);
        const table = new ConnectionTable(memory);
        const expected: unknown[] = [];
        for (const [i, view] of views.entries()) {
          // IPv6 has more words than one.
          if (view.family === 6) view.words[0] = 0x20010db8 + i;
          if (table.lookup(view, Domain.FORWARD) >= 0) continue;
          const slot = table.insert(ConnectionClass.TCP, 0);
          table.from[slot] = i + 1;
          table.to[slot] = i + 2;
          expected.push({ domain: Domain.FORWARD, from: i + 1, to: i + 2, ...(fields(view) as object) });
        }
        const found = listed(memory);
        expect(found).toHaveLength(expected.length);
        expect(found).toEqual(expect.arrayContaining(expected));
      }),
    );
  });

  it("are neither those that were denied or cut nor those that are over", () => {
    const memory = allocateConnections(16);
    const table = new ConnectionTable(memory);
    const put = (of: number, state: number): void => {
      table.lookup(portView(Protocol.TCP, 1, 2, of, state), Domain.LOCAL);
      const slot = table.insert(of, 0);
      table.state[slot] = state;
    };
    put(ConnectionClass.DENIED, State.OPENING);
    put(ConnectionClass.CUT, State.ESTABLISHED);
    put(ConnectionClass.RESET, State.RESET_BY_OTHER);
    put(ConnectionClass.CLOSING, State.ENDED);
    expect(listed(memory)).toEqual([]);
    put(ConnectionClass.CLOSING, State.ENDED_BY_OTHER);
    put(ConnectionClass.TCP, State.ESTABLISHED);
    expect(listed(memory)).toHaveLength(2);
  });
});
