/**
 * Bytes from outside: a million random and mutated packets. Nothing throws,
 * nothing outside the packet has a say, and what decodes is what the slow
 * parser of the tests reads, no more and no less.
 */
import { describe, expect, it } from "vitest";
import { decode } from "../../src/packet/decode.ts";
import { decodeEmbedded } from "../../src/packet/embedded.ts";
import { ParseFailure, parseFailureNames } from "../../src/packet/failure.ts";
import { PacketView } from "../../src/packet/view.ts";
import * as build from "./build.ts";
import { generatePacket, MAX_PACKET, validPackets } from "./hostile-packets.ts";
import { Random } from "./random.ts";
import { slowParse, slowParseQuoted } from "./slow-parser.ts";
import { disagreement, sameView } from "./view-agreement.ts";

const { ETHERTYPE_IPV4, ETHERTYPE_IPV6, join } = build;

describe("decode, given anything", () => {
  it("agrees with the slow parser on a million packets and looks at nothing around them", { timeout: 120_000 }, () => {
    const PACKETS = 1_000_000;
    const MARGIN = 320;
    const seed = Date.now() | 0;
    const random = new Random(seed);
    const slab = new Uint8Array(MAX_PACKET + 2 * MARGIN);
    const packet = new Uint8Array(MAX_PACKET);
    const [view, again, cut, inner] = [new PacketView(), new PacketView(), new PacketView(), new PacketView()];
    const seen = parseFailureNames.map(() => 0);
    let quoted = 0;
    let length = 0;
    const fail = (what: string): never => {
      throw new Error(`${what}; seed ${seed}, packet ${Buffer.from(packet.subarray(0, length)).toString("hex")}`);
    };

    for (let n = 0; n < PACKETS; n++) {
      length = generatePacket(random, packet);
      const whole = packet.subarray(0, length);
      const isVersion6 = packet[0] >> 4 === 6;
      const etherType = isVersion6 === (random.below(16) !== 0) ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
      const offset = MARGIN - 3 + random.below(6);

      slab.fill(0);
      slab.set(whole, offset);
      const failure = decode(view, slab, offset, length, length, etherType);
      slab.fill(0xff);
      slab.set(whole, offset);
      const failureAgain = decode(again, slab, offset, length, length, etherType);
      if (failure !== failureAgain || !sameView(view, again)) fail("bytes outside the packet changed the result");
      seen[failure]++;

      const slow = slowParse(whole, etherType);
      if ((failure === ParseFailure.NONE) !== (slow !== undefined)) {
        fail(`decode says ${parseFailureNames[failure]}, the slow parser ${slow === undefined ? "no" : "yes"}`);
      }
      const wrong = slow === undefined ? undefined : disagreement(view, slow);
      if (wrong !== undefined) fail(`disagreement about ${wrong}`);

      const copied = random.below(length + 1);
      const cutFailure = decode(cut, slab, offset, copied, length, etherType);
      const consistent =
        cutFailure === ParseFailure.NONE
          ? sameView(cut, view)
          : cutFailure === failure || cutFailure === ParseFailure.TRUNCATED_COPY;
      if (!consistent) {
        fail(`a copy of ${copied} bytes says ${parseFailureNames[cutFailure]}`);
      }

      if (slow !== undefined && view.icmpError === 1) {
        const innerFailure = decodeEmbedded(inner, view, slab, offset, length);
        seen[innerFailure]++;
        const slowInner = slowParseQuoted(slow.payload, etherType);
        if ((innerFailure === ParseFailure.NONE) !== (slowInner !== undefined)) {
          fail(`decodeEmbedded says ${parseFailureNames[innerFailure]}`);
        }
        const innerWrong = slowInner === undefined ? undefined : disagreement(inner, slowInner);
        if (innerWrong !== undefined) fail(`disagreement about the quoted packet's ${innerWrong}`);
        quoted++;
      }
    }
    // The generator reaches what it is there to reach; only jumbograms of a known type need their own tests.
    expect(quoted).toBeGreaterThan(PACKETS / 100);
    expect(seen[ParseFailure.NONE]).toBeGreaterThan(PACKETS / 10);
    const unreached = parseFailureNames.filter((_, code) => seen[code] === 0);
    expect(unreached).toEqual(["unknown-network-protocol", "truncated-copy"]);
  });

  it("never indexes outside [offset, offset + length)", () => {
    const random = new Random(Date.now());
    const packet = new Uint8Array(MAX_PACKET);
    const offset = 100;
    const slab = new Uint8Array(MAX_PACKET + 2 * offset);
    let end = 0;
    const outside: string[] = [];
    const guarded = new Proxy(slab, {
      get(target, property) {
        const index = Number(property);
        if (!(index >= offset && index < end)) outside.push(`read at ${String(property)}, packet ends at ${end}`);
        return target[index];
      },
    });
    const [view, inner] = [new PacketView(), new PacketView()];
    for (let n = 0; n < 100_000; n++) {
      const originalLength = generatePacket(random, packet);
      const length = random.below(originalLength + 1);
      end = offset + length;
      slab.set(packet.subarray(0, length), offset);
      const claimed = random.below(8) === 0 ? 70_000 + originalLength : originalLength;
      const etherType = packet[0] >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
      const failure = decode(view, guarded, offset, length, claimed, etherType);
      if (failure === ParseFailure.NONE && view.icmpError === 1) decodeEmbedded(inner, view, guarded, offset, length);
    }
    expect(outside).toEqual([]);
  });
});

describe("decode, packet after packet", () => {
  it("allocates nothing", () => {
    const slab = join(...validPackets);
    const view = new PacketView();
    const PACKETS = 200_000;
    const pass = (): number => {
      const before = process.memoryUsage().heapUsed;
      for (let n = 0; n < PACKETS; ) {
        let offset = 0;
        for (let i = 0; i < validPackets.length; i++, n++) {
          const length = validPackets[i].length;
          decode(view, slab, offset, length, length, slab[offset] >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
          offset += length;
        }
      }
      return Math.abs(process.memoryUsage().heapUsed - before);
    };
    // The smallest object has 16 bytes: one a packet would be 3 MB a pass. The best of ten excludes what
    // the compiler and a collection in between add or take.
    const passes = Array.from({ length: 10 }, pass);
    expect(Math.min(...passes)).toBeLessThan(PACKETS);
  });
});
