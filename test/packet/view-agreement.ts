/** Whether two views say the same, and whether a view says what the slow parser read. */
import { Fragment, PacketView } from "../../src/packet/view.ts";
import type { SlowPacket } from "./slow-parser.ts";

const FIELDS = Object.keys(new PacketView()).filter((name) => name !== "words") as Exclude<
  keyof PacketView,
  "words" | "clear"
>[];

export function sameView(a: PacketView, b: PacketView): boolean {
  for (let i = 0; i < 8; i++) if (a.words[i] !== b.words[i]) return false;
  for (const field of FIELDS) if (a[field] !== b[field]) return false;
  return true;
}

function address(view: PacketView, first: number): bigint {
  let value = 0n;
  for (let i = first; i < first + 4; i++) value = (value << 32n) | BigInt(view.words[i]);
  return value;
}

/** Why the view does not say what the slow parser read; undefined if it does. */
export function disagreement(view: PacketView, slow: SlowPacket): string | undefined {
  if (view.family !== slow.family || view.protocol !== slow.protocol) return "family or protocol";
  if (address(view, 0) !== slow.source || address(view, 4) !== slow.destination) return "addresses";
  if (view.hasPorts !== (slow.ports === undefined ? 0 : 1)) return "hasPorts";
  if (view.sourcePort !== (slow.ports?.[0] ?? 0) || view.destinationPort !== (slow.ports?.[1] ?? 0)) return "ports";
  if (view.hasIcmp !== (slow.icmp === undefined ? 0 : 1)) return "hasIcmp";
  if (view.icmpType !== (slow.icmp?.type ?? 0) || view.icmpCode !== (slow.icmp?.code ?? 0)) return "ICMP type or code";
  if (view.icmpId !== (slow.icmp?.id ?? 0)) return "ICMP identifier";
  if (view.icmpError !== (slow.icmpError ? 1 : 0)) return "icmpError";
  if (view.fragment !== (slow.firstFragment ? Fragment.FIRST : Fragment.NONE)) return "fragment";
  if (view.tcpFlags !== slow.tcpFlags) return "TCP flags";
  if (view.l4Offset !== slow.headerBytes || view.packetLength !== slow.length) return "lengths";
  if (view.packetLength - view.payloadOffset !== slow.payload.length) return "payload";
  return undefined;
}
