/**
 * Writes pcapng (draft-ietf-opsawg-pcapng): one section, raw IP packets
 * (LINKTYPE_RAW), an interface block the first time an interface is seen, and
 * the verdict as each packet's comment, which Wireshark shows and can filter.
 * Little-endian, as the section header's byte-order magic tells; the output may
 * be cut after any call and stays readable.
 */
import type { TapPacket } from "./tap-packet.ts";
import { verdictText } from "./verdict-text.ts";

/**
 * Raw IP. For later interfaces libpcap (1.10) compares the number as it stands in the file with the first one's
 * number after translation, and refuses 101 beside 101; 12, what 101 is translated to, is raw IP for it and Wireshark.
 */
const LINKTYPE_RAW = 101;
const LINKTYPE_RAW_TRANSLATED = 12;
const Block = { SECTION: 0x0a0d0d0a, INTERFACE: 1, ENHANCED_PACKET: 6 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** One for all interfaces: libpcap reads no file whose interfaces differ in it. */
const SNAPLEN = 262_144;

const Option = { END: 0, COMMENT: 1, USER_APPLICATION: 4, IF_NAME: 2, IF_TIME_RESOLUTION: 9, PACKET_FLAGS: 2 } as const;
const MICROSECONDS = 6;
const INBOUND = 1;
const OUTBOUND = 2;

export class PcapngEncoder {
  readonly #interfaces = new Map<string, number>();

  /** The section header: the file's first bytes. */
  header(application: string): Uint8Array {
    const fixed = Buffer.alloc(16);
    fixed.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
    fixed.writeUInt16LE(1, 4);
    fixed.writeUInt16LE(0, 6);
    // Section length -1: not known.
    fixed.writeBigInt64LE(-1n, 8);
    return block(Block.SECTION, [fixed, option(Option.USER_APPLICATION, Buffer.from(application)), END_OF_OPTIONS]);
  }

  /** The packet's block, with its interface's block before it if the interface is new. */
  packet(packet: TapPacket): Uint8Array {
    const name = packet.inInterface ?? packet.outInterface ?? "unknown";
    const known = this.#interfaces.get(name);
    const id = known ?? this.#interfaces.size;
    this.#interfaces.set(name, id);
    const encoded = packetBlock(packet, id);
    return known === undefined ? Buffer.concat([interfaceBlock(name, id), encoded]) : encoded;
  }
}

const END_OF_OPTIONS = option(Option.END, Buffer.alloc(0));

function interfaceBlock(name: string, id: number): Buffer {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16LE(id === 0 ? LINKTYPE_RAW : LINKTYPE_RAW_TRANSLATED, 0);
  fixed.writeUInt32LE(SNAPLEN, 4);
  const resolution = option(Option.IF_TIME_RESOLUTION, Buffer.from([MICROSECONDS]));
  return block(Block.INTERFACE, [fixed, option(Option.IF_NAME, Buffer.from(name)), resolution, END_OF_OPTIONS]);
}

function packetBlock(packet: TapPacket, interfaceId: number): Buffer {
  const fixed = Buffer.alloc(20);
  fixed.writeUInt32LE(interfaceId, 0);
  const time = BigInt(Math.floor(packet.timestampMicros));
  fixed.writeUInt32LE(Number(time >> 32n), 4);
  fixed.writeUInt32LE(Number(time & 0xffffffffn), 8);
  fixed.writeUInt32LE(packet.bytes.length, 12);
  fixed.writeUInt32LE(packet.originalLength, 16);
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(directionFlag(packet.hook), 0);
  return block(Block.ENHANCED_PACKET, [
    fixed,
    packet.bytes,
    padding(packet.bytes.length),
    option(Option.COMMENT, Buffer.from(verdictText(packet))),
    option(Option.PACKET_FLAGS, flags),
    END_OF_OPTIONS,
  ]);
}

/** A forwarded packet is both, for which the format has no word: 0, unknown. */
function directionFlag(hook: TapPacket["hook"]): number {
  if (hook === "forward") return 0;
  return hook === "input" || hook.endsWith("prerouting") ? INBOUND : OUTBOUND;
}

function option(code: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, value, padding(value.length)]);
}

function block(type: number, parts: readonly Uint8Array[]): Buffer {
  const length = 12 + parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(length, 0);
  return Buffer.concat([head, ...parts, tail], length);
}

/** Everything is aligned to 32 bits. */
function padding(length: number): Buffer {
  return Buffer.alloc(-length & 3);
}
