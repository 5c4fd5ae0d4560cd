/**
 * A tap packet as one line: tcpdump's layout, then what Rampart did with it.
 *
 *   12:34:56.789012 IP 10.0.0.2.51234 > 10.0.0.1.80: Flags [S], seq 1, win 64240, length 0
 *     | drop input eth0 endpoint=web policy=default/deny-all rule=ingress[2] reason=policy     (on the same line)
 *
 * Differences from tcpdump, on purpose: sequence numbers are absolute (as
 * with -S); payloads of well-known ports are not decoded; addresses are never
 * looked up, because a firewall must not wait on DNS.
 */
import { ByteView, Truncated } from "./byte-view.ts";
import { PacketText, type PortNames } from "./packet-text.ts";
import { printIp } from "./print-ip.ts";
import type { TapPacket } from "./tap-packet.ts";
import { verdictText } from "./verdict-text.ts";

export interface FormatOptions {
  /** Ports as numbers even where `names` has a name. */
  readonly numeric: boolean;
  readonly names?: PortNames;
}

/** The line, without a newline; times are local, as tcpdump's. Never throws, whatever the bytes. */
export function formatTapPacket(packet: TapPacket, { numeric, names }: FormatOptions): string {
  const out = new PacketText(numeric ? undefined : names);
  try {
    printIp(out, new ByteView(packet.bytes), packet.originalLength);
  } catch (error) {
    if (!(error instanceof Truncated)) throw error;
    out.write(` [|${out.protocol}]`);
  }
  return `${timeOfDay(packet.timestampMicros)} ${out.text} | ${verdictText(packet)}`;
}

function timeOfDay(micros: number): string {
  const date = new Date(Math.floor(micros / 1_000));
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, "0")).join(":");
  return `${time}.${String(Math.floor(micros % 1_000_000)).padStart(6, "0")}`;
}
