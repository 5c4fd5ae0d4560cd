/** Fills a PacketView as the decoder would for a packet with these facts. */
import type { PolicyPacket } from "../../src/policy/decision.ts";
import type { PacketView } from "../../src/packet/view.ts";

export function loadView(view: PacketView, packet: PolicyPacket): void {
  view.clear();
  view.family = packet.family;
  view.protocol = packet.protocol;
  for (let word = 0; word < 4; word++) {
    const shift = BigInt(32 * (3 - word));
    view.words[word] = Number((packet.source >> shift) & 0xffffffffn);
    view.words[4 + word] = Number((packet.destination >> shift) & 0xffffffffn);
  }
  if (packet.sourcePort !== undefined && packet.destinationPort !== undefined) {
    view.hasPorts = 1;
    view.sourcePort = packet.sourcePort;
    view.destinationPort = packet.destinationPort;
  }
  if (packet.icmpType !== undefined && packet.icmpCode !== undefined) {
    view.hasIcmp = 1;
    view.icmpType = packet.icmpType;
    view.icmpCode = packet.icmpCode;
  }
}
