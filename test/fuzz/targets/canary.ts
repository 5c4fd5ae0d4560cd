/** Packets with the mark of a canary: none but the process's own is one, and of no other is anything noted. */
import { CanaryReader, canaryPayload, NONCE_BYTES } from "../../../src/datapath/canary.ts";
import { WorkerCounters } from "../../../src/datapath/counters.ts";
import { DEFAULT_MARK_MASKS, MarkLayout } from "../../../src/hooks/marks.ts";
import { Verdict, type PacketBatch } from "../../../src/native/binding.ts";
import { ipv4, udp } from "../../packet/build.ts";
import type { Random } from "../../packet/random.ts";
import { must, target } from "../target.ts";

const MARK = new MarkLayout().canaryMark;
const NONCE = Uint8Array.from({ length: NONCE_BYTES }, (_, i) => 0xa0 + i);
const HEADER_BYTES = 28;
const UDP = 17;

interface Marked {
  readonly packet: Uint8Array;
  readonly mark: number;
  readonly own: boolean;
}

const canary = (sequence: number, around: boolean): Uint8Array => {
  return ipv4({ protocol: UDP }, udp({}, canaryPayload(NONCE, sequence, around)));
};

function generate(random: Random): Marked {
  const whole = canary(random.below(2 ** 32), random.below(2) === 0);
  switch (random.below(4)) {
    case 0:
      return { packet: whole, mark: MARK | random.below(0x1000000), own: true };
    case 1:
      return { packet: whole, mark: (MARK ^ (1 << (24 + random.below(8)))) >>> 0, own: false };
    case 2:
      return { packet: whole.subarray(0, random.below(whole.length)), mark: MARK, own: false };
    default: {
      const packet = Uint8Array.from(whole);
      const at = HEADER_BYTES + random.below(NONCE_BYTES);
      packet[at] = packet[at] ^ (1 + random.below(255));
      return { packet, mark: MARK, own: false };
    }
  }
}

function check({ packet, mark, own }: Marked): boolean {
  const counters = new WorkerCounters();
  const before = Float64Array.from(counters.values);
  const one = (value: number): Uint32Array => Uint32Array.of(value);
  const batch: PacketBatch = {
    slab: packet,
    id: one(1),
    hook: Uint8Array.of(3),
    inInterface: one(0),
    outInterface: one(1),
    mark: one(mark),
    hardwareProtocol: Uint16Array.of(0x0800),
    offset: one(0),
    length: one(packet.length),
    originalLength: one(packet.length),
    skbInfo: one(0),
    uid: one(0),
    verdict: Uint8Array.of(Verdict.ACCEPT),
    verdictMark: one(mark),
  };
  const taken = new CanaryReader(DEFAULT_MARK_MASKS, NONCE, counters).take(batch, 0);
  must(taken === own, own ? "a canary of ours is not known" : "something else is taken for a canary");
  if (taken) must(batch.verdict[0] === Verdict.DROP, "a canary is let through");
  else must(counters.values.every((value, i) => value === before[i]) && batch.verdict[0] === Verdict.ACCEPT, "something is noted");
  return taken;
}

export const canaryTarget = target("canary", 5000, generate, check, ({ packet, mark }) =>
  JSON.stringify({ mark, packet: Buffer.from(packet).toString("hex") }),
);
