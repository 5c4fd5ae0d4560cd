import { describe, expect, it } from "vitest";
import { decode } from "../../src/packet/decode.ts";
import { decodeEmbedded } from "../../src/packet/embedded.ts";
import { ParseFailure, parseFailureNames } from "../../src/packet/failure.ts";
import { Fragment, PacketView } from "../../src/packet/view.ts";
import * as build from "./build.ts";

const { ETHERTYPE_IPV4, ETHERTYPE_IPV6, join, zeros } = build;

/** Decodes an ICMP error and the packet it quotes. */
function quote(packet: Uint8Array, copied = packet.length): { failure: string; inner: PacketView } {
  const view = new PacketView();
  const inner = new PacketView();
  const etherType = packet[0] >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
  expect(decode(view, packet, 0, copied, packet.length, etherType)).toBe(ParseFailure.NONE);
  expect(view.icmpError).toBe(1);
  return { failure: parseFailureNames[decodeEmbedded(inner, view, packet, 0, copied)], inner };
}

const error4 = (quoted: Uint8Array): Uint8Array => build.ipv4({ protocol: 1 }, build.icmp(3, 4, 0, quoted));
const error6 = (quoted: Uint8Array): Uint8Array => build.ipv6({ next: 58 }, build.icmp(2, 0, 0, quoted));

describe("the packet an ICMP error quotes", () => {
  it("gives addresses and ports although its TCP header is cut after 8 bytes", () => {
    const sent = build.ipv4({ protocol: 6, source: 0x01020304, totalLength: 1500 }, build.tcp().subarray(0, 8));
    const { failure, inner } = quote(error4(sent));
    expect(failure).toBe("none");
    expect(inner).toMatchObject({ family: 4, protocol: 6, sourcePort: 40000, destinationPort: 443, hasPorts: 1 });
    expect(inner).toMatchObject({ tcpFlags: 0, l4Offset: 20, packetLength: 28 });
    expect(inner.words[3]).toBe(0x01020304);
  });

  it("may have options, extension headers and a first fragment's flag", () => {
    const v4 = build.ipv4({ protocol: 17, options: zeros(12), moreFragments: true }, build.udp({ length: 4000 }));
    expect(quote(error4(v4)).inner).toMatchObject({ sourcePort: 5353, fragment: Fragment.FIRST, l4Offset: 32 });
    const v6 = build.ipv6({ next: 60, payloadLength: 1400 }, join(build.options(132), build.sctp()));
    expect(quote(error6(v6)).inner).toMatchObject({ protocol: 132, destinationPort: 38412, l4Offset: 48 });
  });

  it("gives the identifier of a quoted echo request", () => {
    expect(quote(error4(build.ipv4({ protocol: 1 }, build.icmp(8, 0, 9)))).inner).toMatchObject({
      hasIcmp: 1,
      icmpType: 8,
      icmpId: 9,
    });
    expect(quote(error6(build.ipv6({ next: 58 }, build.icmp(128, 0, 9)))).inner).toMatchObject({
      hasIcmp: 1,
      icmpType: 128,
      icmpId: 9,
    });
  });

  it("carries other protocols by number", () => {
    const { failure, inner } = quote(error4(build.ipv4({ protocol: 47 }, zeros(8))));
    expect(failure).toBe("none");
    expect(inner).toMatchObject({ protocol: 47, hasPorts: 0 });
    expect(quote(error4(build.ipv4({ protocol: 58 }, zeros(8)))).inner.hasIcmp).toBe(0);
    expect(quote(error6(build.ipv6({ next: 1 }, zeros(8)))).inner.hasIcmp).toBe(0);
  });

  it("is known in a BIG TCP packet, which states no length", () => {
    const v4 = build.ipv4({ protocol: 6, totalLength: 0 }, build.tcp().subarray(0, 8));
    expect(quote(error4(v4)).failure).toBe("none");
    const v6 = build.ipv6({ next: 6, payloadLength: 0 }, build.tcp());
    expect(quote(error6(v6)).failure).toBe("none");
  });

  it("is refused with fewer than 8 bytes behind its IP header", () => {
    for (const protocol of [6, 17, 132, 136]) {
      expect(quote(error4(build.ipv4({ protocol, totalLength: 1500 }, zeros(7)))).failure).toBe("embedded-short");
      expect(quote(error6(build.ipv6({ next: protocol, payloadLength: 900 }, zeros(7)))).failure).toBe(
        "embedded-short",
      );
      // What lies beyond the length it states is not part of it.
      expect(quote(error4(build.ipv4({ protocol, totalLength: 27 }, zeros(20)))).failure).toBe("embedded-short");
    }
    expect(quote(error4(zeros(0))).failure).toBe("ipv4-header-short");
    expect(quote(error6(zeros(39))).failure).toBe("ipv6-header-short");
    expect(quote(error4(build.ipv4({ protocol: 1 }, zeros(7)))).failure).toBe("icmp-header-short");
  });

  it("is refused when it is malformed, of the other family, a later fragment or itself an error", () => {
    expect(quote(error4(build.ipv4({ protocol: 6, headerWords: 3 }, build.tcp()))).failure).toBe(
      "ipv4-bad-header-length",
    );
    expect(quote(error4(build.ipv6({ next: 6 }, build.tcp()))).failure).toBe("version-mismatch");
    expect(quote(error6(build.ipv4({ protocol: 6 }, build.tcp()))).failure).toBe("version-mismatch");
    expect(quote(error4(build.ipv4({ protocol: 6, fragmentOffset: 9 }, build.tcp()))).failure).toBe("later-fragment");
    expect(quote(error4(build.ipv4({ protocol: 1 }, build.icmp(11)))).failure).toBe("embedded-icmp-error");
    expect(quote(error6(build.ipv6({ next: 58 }, build.icmp(1)))).failure).toBe("embedded-icmp-error");
  });

  it("is truncated where our copy ends, not the error", () => {
    const packet = error4(build.ipv4({ protocol: 17 }, build.udp()));
    expect(quote(packet, 28).failure).toBe("truncated-copy");
    expect(quote(packet, packet.length - 1).failure).toBe("truncated-copy");
  });
});
