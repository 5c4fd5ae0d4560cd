/** TCP (RFC 9293) as tcpdump -S prints it: absolute sequence numbers, because the tap keeps no connections. */
import type { ByteView } from "./byte-view.ts";
import { type IpEnvelope, type PacketText, writePorts } from "./packet-text.ts";

const HEADER = 20;
const SEQUENCE = 4;
const ACKNOWLEDGEMENT = 8;
const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;
const URGENT = 18;

const FLAG_LETTERS = "FSRP.UEW";
const FIN_SYN_RST = 0x07;
const RST = 0x04;
const ACK = 0x10;
const URG = 0x20;

const Option = { END: 0, NOP: 1, MSS: 2, WINDOW_SCALE: 3, SACK_PERMITTED: 4, SACK: 5, TIMESTAMPS: 8 } as const;

export function printTcp(out: PacketText, view: ByteView, ip: IpEnvelope): void {
  out.protocol = "tcp";
  writePorts(out, view, ip, "tcp");
  const headerLength = (view.u8(DATA_OFFSET) >>> 4) * 4;
  if (headerLength < HEADER) {
    out.write(`tcp ${ip.length - headerLength} [bad hdr length ${headerLength} - too short, < ${HEADER}]`);
    return;
  }
  const flags = view.u8(FLAGS);
  out.write(`Flags [${flagText(flags)}]`);
  if (headerLength > ip.length) {
    out.write(` [bad hdr length ${headerLength} - too long, > ${ip.length}]`);
    return;
  }
  const data = ip.length - headerLength;
  const sequence = view.u32(SEQUENCE);
  if (data > 0 || (flags & FIN_SYN_RST) !== 0) {
    out.write(`, seq ${sequence}`);
    if (data > 0) out.write(`:${(sequence + data) >>> 0}`);
  }
  if ((flags & ACK) !== 0) out.write(`, ack ${view.u32(ACKNOWLEDGEMENT)}`);
  out.write(`, win ${view.u16(WINDOW)}`);
  if ((flags & URG) !== 0) out.write(`, urg ${view.u16(URGENT)}`);
  if (headerLength > HEADER) printOptions(out, view, headerLength);
  out.write(`, length ${data}`);
  if (data > 0 && (flags & RST) !== 0) out.write(" [RST+data]");
}

function flagText(flags: number): string {
  const set = [...FLAG_LETTERS].filter((_, bit) => (flags & (1 << bit)) !== 0);
  return set.length === 0 ? "none" : set.join("");
}

function printOptions(out: PacketText, view: ByteView, end: number): void {
  out.write(", options [");
  for (let at = HEADER; at < end; ) {
    if (at > HEADER) out.write(",");
    const kind = view.u8(at);
    if (kind === Option.END) {
      out.write("eol");
      break;
    }
    if (kind === Option.NOP) {
      out.write("nop");
      at++;
      continue;
    }
    const length = at + 1 < end ? view.u8(at + 1) : 0;
    if (length < 2 || at + length > end) {
      out.write("[bad opt]");
      break;
    }
    out.write(optionText(view, at, kind, length));
    at += length;
  }
  out.write("]");
}

function optionText(view: ByteView, at: number, kind: number, length: number): string {
  const value = at + 2;
  if (kind === Option.MSS && length === 4) return `mss ${view.u16(value)}`;
  if (kind === Option.WINDOW_SCALE && length === 3) return `wscale ${view.u8(value)}`;
  if (kind === Option.SACK_PERMITTED && length === 2) return "sackOK";
  if (kind === Option.TIMESTAMPS && length === 10) return `TS val ${view.u32(value)} ecr ${view.u32(value + 4)}`;
  if (kind === Option.SACK && length > 2 && (length - 2) % 8 === 0) {
    const blocks = Array.from({ length: (length - 2) / 8 }, (_, i) => {
      const block = value + i * 8;
      return `{${view.u32(block)}:${view.u32(block + 4)}}`;
    });
    return `sack ${blocks.length} ${blocks.join("")}`;
  }
  const hex = length === 2 ? "" : ` 0x${view.integer(value, length - 2).toString(16).padStart((length - 2) * 2, "0")}`;
  return `unknown-${kind}${hex}`;
}
