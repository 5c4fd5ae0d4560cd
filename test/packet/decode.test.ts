import { describe, expect, it } from "vitest";
import { decode } from "../../src/packet/decode.ts";
import { ParseFailure, parseFailureNames } from "../../src/packet/failure.ts";
import { Fragment, PacketView } from "../../src/packet/view.ts";
import * as build from "./build.ts";

const { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ACK, SYN, join, zeros } = build;

interface Sizes {
  /** Bytes copied to userspace; all by default. */
  readonly copied?: number;
  readonly originalLength?: number;
  readonly etherType?: number;
}

function run(packet: Uint8Array, sizes: Sizes = {}): { failure: string; view: PacketView } {
  const view = new PacketView();
  const etherType = sizes.etherType ?? (packet[0] >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
  const length = sizes.copied ?? packet.length;
  const code = decode(view, packet, 0, length, sizes.originalLength ?? packet.length, etherType);
  return { failure: parseFailureNames[code], view };
}

function failureOf(packet: Uint8Array, sizes: Sizes = {}): string {
  return run(packet, sizes).failure;
}

describe("parse failures", () => {
  it("are dense and have one stable name each", () => {
    expect(Object.values(ParseFailure)).toEqual(Object.keys(ParseFailure).map((_, index) => index));
    expect(new Set(parseFailureNames).size).toBe(parseFailureNames.length);
    expect(parseFailureNames[ParseFailure.NONE]).toBe("none");
    expect(parseFailureNames[ParseFailure.IPV4_BAD_LENGTH]).toBe("ipv4-bad-length");
    expect(parseFailureNames[ParseFailure.LATER_FRAGMENT]).toBe("later-fragment");
  });

  it("leave nothing of the packet before in the view", () => {
    const view = new PacketView();
    const good = build.ipv6({ next: 6 }, build.tcp());
    expect(decode(view, good, 0, good.length, good.length, ETHERTYPE_IPV6)).toBe(ParseFailure.NONE);
    expect(decode(view, good, 0, 0, 0, ETHERTYPE_IPV4)).toBe(ParseFailure.IPV4_HEADER_SHORT);
    expect(view).toEqual(new PacketView());
  });
});

describe("network layer", () => {
  it("takes only IPv4 and IPv6", () => {
    expect(failureOf(zeros(60), { etherType: 0x0806 })).toBe("unknown-network-protocol");
    expect(failureOf(build.ipv4({ protocol: 6 }, zeros(30)), { etherType: ETHERTYPE_IPV6 })).toBe("version-mismatch");
    expect(failureOf(build.ipv6({ next: 6 }, zeros(30)), { etherType: ETHERTYPE_IPV4 })).toBe("version-mismatch");
  });
});

describe("IPv4", () => {
  it("gives addresses as numbers in words 3 and 7", () => {
    const packet = build.ipv4({ protocol: 6, source: 0xfffefdfc, destination: 0x7f000001 }, build.tcp());
    const { failure, view } = run(packet);
    expect(failure).toBe("none");
    expect([...view.words]).toEqual([0, 0, 0, 0xfffefdfc, 0, 0, 0, 0x7f000001]);
    expect(view).toMatchObject({ family: 4, protocol: 6, l4Offset: 20, payloadOffset: 40, packetLength: 40 });
  });

  it("steps over options", () => {
    const { failure, view } = run(build.ipv4({ protocol: 17, options: zeros(40) }, build.udp({ destinationPort: 7 })));
    expect(failure).toBe("none");
    expect(view).toMatchObject({ l4Offset: 60, destinationPort: 7 });
  });

  it("does not count padding behind the total length", () => {
    const { failure, view } = run(join(build.ipv4({ protocol: 17 }, build.udp()), zeros(18)));
    expect(failure).toBe("none");
    expect(view.packetLength).toBe(28);
  });

  it("refuses a header that is cut, too small or longer than the packet", () => {
    const packet = build.ipv4({ protocol: 6 }, build.tcp());
    expect(failureOf(packet.subarray(0, 19))).toBe("ipv4-header-short");
    expect(failureOf(build.ipv4({ protocol: 6, headerWords: 4 }, build.tcp()))).toBe("ipv4-bad-header-length");
    expect(failureOf(build.ipv4({ protocol: 6, headerWords: 15 }, zeros(8)))).toBe("ipv4-header-short");
  });

  it("refuses a total length below the header or above the packet", () => {
    expect(failureOf(build.ipv4({ protocol: 6, totalLength: 19 }, build.tcp()))).toBe("ipv4-bad-length");
    expect(failureOf(build.ipv4({ protocol: 6, totalLength: 41 }, build.tcp()))).toBe("ipv4-bad-length");
    expect(failureOf(build.ipv4({ protocol: 6, totalLength: 0 }, build.tcp()))).toBe("ipv4-bad-length");
  });

  it("takes a GSO packet whose copy ends before its total length", () => {
    const packet = build.ipv4({ protocol: 6, totalLength: 64000 }, build.tcp({ flags: ACK }));
    const { failure, view } = run(packet, { originalLength: 64000 });
    expect(failure).toBe("none");
    expect(view.packetLength).toBe(64000);
  });

  it("takes BIG TCP, total length 0 above 64 KiB, and only TCP", () => {
    const big = build.ipv4({ protocol: 6, totalLength: 0 }, build.tcp({ flags: ACK }));
    expect(run(big, { originalLength: 180_000 }).view.packetLength).toBe(180_000);
    expect(failureOf(big, { originalLength: 180_000 })).toBe("none");
    expect(failureOf(big, { originalLength: 65_535 })).toBe("ipv4-bad-length");
    const udp = build.ipv4({ protocol: 17, totalLength: 0 }, build.udp());
    expect(failureOf(udp, { originalLength: 180_000 })).toBe("ipv4-bad-length");
  });

  it("never gives ports to a later fragment", () => {
    const { failure, view } = run(build.ipv4({ protocol: 6, fragmentOffset: 1 }, build.tcp()));
    expect(failure).toBe("later-fragment");
    expect(view).toMatchObject({ fragment: Fragment.LATER, hasPorts: 0, sourcePort: 0, destinationPort: 0 });
    expect(view).toMatchObject({ family: 4, protocol: 6 });
    expect(failureOf(build.ipv4({ protocol: 6, fragmentOffset: 8191, moreFragments: true }, zeros(8)))).toBe(
      "later-fragment",
    );
  });

  it("reads a first fragment that has the whole upper-layer header", () => {
    const { failure, view } = run(build.ipv4({ protocol: 17, moreFragments: true }, build.udp({ length: 3000 })));
    expect(failure).toBe("none");
    expect(view).toMatchObject({ fragment: Fragment.FIRST, hasPorts: 1, destinationPort: 53 });
    expect(failureOf(build.ipv4({ protocol: 6, moreFragments: true }, build.tcp().subarray(0, 8)))).toBe(
      "tcp-header-short",
    );
  });

  it("carries ESP, AH, GRE and unknown protocols by number", () => {
    for (const protocol of [0, 2, 4, 33, 47, 50, 51, 253]) {
      const { failure, view } = run(build.ipv4({ protocol }, zeros(4)));
      expect(failure).toBe("none");
      expect(view).toMatchObject({ protocol, hasPorts: 0, hasIcmp: 0, l4Offset: 20, payloadOffset: 20 });
    }
  });
});

describe("IPv6", () => {
  it("gives addresses as four words each", () => {
    const { failure, view } = run(build.ipv6({ next: 17 }, build.udp()));
    expect(failure).toBe("none");
    expect([...view.words]).toEqual([...build.IPV6_SOURCE, ...build.IPV6_DESTINATION]);
    expect(view).toMatchObject({ family: 6, protocol: 17, l4Offset: 40, payloadOffset: 48, packetLength: 48 });
  });

  it("refuses a header that is cut and a payload length above the packet", () => {
    expect(failureOf(build.ipv6({ next: 6 }, zeros(0)).subarray(0, 39))).toBe("ipv6-header-short");
    expect(failureOf(build.ipv6({ next: 6, payloadLength: 21 }, build.tcp()))).toBe("ipv6-bad-length");
  });

  it("walks every extension header in the order of RFC 8200", () => {
    const packet = build.ipv6(
      { next: 0 },
      join(
        build.options(60),
        build.options(43),
        build.routing(44, 4, 1),
        build.fragment(51, 0, false),
        build.authentication(60),
        build.options(6),
        build.tcp({ destinationPort: 8443 }),
      ),
    );
    const { failure, view } = run(packet);
    expect(failure).toBe("none");
    expect(view).toMatchObject({ protocol: 6, destinationPort: 8443, l4Offset: 40 + 8 + 8 + 24 + 8 + 24 + 8 });
    expect(view.fragment).toBe(Fragment.NONE);
  });

  it("refuses hop-by-hop options that are not first, repeats and any other order", () => {
    const upper = build.tcp();
    const odd: Uint8Array[] = [
      build.ipv6({ next: 60 }, join(build.options(0), build.options(6), upper)),
      build.ipv6({ next: 0 }, join(build.options(0), build.options(6), upper)),
      build.ipv6({ next: 43 }, join(build.routing(43, 4, 0), build.routing(6, 4, 0), upper)),
      build.ipv6({ next: 44 }, join(build.fragment(43, 0, true), build.routing(6, 4, 0), upper)),
      build.ipv6({ next: 51 }, join(build.authentication(44), build.fragment(6, 0, false), upper)),
      build.ipv6({ next: 60 }, join(build.options(60), build.options(60), build.options(6), upper)),
    ];
    for (const packet of odd) expect(failureOf(packet)).toBe("ipv6-extension-order");
    const twice = build.ipv6({ next: 60 }, join(build.options(60), build.options(6), upper));
    expect(failureOf(twice)).toBe("none");
  });

  it("bounds the bytes it walks", () => {
    const upper = build.tcp();
    expect(failureOf(build.ipv6({ next: 0 }, join(build.options(6, zeros(254)), upper)))).toBe("none");
    expect(failureOf(build.ipv6({ next: 0 }, join(build.options(6, zeros(262)), upper)))).toBe(
      "ipv6-extensions-too-long",
    );
  });

  it("refuses extension headers that the packet cuts", () => {
    expect(failureOf(build.ipv6({ next: 0 }, zeros(7)))).toBe("ipv6-extension-short");
    expect(failureOf(build.ipv6({ next: 60 }, Uint8Array.of(6, 1, 0, 0, 0, 0, 0, 0)))).toBe("ipv6-extension-short");
  });

  it("refuses routing type 0 with segments left, as RFC 5095 asks, and no other", () => {
    const cases = [
      [0, 1, "ipv6-routing-type-zero"],
      [0, 0, "none"],
      [4, 1, "none"],
    ] as const;
    for (const [type, left, failure] of cases) {
      const packet = build.ipv6({ next: 43 }, join(build.routing(6, type, left), build.tcp()));
      expect(failureOf(packet)).toBe(failure);
    }
  });

  it("refuses an authentication header below its fixed fields", () => {
    expect(failureOf(build.ipv6({ next: 51 }, join(build.authentication(6, 0), build.tcp())))).toBe(
      "ipv6-bad-authentication",
    );
  });

  it("ends the walk at ESP, mobility and no next header", () => {
    for (const next of [50, 59, 135]) {
      const { failure, view } = run(build.ipv6({ next: 60 }, join(build.options(next), zeros(12))));
      expect(failure).toBe("none");
      expect(view).toMatchObject({ protocol: next, hasPorts: 0, l4Offset: 48, payloadOffset: 48 });
    }
    expect(failureOf(build.ipv6({ next: 59 }, zeros(0)))).toBe("none");
  });

  it("tells first fragments from later ones", () => {
    const first = run(build.ipv6({ next: 44 }, join(build.fragment(17, 0, true), build.udp({ length: 3000 }))));
    expect(first.failure).toBe("none");
    expect(first.view).toMatchObject({ fragment: Fragment.FIRST, protocol: 17, hasPorts: 1 });
    const later = run(build.ipv6({ next: 44 }, join(build.fragment(17, 1480, false), build.udp())));
    expect(later.failure).toBe("later-fragment");
    expect(later.view).toMatchObject({ fragment: Fragment.LATER, protocol: 17, hasPorts: 0 });
  });

  it("takes BIG TCP with and without the jumbo option", () => {
    const upper = build.tcp({ flags: ACK });
    const plain = build.ipv6({ next: 6, payloadLength: 0 }, upper);
    expect(failureOf(plain, { originalLength: 200_000 })).toBe("none");
    expect(run(plain, { originalLength: 200_000 }).view.packetLength).toBe(200_000);
    expect(failureOf(plain, { originalLength: 65_575 })).toBe("tcp-header-short");
    const jumbo = (length: number): Uint8Array =>
      build.ipv6({ next: 0, payloadLength: 0 }, join(build.options(6, build.jumboOption(length)), upper));
    expect(failureOf(jumbo(199_960), { originalLength: 200_000 })).toBe("none");
    expect(run(jumbo(199_900), { originalLength: 200_000 }).view.packetLength).toBe(199_940);
    expect(failureOf(jumbo(199_961), { originalLength: 200_000 })).toBe("ipv6-bad-length");
    expect(failureOf(jumbo(65_535), { originalLength: 200_000 })).toBe("ipv6-bad-length");
  });

  it("refuses payload length 0 above 64 KiB for what is neither TCP nor a jumbogram", () => {
    const sizes = { originalLength: 200_000 };
    expect(failureOf(build.ipv6({ next: 17, payloadLength: 0 }, build.udp()), sizes)).toBe("ipv6-bad-length");
    const noOption = join(build.options(6), build.tcp({ flags: ACK }));
    expect(failureOf(build.ipv6({ next: 0, payloadLength: 0 }, noOption), sizes)).toBe("ipv6-bad-length");
    const overrun = join(build.options(6, Uint8Array.of(0, 5, 200)), build.tcp({ flags: ACK }));
    expect(failureOf(build.ipv6({ next: 0, payloadLength: 0 }, overrun), sizes)).toBe("ipv6-bad-length");
    const padded = join(build.options(6, join(Uint8Array.of(0, 1, 1, 0), build.jumboOption(199_960))), build.tcp());
    expect(failureOf(build.ipv6({ next: 0, payloadLength: 0 }, padded), sizes)).toBe("none");
  });
});

describe("copies shorter than the headers", () => {
  it("are truncated, not malformed, wherever the copy ends", () => {
    const upperLayers: readonly (readonly [number, Uint8Array])[] = [
      [6, build.tcp({ options: zeros(20) })],
      [17, build.udp()],
      [136, build.udplite()],
      [132, build.sctp({}, zeros(0))],
    ];
    const packets = [
      ...upperLayers.map(([protocol, upper]) => build.ipv4({ protocol, options: zeros(8) }, upper)),
      ...upperLayers.map(([next, upper]) => build.ipv6({ next: 0 }, join(build.options(next, zeros(14)), upper))),
      build.ipv4({ protocol: 1 }, build.icmp(8)),
      build.ipv6({ next: 58 }, build.icmp(128)),
    ];
    for (const packet of packets) {
      expect(failureOf(packet)).toBe("none");
      for (let copied = 0; copied < packet.length; copied++) {
        const etherType = packet[0] >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
        expect(failureOf(packet, { copied, etherType })).toBe("truncated-copy");
      }
    }
  });

  it("are truncated inside options and extension headers of protocols without a header of ours, too", () => {
    const v4 = build.ipv4({ protocol: 47, options: zeros(8) }, zeros(4));
    expect(failureOf(v4, { copied: 27 })).toBe("truncated-copy");
    expect(failureOf(v4, { copied: 28 })).toBe("none");
    const v6 = build.ipv6({ next: 60 }, join(build.options(59, zeros(14)), zeros(4)));
    expect(failureOf(v6, { copied: 55 })).toBe("truncated-copy");
    expect(failureOf(v6, { copied: 56 })).toBe("none");
  });

  it("are enough when only payload is missing", () => {
    const packet = build.ipv4({ protocol: 17 }, build.udp({}, zeros(1000)));
    expect(failureOf(packet, { copied: 28 })).toBe("none");
  });
});

// Each upper layer in both families.
const families: readonly (readonly [string, number, (protocol: number, upper: Uint8Array) => Uint8Array])[] = [
  ["IPv4", 20, (protocol, upper) => build.ipv4({ protocol }, upper)],
  ["IPv6", 40, (next, upper) => build.ipv6({ next }, upper)],
];

describe.each(families)("over %s", (_, ip, packet) => {
  it("TCP gives ports and flags; the payload begins behind the options", () => {
    const { failure, view } = run(packet(6, build.tcp({ options: zeros(12), flags: SYN | ACK }, zeros(5))));
    expect(failure).toBe("none");
    expect(view).toMatchObject({ sourcePort: 40000, destinationPort: 443, hasPorts: 1, tcpFlags: 0x12 });
    expect(view).toMatchObject({ l4Offset: ip, payloadOffset: ip + 32 });
  });

  it("TCP refuses short headers and data offsets out of bounds", () => {
    expect(failureOf(packet(6, build.tcp().subarray(0, 19)))).toBe("tcp-header-short");
    expect(failureOf(packet(6, build.tcp({ headerWords: 4 })))).toBe("tcp-bad-data-offset");
    expect(failureOf(packet(6, build.tcp({ headerWords: 6 })))).toBe("tcp-bad-data-offset");
  });

  it("TCP refuses flags that no connection sends", () => {
    const [FIN, RST, PSH, URG] = [0x01, 0x04, 0x08, 0x20];
    const refused = [0, FIN, PSH, URG, FIN | PSH | URG, SYN | FIN, SYN | RST, SYN | RST | ACK, RST | FIN | ACK, 0xff];
    for (const flags of refused) expect(failureOf(packet(6, build.tcp({ flags })))).toBe("tcp-bad-flags");
    const fine = [SYN, SYN | 0xc0, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | PSH | ACK, ACK, ACK | URG | PSH];
    for (const flags of fine) expect(failureOf(packet(6, build.tcp({ flags })))).toBe("none");
  });

  it("UDP gives ports, also port 0", () => {
    const { failure, view } = run(packet(17, build.udp({ sourcePort: 0, destinationPort: 65535 }, zeros(3))));
    expect(failure).toBe("none");
    expect(view).toMatchObject({ sourcePort: 0, destinationPort: 65535, hasPorts: 1, payloadOffset: ip + 8 });
  });

  it("UDP refuses short headers and lengths out of bounds", () => {
    expect(failureOf(packet(17, build.udp().subarray(0, 7)))).toBe("udp-header-short");
    expect(failureOf(packet(17, build.udp({ length: 0 })))).toBe("udp-bad-length");
    expect(failureOf(packet(17, build.udp({ length: 7 })))).toBe("udp-bad-length");
    expect(failureOf(packet(17, build.udp({ length: 9 })))).toBe("udp-bad-length");
    expect(failureOf(packet(17, build.udp({ length: 8 }, zeros(4))))).toBe("none");
  });

  it("UDP-Lite gives ports and bounds its coverage", () => {
    expect(run(packet(136, build.udplite())).view).toMatchObject({ hasPorts: 1, destinationPort: 53 });
    expect(failureOf(packet(136, build.udplite({ coverage: 0 }, zeros(9))))).toBe("none");
    expect(failureOf(packet(136, build.udplite({ coverage: 8 }, zeros(9))))).toBe("none");
    expect(failureOf(packet(136, build.udplite({ coverage: 7 }, zeros(9))))).toBe("udplite-bad-coverage");
    expect(failureOf(packet(136, build.udplite({ coverage: 18 }, zeros(9))))).toBe("udplite-bad-coverage");
    expect(failureOf(packet(136, zeros(7)))).toBe("udplite-header-short");
  });

  it("SCTP gives ports behind a whole common header", () => {
    const { failure, view } = run(packet(132, build.sctp()));
    expect(failure).toBe("none");
    expect(view).toMatchObject({ sourcePort: 36412, destinationPort: 38412, hasPorts: 1, payloadOffset: ip + 12 });
    expect(failureOf(packet(132, zeros(11)))).toBe("sctp-header-short");
  });

  it("the other family's ICMP is a protocol number", () => {
    const { failure, view } = run(packet(ip === 20 ? 58 : 1, build.icmp(8, 0, 77)));
    expect(failure).toBe("none");
    expect(view).toMatchObject({ hasIcmp: 0, icmpType: 0, icmpId: 0, icmpError: 0, payloadOffset: ip });
  });
});

const overIPv4 = (upper: Uint8Array): Uint8Array => build.ipv4({ protocol: 1 }, upper);
const overIPv6 = (upper: Uint8Array): Uint8Array => build.ipv6({ next: 58 }, upper);

describe("ICMP", () => {
  it("gives type, code and the identifier of queries", () => {
    for (const type of [0, 8, 13, 14, 15, 16, 17, 18]) {
      const { failure, view } = run(overIPv4(build.icmp(type, 0, 0xabcd)));
      expect(failure).toBe("none");
      expect(view).toMatchObject({ hasIcmp: 1, icmpType: type, icmpId: 0xabcd, icmpError: 0, hasPorts: 0 });
    }
    expect(run(overIPv4(build.icmp(9, 16, 0xabcd))).view).toMatchObject({ icmpType: 9, icmpCode: 16, icmpId: 0 });
  });

  it("knows its errors", () => {
    for (const type of [3, 4, 5, 11, 12]) {
      expect(run(overIPv4(build.icmp(type, 1, 0xabcd))).view).toMatchObject({ icmpError: 1, icmpCode: 1, icmpId: 0 });
    }
  });

  it("refuses a short header", () => {
    expect(failureOf(overIPv4(build.icmp(8).subarray(0, 7)))).toBe("icmp-header-short");
  });
});

describe("ICMPv6", () => {
  it("gives type, code and the identifier of echo", () => {
    for (const type of [128, 129]) {
      expect(run(overIPv6(build.icmp(type, 0, 7))).view).toMatchObject({ hasIcmp: 1, icmpType: type, icmpId: 7 });
    }
    expect(run(overIPv6(build.icmp(135, 0, 7))).view).toMatchObject({ icmpType: 135, icmpId: 0, icmpError: 0 });
  });

  it("calls every type below 128 an error", () => {
    for (const type of [0, 1, 2, 3, 4, 100, 127]) {
      expect(run(overIPv6(build.icmp(type))).view.icmpError).toBe(1);
    }
  });

  it("refuses a short header", () => {
    expect(failureOf(overIPv6(build.icmp(128).subarray(0, 7)))).toBe("icmpv6-header-short");
  });
});
