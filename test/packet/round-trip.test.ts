import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decode } from "../../src/packet/decode.ts";
import { ParseFailure } from "../../src/packet/failure.ts";
import { PacketView } from "../../src/packet/view.ts";
import * as build from "./build.ts";

const word = fc.integer({ min: 0, max: 0xffffffff });
const words = fc.tuple(word, word, word, word);
const port = fc.integer({ min: 0, max: 0xffff });
const byte = fc.integer({ min: 0, max: 255 });
const payload = fc.uint8Array({ maxLength: 64 });
const optionWords = fc.integer({ min: 0, max: 10 }).map((count) => build.zeros(count * 4));

interface Upper {
  readonly protocol: number;
  readonly bytes: Uint8Array;
  readonly expected: Partial<PacketView>;
}

const withPorts = fc.tuple(port, port, payload, fc.constantFrom(6, 17, 132, 136), optionWords).map(
  ([sourcePort, destinationPort, data, protocol, options]): Upper => {
    const ports = { sourcePort, destinationPort };
    const bytes = {
      6: () => build.tcp({ ...ports, options, flags: build.ACK }, data),
      17: () => build.udp(ports, data),
      132: () => build.sctp(ports, data),
      136: () => build.udplite(ports, data),
    }[protocol as 6 | 17 | 132 | 136]();
    return { protocol, bytes, expected: { ...ports, hasPorts: 1, hasIcmp: 0 } };
  },
);

const icmp = (protocol: number): fc.Arbitrary<Upper> =>
  fc.tuple(byte, byte, port, payload).map(([icmpType, icmpCode, id, body]) => ({
    protocol,
    bytes: build.icmp(icmpType, icmpCode, id, body),
    expected: { icmpType, icmpCode, hasIcmp: 1, hasPorts: 0, sourcePort: 0, destinationPort: 0 },
  }));

function decoded(packet: Uint8Array, etherType: number): PacketView {
  const view = new PacketView();
  expect(decode(view, packet, 0, packet.length, packet.length, etherType)).toBe(ParseFailure.NONE);
  return view;
}

describe("a built packet decodes to what it was built from", () => {
  it("over IPv4, with options and padding", () => {
    fc.assert(
      fc.property(word, word, optionWords, fc.oneof(withPorts, icmp(1)), payload, (source, destination, ...rest) => {
        const [options, upper, padding] = rest;
        const packet = build.ipv4({ protocol: upper.protocol, source, destination, options }, upper.bytes);
        const view = decoded(build.join(packet, padding), build.ETHERTYPE_IPV4);
        expect([...view.words]).toEqual([0, 0, 0, source, 0, 0, 0, destination]);
        expect(view).toMatchObject({ ...upper.expected, family: 4, protocol: upper.protocol });
        expect(view).toMatchObject({ l4Offset: 20 + options.length, packetLength: packet.length });
      }),
      { numRuns: 500 },
    );
  });

  it("over IPv6, behind any of the extension headers", () => {
    type Wrap = (next: number) => Uint8Array;
    const chain: readonly (readonly [number, Wrap])[] = [
      [0, (next) => build.options(next)],
      [60, (next) => build.options(next, build.zeros(14))],
      [43, (next) => build.routing(next, 4, 1)],
      [44, (next) => build.fragment(next, 0, false)],
      [51, (next) => build.authentication(next)],
      [60, (next) => build.options(next)],
    ];
    fc.assert(
      fc.property(words, words, fc.subarray([...chain]), fc.oneof(withPorts, icmp(58)), (source, ...rest) => {
        const [destination, headers, upper] = rest;
        const nexts = [...headers.map(([type]) => type), upper.protocol];
        const extensions = build.join(...headers.map(([, wrap], index) => wrap(nexts[index + 1])));
        const packet = build.ipv6({ next: nexts[0], source, destination }, build.join(extensions, upper.bytes));
        const view = decoded(packet, build.ETHERTYPE_IPV6);
        expect([...view.words]).toEqual([...source, ...destination]);
        expect(view).toMatchObject({ ...upper.expected, family: 6, protocol: upper.protocol });
        expect(view).toMatchObject({ l4Offset: 40 + extensions.length, packetLength: packet.length });
      }),
      { numRuns: 500 },
    );
  });
});
