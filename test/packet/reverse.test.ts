import { describe, expect, it } from "vitest";
import { decode } from "../../src/packet/decode.ts";
import { reverse } from "../../src/packet/reverse.ts";
import { PacketView } from "../../src/packet/view.ts";
import * as build from "./build.ts";

function decoded(packet: Uint8Array): PacketView {
  const view = new PacketView();
  const etherType = packet[0] >> 4 === 6 ? build.ETHERTYPE_IPV6 : build.ETHERTYPE_IPV4;
  expect(decode(view, packet, 0, packet.length, packet.length, etherType)).toBe(0);
  return view;
}

describe("reverse", () => {
  it("swaps addresses and ports", () => {
    const view = decoded(build.ipv6({ next: 6 }, build.tcp()));
    reverse(view);
    expect([...view.words]).toEqual([...build.IPV6_DESTINATION, ...build.IPV6_SOURCE]);
    expect(view).toMatchObject({ sourcePort: 443, destinationPort: 40000 });
  });

  it("makes of a reply the packet that asked for it", () => {
    const answer = build.udp({ sourcePort: 53, destinationPort: 999 });
    const question = build.udp({ sourcePort: 999, destinationPort: 53 });
    const reply = decoded(build.ipv4({ protocol: 17, source: 2, destination: 1 }, answer));
    reverse(reply);
    expect(reply).toEqual(decoded(build.ipv4({ protocol: 17, source: 1, destination: 2 }, question)));
  });

  it("turns ICMP queries into their counterparts and leaves other types", () => {
    const pairs = [[0, 8], [8, 0], [13, 14], [14, 13], [15, 16], [16, 15], [17, 18], [18, 17], [9, 9], [3, 3]];
    for (const [type, counterpart] of pairs) {
      const view = decoded(build.ipv4({ protocol: 1 }, build.icmp(type, 0, 5)));
      reverse(view);
      expect(view.icmpType).toBe(counterpart);
    }
  });

  it("turns ICMPv6 queries into their counterparts and leaves other types", () => {
    const pairs = [[128, 129], [129, 128], [139, 140], [140, 139], [130, 130], [131, 131], [1, 1], [8, 8]];
    for (const [type, counterpart] of pairs) {
      const view = decoded(build.ipv6({ next: 58 }, build.icmp(type, 0, 5)));
      reverse(view);
      expect(view.icmpType).toBe(counterpart);
    }
  });

  it("does not touch ICMP fields of a protocol that has none", () => {
    const view = decoded(build.ipv6({ next: 1 }, build.icmp(8)));
    reverse(view);
    expect(view.icmpType).toBe(0);
  });

  it("done twice changes nothing", () => {
    const packets = [build.ipv4({ protocol: 1 }, build.icmp(13, 0, 3)), build.ipv6({ next: 132 }, build.sctp())];
    for (const packet of packets) {
      const view = decoded(packet);
      reverse(view);
      reverse(view);
      expect(view).toEqual(decoded(packet));
    }
  });
});
