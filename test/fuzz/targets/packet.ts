/**
 * The packet decoder: bytes around the packet have no say, what decodes is
 * what the slow parser reads, and a shorter copy never says more.
 */
import { decode } from "../../../src/packet/decode.ts";
import { decodeEmbedded } from "../../../src/packet/embedded.ts";
import { ParseFailure, parseFailureNames } from "../../../src/packet/failure.ts";
import { PacketView } from "../../../src/packet/view.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../packet/build.ts";
import { generatePacket, MAX_PACKET } from "../../packet/hostile-packets.ts";
import type { Random } from "../../packet/random.ts";
import { slowParse, slowParseQuoted } from "../../packet/slow-parser.ts";
import { disagreement, sameView } from "../../packet/view-agreement.ts";
import { must, target } from "../target.ts";

const MARGIN = 320;
const buffer = new Uint8Array(MAX_PACKET * 2);
const slab = new Uint8Array(MAX_PACKET + 2 * MARGIN);
const [view, again, cut] = [new PacketView(), new PacketView(), new PacketView()];
const [inner, innerAgain] = [new PacketView(), new PacketView()];

interface PacketInput {
  readonly packet: Uint8Array;
  readonly etherType: number;
  readonly offset: number;
  /** Bytes copied, for the third decode. */
  readonly copied: number;
}

function generate(random: Random): PacketInput {
  const length = generatePacket(random, buffer);
  const version6 = buffer[0] >> 4 === 6;
  return {
    packet: buffer.slice(0, length),
    etherType: version6 === (random.below(16) !== 0) ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4,
    offset: MARGIN - 3 + random.below(6),
    copied: random.below(length + 1),
  };
}

function check({ packet, etherType, offset, copied }: PacketInput): boolean {
  const { length } = packet;
  slab.fill(0);
  slab.set(packet, offset);
  const failure = decode(view, slab, offset, length, length, etherType);
  const quotes = failure === ParseFailure.NONE && view.icmpError === 1;
  const innerFailure = quotes ? decodeEmbedded(inner, view, slab, offset, length) : ParseFailure.NONE;
  slab.fill(0xff);
  slab.set(packet, offset);
  must(decode(again, slab, offset, length, length, etherType) === failure, "bytes around it changed the failure");
  must(sameView(view, again), "bytes around it changed the view");
  if (quotes) {
    const failedAgain = decodeEmbedded(innerAgain, again, slab, offset, length);
    must(failedAgain === innerFailure && sameView(inner, innerAgain), "bytes around it changed the quoted packet");
  }

  const slow = slowParse(packet, etherType);
  const name = parseFailureNames[failure];
  must((failure === ParseFailure.NONE) === (slow !== undefined), `the slow parser denies ${name}`);
  if (slow !== undefined) {
    must(disagreement(view, slow) === undefined, `the slow parser reads another ${disagreement(view, slow)}`);
    if (quotes) {
      const quoted = slowParseQuoted(slow.payload, etherType);
      const innerName = parseFailureNames[innerFailure];
      must((innerFailure === ParseFailure.NONE) === (quoted !== undefined), `and quoted ${innerName}`);
      must(quoted === undefined || disagreement(inner, quoted) === undefined, "another quoted packet");
    }
  }

  slab.fill(0xff, offset + copied);
  const cutFailure = decode(cut, slab, offset, copied, length, etherType);
  const consistent =
    cutFailure === ParseFailure.NONE
      ? sameView(cut, view)
      : cutFailure === failure || cutFailure === ParseFailure.TRUNCATED_COPY;
  must(consistent, `a copy of ${copied} bytes says ${parseFailureNames[cutFailure]}`);
  return failure === ParseFailure.NONE;
}

export const packetTarget = target("packet", 50_000, generate, check, ({ packet, ...rest }) =>
  JSON.stringify({ packet: Buffer.from(packet).toString("hex"), ...rest }),
);
