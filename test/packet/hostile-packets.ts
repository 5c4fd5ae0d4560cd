/** Packets an attacker would send: random bytes, and valid packets with bytes changed, cut or added. */
import * as build from "./build.ts";
import type { Random } from "./random.ts";

const { ACK, join, zeros } = build;

const upperLayers: readonly (readonly [number, Uint8Array])[] = [
  [6, build.tcp()],
  [6, build.tcp({ flags: ACK, options: zeros(12) }, zeros(20))],
  [17, build.udp({}, zeros(12))],
  [136, build.udplite({ coverage: 12 }, zeros(12))],
  [132, build.sctp()],
  [47, zeros(8)],
];

const quoted4 = [...upperLayers, [1, build.icmp(8)] as const].map(([protocol, upper]) =>
  build.ipv4({ protocol, totalLength: 1500 }, upper),
);
const quoted6 = [...upperLayers, [58, build.icmp(128)] as const].map(([next, upper]) =>
  build.ipv6({ next: 60, payloadLength: 1400 }, join(build.options(next), upper)),
);

export const validPackets: readonly Uint8Array[] = [
  ...upperLayers.map(([protocol, upper]) => build.ipv4({ protocol }, upper)),
  ...upperLayers.map(([protocol, upper]) => build.ipv4({ protocol, options: zeros(8), moreFragments: true }, upper)),
  ...[0, 8, 3, 13].map((type) => build.ipv4({ protocol: 1 }, build.icmp(type, 0, 77))),
  ...quoted4.map((packet) => build.ipv4({ protocol: 1 }, build.icmp(3, 1, 0, packet))),
  ...upperLayers.map(([next, upper]) => build.ipv6({ next }, upper)),
  ...upperLayers.map(([next, upper]) =>
    build.ipv6(
      { next: 0 },
      join(
        build.options(60),
        build.options(43),
        build.routing(44, 4, 1),
        build.fragment(51, 0, true),
        build.authentication(60),
        build.options(next),
        upper,
      ),
    ),
  ),
  ...[128, 129, 2, 135].map((type) => build.ipv6({ next: 58 }, build.icmp(type, 0, 77))),
  ...quoted6.map((packet) => build.ipv6({ next: 58 }, build.icmp(1, 0, 0, packet))),
];

/** Values that headers care about: lengths, protocols, extension headers, versions with header lengths. */
const INTERESTING = [0, 1, 2, 4, 5, 6, 8, 17, 20, 40, 43, 44, 51, 58, 59, 60, 64, 0x45, 0x46, 0x60, 132, 136, 255];

export const MAX_PACKET = 256;

/** Writes a packet to target and returns its length. */
export function generatePacket(random: Random, target: Uint8Array): number {
  if (random.below(4) === 0) {
    const length = random.below(MAX_PACKET);
    for (let i = 0; i < length; i++) target[i] = random.below(256);
    if (random.below(4) !== 0) target[0] = random.below(2) === 0 ? 0x45 : 0x60;
    return length;
  }
  const template = random.pick(validPackets);
  target.set(template);
  for (let mutations = random.below(5); mutations > 0; mutations--) {
    const at = random.below(template.length);
    target[at] = random.below(2) === 0 ? random.pick(INTERESTING) : random.below(256);
  }
  return random.below(4) === 0 ? random.below(template.length + 1) : template.length + random.below(3);
}
