import { expect, test } from "vitest";
import { loadPacketFilterCompiler } from "../../src/native/load.ts";

/** An IPv4 UDP header pair from 10.0.0.1 to 10.0.0.2. */
function udp(sourcePort: number, destinationPort: number): Uint8Array {
  const bytes = Buffer.from("4500001c000000004011000000000000000000000000000000080000", "hex");
  bytes.set([10, 0, 0, 1], 12);
  bytes.set([10, 0, 0, 2], 16);
  bytes.writeUInt16BE(sourcePort, 20);
  bytes.writeUInt16BE(destinationPort, 22);
  return bytes;
}

const { compile } = loadPacketFilterCompiler();

function matches(expression: string, bytes: Uint8Array, originalLength = bytes.length): boolean {
  return compile(expression).matches(bytes, 0, bytes.length, originalLength);
}

test("an expression matches raw IPv4 packets by address, port and protocol", () => {
  expect(matches("udp dst port 53 and src host 10.0.0.1", udp(4000, 53))).toBe(true);
  expect(matches("udp dst port 53", udp(53, 4000))).toBe(false);
  expect(matches("tcp", udp(4000, 53))).toBe(false);
  expect(matches("", udp(4000, 53))).toBe(true);
});

test("an expression matches raw IPv6 packets", () => {
  const bytes = Buffer.alloc(48);
  bytes.set([0x60, 0, 0, 0, 0, 8, 17, 64]);
  bytes[23] = 1;
  bytes[39] = 2;
  bytes.writeUInt16BE(53, 42);
  expect(matches("ip6 and udp port 53 and dst host ::2", bytes)).toBe(true);
  expect(matches("ip", bytes)).toBe(false);
});

test("length in an expression is the whole packet's, bytes beyond the copied ones match nothing", () => {
  expect(matches("greater 1000", udp(1, 2), 1400)).toBe(true);
  expect(matches("greater 1000", udp(1, 2))).toBe(false);
  expect(matches("udp port 53", udp(1, 53).subarray(0, 20), 28)).toBe(false);
  expect(matches("udp", new Uint8Array(0))).toBe(false);
});

test("a packet is matched where it stands in a larger buffer, and never beyond its end", () => {
  const slab = new Uint8Array(100);
  slab.set(udp(1, 53), 40);
  const filter = compile("udp port 53");
  expect(filter.matches(slab, 40, 28, 28)).toBe(true);
  expect(filter.matches(slab, 0, 28, 28)).toBe(false);
  expect(filter.matches(slab, 90, 28, 28)).toBe(false);
});

test.each(["udp porrt 53", "host", "ether host 1:2:3:4:5:6", "x".repeat(9000)])(
  "a wrong expression is RAMPART_E_TAP_FILTER with libpcap's reason",
  (expression) => {
    expect(() => compile(expression)).toThrow(
      expect.objectContaining({
        code: "RAMPART_E_TAP_FILTER",
        message: expect.stringContaining("is not valid: ") as string,
        hint: expect.stringContaining("pcap-filter") as string,
      }),
    );
  },
);
