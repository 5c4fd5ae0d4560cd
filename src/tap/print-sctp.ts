/** SCTP (RFC 9260): the chunks by name, with what identifies them. */
import type { ByteView } from "./byte-view.ts";
import { type IpEnvelope, type PacketText, writePorts } from "./packet-text.ts";

const HEADER = 12;
const CHUNK_HEADER = 4;
const Chunk = { DATA: 0, INIT: 1, INIT_ACK: 2, SACK: 3 } as const;
const CHUNK_NAMES: readonly string[] = [
  "DATA",
  "INIT",
  "INIT ACK",
  "SACK",
  "HB REQ",
  "HB ACK",
  "ABORT",
  "SHUTDOWN",
  "SHUTDOWN ACK",
  "OP ERR",
  "COOKIE ECHO",
  "COOKIE ACK",
];

export function printSctp(out: PacketText, view: ByteView, ip: IpEnvelope): void {
  out.protocol = "sctp";
  writePorts(out, view, ip, "sctp");
  out.write("sctp");
  let count = 0;
  for (let at = HEADER; at + CHUNK_HEADER <= ip.length; ) {
    const type = view.u8(at);
    const length = view.u16(at + 2);
    if (length < CHUNK_HEADER || at + length > ip.length) {
      out.write(` [bad chunk length ${length}]`);
      return;
    }
    count++;
    out.write(` (${count}) [${CHUNK_NAMES[type] ?? `Unknown chunk type: 0x${type.toString(16)}`}]`);
    printFields(out, view, at, type, view.u8(at + 1));
    at += (length + 3) & ~3;
  }
}

function printFields(out: PacketText, view: ByteView, at: number, type: number, flags: number): void {
  const body = at + CHUNK_HEADER;
  if (type === Chunk.DATA) {
    const marks = [(flags & 4) !== 0 ? "(U)" : "", (flags & 2) !== 0 ? "(B)" : "", (flags & 1) !== 0 ? "(E)" : ""];
    out.write(` ${marks.join("")}`);
    out.write(` [TSN: ${view.u32(body)}] [SID: ${view.u16(body + 4)}] [SSEQ ${view.u16(body + 6)}]`);
    out.write(` [PPID 0x${view.u32(body + 8).toString(16)}]`);
  } else if (type === Chunk.INIT || type === Chunk.INIT_ACK) {
    out.write(` [init tag: ${view.u32(body)}] [rwnd: ${view.u32(body + 4)}] [OS: ${view.u16(body + 8)}]`);
    out.write(` [MIS: ${view.u16(body + 10)}] [init TSN: ${view.u32(body + 12)}]`);
  } else if (type === Chunk.SACK) {
    out.write(` [cum ack ${view.u32(body)}] [a_rwnd ${view.u32(body + 4)}] [#gap acks ${view.u16(body + 8)}]`);
    out.write(` [#dup tsns ${view.u16(body + 10)}]`);
  }
}
