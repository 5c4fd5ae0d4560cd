import { spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatTapPacket } from "../../src/tap/format.ts";
import { PcapngEncoder } from "../../src/tap/pcapng.ts";
import { loadServiceNames } from "../../src/tap/service-names.ts";
import type { TapPacket } from "../../src/tap/tap-packet.ts";
import { ACK, FIN, PROTOCOL, PSH, RST, SYN, icmp, ip, sctp, tapPacket, tcp, udp } from "./packets.ts";

const A = "10.0.0.2";
const B = "10.0.0.1";
const A6 = "2001:db8::2";
const B6 = "2001:db8::1";
const SUFFIX = " | drop input eth0 endpoint=web policy=default/deny-all rule=ingress[2] reason=policy";

/** The lines real tcpdump prints for these packets, times included, without its stray double and final blanks. */
function tcpdump(packets: readonly TapPacket[]): string[] {
  const encoder = new PcapngEncoder();
  const input = Buffer.concat([encoder.header("test"), ...packets.map((packet) => encoder.packet(packet))]);
  const { stdout, status, stderr } = spawnSync("tcpdump", ["-n", "-S", "-r", "-"], {
    input,
    encoding: "utf8",
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
  if (status !== 0) throw new Error(`tcpdump failed: ${stderr}`);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.replaceAll(/ +/g, " ").trimEnd());
}

const SYN_OPTIONS = "020405b40402080a0000007b0000000001030307";
const ERROR_4 = ip(B, "10.9.9.9", PROTOCOL.udp, udp(4_000, 9_999, ""));
const ERROR_4_TCP = ip(B, "10.9.9.9", PROTOCOL.tcp, tcp(4_000, 9_998, { flags: SYN }));
const ERROR_6 = ip(B6, "2001:db8::9", PROTOCOL.udp, udp(4_000, 9_999, ""));

const SAME_AS_TCPDUMP: Record<string, Buffer> = {
  "TCP SYN with Linux's options": ip(A, B, 6, tcp(51_234, 8_081, { flags: SYN, options: SYN_OPTIONS })),
  "TCP SYN,ACK": ip(B, A, 6, tcp(8_081, 51_234, { flags: SYN | ACK, options: "020405b4" })),
  "TCP ACK": ip(A, B, 6, tcp(51_234, 8_081, { flags: ACK, options: "0101080a0000000100000002" })),
  "TCP data": ip(A, B, 6, tcp(51_234, 8_081, { flags: PSH | ACK, data: "hello, world" })),
  "TCP data whose sequence wraps": ip(
    A,
    B,
    6,
    tcp(51_234, 8_081, { flags: ACK, sequence: 0xffff_fffe, data: "hello" }),
  ),
  "TCP FIN": ip(A, B, 6, tcp(51_234, 8_081, { flags: FIN | ACK })),
  "TCP RST": ip(B, A, 6, tcp(8_081, 51_234, { flags: RST })),
  "TCP RST,ACK": ip(B, A, 6, tcp(8_081, 51_234, { flags: RST | ACK, window: 0 })),
  "TCP with every flag": ip(A, B, 6, tcp(51_234, 8_081, { flags: 0xff, urgent: 5 })),
  "TCP without flags": ip(A, B, 6, tcp(51_234, 8_081, { flags: 0 })),
  "TCP selective acknowledgement": ip(
    A,
    B,
    6,
    tcp(51_234, 8_081, { flags: ACK, options: "01010512000000640000006500000066000000c8" }),
  ),
  "TCP options that end early": ip(A, B, 6, tcp(51_234, 8_081, { flags: SYN, options: "020405b401000000" })),
  "TCP over IPv6": ip(A6, B6, 6, tcp(51_234, 8_081, { flags: SYN, options: SYN_OPTIONS })),
  UDP: ip(A, B, 17, udp(40_000, 40_001, "some data")),
  "UDP without data": ip(A, B, 17, udp(40_000, 40_001, "")),
  "UDP over IPv6": ip(A6, B6, 17, udp(40_000, 40_001, "some data")),
  "UDP whose length is too small": ip(A, B, 17, udp(40_000, 40_001, "some data", 7)),
  "UDP whose length is too large": ip(A, B, 17, udp(40_000, 40_001, "some data", 200)),
  "a first fragment": ip(A, B, 17, udp(40_000, 40_001, "x".repeat(64), 2_000), 0x2000),
  "ICMP echo request": ip(A, B, 1, icmp(8, 0, "00070001", Buffer.alloc(56))),
  "ICMP echo reply": ip(B, A, 1, icmp(0, 0, "00070001", Buffer.alloc(56))),
  "ICMP port unreachable": ip(A, B, 1, icmp(3, 3, "00000000", ERROR_4)),
  "ICMP tcp port unreachable": ip(A, B, 1, icmp(3, 3, "00000000", ERROR_4_TCP)),
  "ICMP protocol unreachable": ip(A, B, 1, icmp(3, 2, "00000000", ERROR_4)),
  "ICMP need to fragment": ip(A, B, 1, icmp(3, 4, "00000578", ERROR_4)),
  "ICMP need to fragment, old": ip(A, B, 1, icmp(3, 4, "00000000", ERROR_4)),
  "ICMP unreachable of another code": ip(A, B, 1, icmp(3, 77, "00000000", ERROR_4)),
  "ICMP redirect": ip(A, B, 1, icmp(5, 1, "0a000005", ERROR_4)),
  "ICMP time exceeded": ip(A, B, 1, icmp(11, 0, "00000000", ERROR_4)),
  "ICMP reassembly time exceeded": ip(A, B, 1, icmp(11, 1, "00000000", ERROR_4)),
  "ICMP source quench": ip(A, B, 1, icmp(4, 0, "00000000", ERROR_4)),
  "ICMP parameter problem": ip(A, B, 1, icmp(12, 0, "05000000", ERROR_4)),
  "ICMP of an unknown type": ip(A, B, 1, icmp(200, 0, "00000000")),
  ...Object.fromEntries(
    [0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map((code) => [
      `ICMP unreachable, code ${code}`,
      ip(A, B, 1, icmp(3, code, "00000000", ERROR_4)),
    ]),
  ),
  "ICMPv6 echo request": ip(A6, B6, 58, icmp(128, 0, "00070001", Buffer.alloc(56))),
  "ICMPv6 echo reply": ip(B6, A6, 58, icmp(129, 0, "00070001", Buffer.alloc(56))),
  "ICMPv6 no route": ip(A6, B6, 58, icmp(1, 0, "00000000", ERROR_6)),
  "ICMPv6 prohibited": ip(A6, B6, 58, icmp(1, 1, "00000000", ERROR_6)),
  "ICMPv6 address unreachable": ip(A6, B6, 58, icmp(1, 3, "00000000", ERROR_6)),
  "ICMPv6 port unreachable": ip(A6, B6, 58, icmp(1, 4, "00000000", ERROR_6)),
  "ICMPv6 packet too big": ip(A6, B6, 58, icmp(2, 0, "00000500", ERROR_6)),
  "ICMPv6 time exceeded": ip(A6, B6, 58, icmp(3, 0, "00000000", ERROR_6)),
  "ICMPv6 parameter problem": ip(A6, B6, 58, icmp(4, 1, "00000028", ERROR_6)),
  "ICMPv6 router solicitation": ip("fe80::1", "ff02::2", 58, icmp(133, 0, "00000000")),
  "ICMPv6 neighbour solicitation": ip("fe80::1", "ff02::1:ff00:2", 58, icmp(135, 0, "00000000", address16())),
  "ICMPv6 neighbour advertisement": ip("fe80::2", "fe80::1", 58, icmp(136, 0, "60000000", address16())),
  "SCTP INIT": ip(A, B, 132, sctp(5_000, 6_000, "0100001400000001 0001a000 000a ffff 00000001".replaceAll(" ", ""))),
  "an IPv6 hop-by-hop header before UDP": extended(0, "1100010400000000", udp(40_000, 40_001, "x")),
  "an IPv6 first fragment": extended(44, "1100000100000001", udp(40_000, 40_001, "x".repeat(64), 200)),
  "an IPv6 later fragment": extended(44, "1100059000000001", Buffer.alloc(52)),
  "a later fragment of an unassigned protocol": ip(A, B, 253, Buffer.alloc(16), 0x0010),
  "an unassigned protocol": ip(A, B, 253, Buffer.alloc(20)),
  "an unassigned protocol over IPv6": ip(A6, B6, 253, Buffer.alloc(20)),
  "an IPv4 header that is too short": Buffer.from(ip(A, B, 17, udp(1, 2, ""))).fill(0x44, 0, 1),
  "an IPv4 total length that is too short": Buffer.from(ip(A, B, 17, udp(1, 2, ""))).fill(0, 2, 4),
};

function hex(text: string): Buffer {
  return Buffer.from(text, "hex");
}

function extended(header: number, bytes: string, payload: Buffer): Buffer {
  return ip(A6, B6, header, Buffer.concat([hex(bytes), payload]));
}

function address16(): Buffer {
  return hex("fe800000000000000000000000000002");
}

describe("a line", () => {
  const packets = Object.values(SAME_AS_TCPDUMP).map((bytes) => tapPacket(bytes));
  const theirs = tcpdump(packets);
  const names = Object.keys(SAME_AS_TCPDUMP).map((name, i) => [name, i] as const);

  it.each(names)("for %s is tcpdump's plus the verdict", (_name, i) => {
    expect(formatTapPacket(packets[i]!, { numeric: true })).toBe(theirs[i] + SUFFIX);
  });

  it("for a well-known port leaves out the payload that tcpdump decodes", () => {
    const packet = tapPacket(ip(A, B, 6, tcp(51_234, 80, { flags: PSH | ACK, data: "GET / HTTP/1.1\r\n\r\n" })));
    const ours = formatTapPacket(packet, { numeric: true }).slice(0, -SUFFIX.length);
    expect(ours).toMatch(/Flags \[P\.\], seq 1000:1018, ack 2000, win 64240, length 18$/);
    expect(tcpdump([packet])[0]).toBe(`${ours}: HTTP: GET / HTTP/1.1`);
  });

  it("tells from what was captured, and marks where it ended", () => {
    const whole = ip(A, B, 6, tcp(51_234, 8_081, { flags: SYN, options: SYN_OPTIONS }));
    const cut = (length: number): string => {
      const packet = tapPacket(whole.subarray(0, length), { originalLength: whole.length });
      return formatTapPacket(packet, { numeric: true }).slice("22:13:20.123456 ".length, -SUFFIX.length);
    };
    const full = cut(whole.length);
    expect(cut(50)).toMatch(/8081: Flags \[S\], seq 1000, win 64240, options \[mss 1460,sackOK, \[\|tcp\]$/);
    expect(cut(30)).toBe("IP 10.0.0.2.51234 > 10.0.0.1.8081:  [|tcp]");
    expect(cut(24)).toBe("IP 10.0.0.2.51234 > 10.0.0.1.8081:  [|tcp]");
    expect(cut(22)).toBe("IP 10.0.0.2 > 10.0.0.1:  [|tcp]");
    expect(cut(10)).toBe("IP  [|ip]");
    expect(cut(0)).toBe(" [|ip]");
    expect(full).toContain("options [mss 1460,sackOK,TS val 123 ecr 0,nop,wscale 7], length 0");
  });

  it("says that a packet is shorter than its header claims", () => {
    const whole = ip(A, B, 17, udp(40_000, 40_001, "some data"));
    const line = formatTapPacket(tapPacket(whole.subarray(0, 30)), { numeric: true });
    expect(line).toContain("IP truncated-ip - 7 bytes missing! 10.0.0.2.40000 > 10.0.0.1.40001: UDP, length 9");
  });

  it("names protocols that have no printer", () => {
    const line = formatTapPacket(tapPacket(ip(A, B, 47, Buffer.alloc(20))), { numeric: true });
    expect(line).toContain("IP 10.0.0.2 > 10.0.0.1: gre 20 |");
  });

  it.each([
    ["DATA", "0003 0013 00000005 0001 0002 00000003 414243 00", "(B)(E) [TSN: 5] [SID: 1] [SSEQ 2] [PPID 0x3]"],
    ["SACK", "0300 0010 00000005 0001a000 0000 0000", "[cum ack 5] [a_rwnd 106496] [#gap acks 0] [#dup tsns 0]"],
  ])("shows what identifies an SCTP %s chunk", (name, chunk, text) => {
    const packet = tapPacket(ip(A, B, 132, sctp(5_000, 6_000, chunk.replaceAll(" ", ""))));
    expect(formatTapPacket(packet, { numeric: true })).toContain(`sctp (1) [${name}] ${text} |`);
  });

  it("uses the services file's names unless numeric, per protocol, and never names for addresses", () => {
    const services = loadServiceNames("test/tap/services.txt");
    const line = (protocol: number, payload: Buffer, numeric: boolean): string =>
      formatTapPacket(tapPacket(ip(A, "127.0.0.1", protocol, payload)), { numeric, names: services });
    expect(line(6, tcp(51_234, 22, { flags: SYN }), false)).toContain("IP 10.0.0.2.51234 > 127.0.0.1.ssh: Flags");
    expect(line(6, tcp(51_234, 22, { flags: SYN }), true)).toContain("IP 10.0.0.2.51234 > 127.0.0.1.22: Flags");
    expect(line(17, udp(53, 22, ""), false)).toContain("IP 10.0.0.2.domain > 127.0.0.1.22: UDP");
    expect(loadServiceNames("test/tap/there-is-none")(22, "tcp")).toBeUndefined();
  });
});

describe("the verdict", () => {
  const byPolicy = "endpoint=web policy=default/deny-all rule=ingress[2] reason=policy";
  const unknown = { endpoint: undefined, tier: undefined, policy: undefined, rule: undefined, reason: "truncated" };

  it.each([
    [{ verdict: "accept" }, `accept input eth0 ${byPolicy}`],
    [
      { policy: undefined, rule: undefined, reason: "end-of-tier" },
      "drop input eth0 endpoint=web tier=default reason=end-of-tier",
    ],
    [
      { ...unknown, hook: "output", inInterface: undefined, outInterface: "eth1", direction: "reply" },
      "drop output eth1 reply reason=truncated",
    ],
    [{ hook: "forward", outInterface: "eth1", verdict: "reject" }, `reject forward eth0>eth1 ${byPolicy}`],
    [
      { verdict: "accept", pending: "deny by StagedNetworkPolicy shop/web" },
      `accept input eth0 ${byPolicy} pending=deny by StagedNetworkPolicy shop/web`,
    ],
    [{ inInterface: "e\u001b[31mvil" }, `drop input e?[31mvil ${byPolicy}`],
  ] satisfies [Partial<TapPacket>, string][])("of %o", (fields, text) => {
    const line = formatTapPacket(tapPacket(ip(A, B, 17, udp(1, 2, "")), fields), { numeric: true });
    expect(line.slice(line.indexOf(" | ") + 3)).toBe(text);
  });
});

describe("bytes from outside", () => {
  const corpus = Object.values(SAME_AS_TCPDUMP);
  const mutated = fc
    .tuple(fc.constantFrom(...corpus), fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 8 }), fc.nat(120))
    .map(([bytes, changes, length]) => {
      const copy = Buffer.from(bytes.subarray(0, length));
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy;
    });

  it("never throw, never hang, and stay one printable line", () => {
    const property = fc.property(
      fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })),
      fc.nat(70_000),
      (bytes, originalLength) => {
        const line = formatTapPacket(tapPacket(bytes, { originalLength }), { numeric: true });
        return /^[\x20-\x7e]+$/.test(line) && line.endsWith(SUFFIX) && line.length < 4_000;
      },
    );
    expect(() => fc.assert(property, { numRuns: 20_000 })).not.toThrow();
  });
});
