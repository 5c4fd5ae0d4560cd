import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PcapngEncoder } from "../../src/tap/pcapng.ts";
import type { TapPacket } from "../../src/tap/tap-packet.ts";
import { SYN, ip, tapPacket, tcp, udp } from "./packets.ts";

const PACKETS: readonly TapPacket[] = [
  tapPacket(ip("10.0.0.2", "10.0.0.1", 6, tcp(51_234, 8_081, { flags: SYN })), {
    timestampMicros: 1_700_000_000_000_001,
  }),
  tapPacket(ip("10.0.0.1", "10.0.0.2", 17, udp(40_000, 40_001, "odd")), {
    hook: "output",
    inInterface: undefined,
    outInterface: "wlan0",
    verdict: "accept",
    timestampMicros: 1_700_000_000_999_999,
  }),
  tapPacket(ip("2001:db8::2", "2001:db8::1", 17, udp(40_000, 40_001, "x".repeat(300))).subarray(0, 61), {
    hook: "forward",
    outInterface: "wlan0",
    originalLength: 348,
    timestampMicros: 1_700_000_001_000_000,
  }),
];

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rampart-pcapng-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function encode(packets: readonly TapPacket[]): Buffer {
  const encoder = new PcapngEncoder();
  return Buffer.concat([encoder.header("rampart test"), ...packets.map((packet) => encoder.packet(packet))]);
}

/** What a program says of a file with these bytes, whose name follows `args`; Wireshark's read no pipes. */
function read(command: string, args: readonly string[], bytes: Uint8Array): string[] {
  const file = join(directory, "tap.pcapng");
  writeFileSync(file, bytes);
  const path = `${process.env["PATH"]}:/usr/sbin:/sbin`;
  const result = spawnSync(command, [...args, file], { encoding: "utf8", env: { ...process.env, PATH: path } });
  if (result.status !== 0) throw new Error(`${command} failed: ${result.error?.message ?? result.stderr}`);
  return result.stdout.trimEnd().split("\n");
}

describe("a pcapng of the tap", () => {
  it("is read by tcpdump: times to the microsecond, several interfaces, cut packets", () => {
    const lines = read("tcpdump", ["-n", "-tt", "-r"], encode(PACKETS));
    expect(lines).toEqual([
      "1700000000.000001 IP 10.0.0.2.51234 > 10.0.0.1.8081: Flags [S], seq 1000, win 64240, length 0",
      "1700000000.999999 IP 10.0.0.1.40000 > 10.0.0.2.40001: UDP, length 3",
      "1700000001.000000 IP6 2001:db8::2.40000 > 2001:db8::1.40001: UDP, length 300",
    ]);
  });

  it("is read by tshark: interface names, lengths, and the verdict as the packet's comment", () => {
    const fields = ["interface_name", "len", "cap_len", "packet_flags_direction", "comment"];
    const args = ["-T", "fields", "-E", "separator=;", ...fields.flatMap((field) => ["-e", `frame.${field}`]), "-r"];
    const lines = read("tshark", args, encode(PACKETS));
    const why = "endpoint=web policy=default/deny-all rule=ingress[2] reason=policy";
    expect(lines).toEqual([
      `eth0;40;40;0x00000001;drop input eth0 ${why}`,
      `wlan0;31;31;0x00000002;accept output wlan0 ${why}`,
      `eth0;348;61;0x00000000;drop forward eth0>wlan0 ${why}`,
    ]);
  });

  it("names the program that wrote it", () => {
    expect(read("capinfos", [], encode(PACKETS)).join("\n")).toMatch(/Capture application:\s+rampart test/);
  });

  it("is readable after any packet, also before the first", () => {
    const encoder = new PcapngEncoder();
    let file = Buffer.from(encoder.header("rampart test"));
    for (const [i, packet] of PACKETS.entries()) {
      file = Buffer.concat([file, encoder.packet(packet)]);
      expect(read("tcpdump", ["-n", "-r"], file)).toHaveLength(i + 1);
    }
    expect(read("tshark", ["-r"], new PcapngEncoder().header("empty"))).toEqual([""]);
  });

  it("takes a packet of any length, also none", () => {
    const cut = { originalLength: 1_500 };
    const packets = [0, 1, 2, 3, 4, 5].map((length) => tapPacket(Buffer.alloc(length, 0x45), cut));
    const lines = read("tshark", ["-T", "fields", "-e", "frame.cap_len", "-r"], encode(packets));
    expect(lines).toEqual(["0", "1", "2", "3", "4", "5"]);
  });
});
