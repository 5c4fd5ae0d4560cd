/**
 * What Rampart knows about a packet beyond its bytes, always one printable
 * line: the end of a tap line, the comment in a pcapng.
 */
import type { TapPacket } from "./tap-packet.ts";

/** Such as `drop input eth0 endpoint=web policy=default/deny-all rule=ingress[2] reason=policy`. */
export function verdictText(packet: TapPacket): string {
  const words: string[] = [packet.verdict, packet.hook];
  const interfaces = [packet.inInterface, packet.outInterface].filter((name) => name !== undefined);
  if (interfaces.length > 0) words.push(interfaces.join(">"));
  if (packet.direction === "reply") words.push("reply");
  if (packet.endpoint !== undefined) words.push(`endpoint=${packet.endpoint}`);
  if (packet.policy !== undefined) words.push(`policy=${packet.tier ?? "default"}/${packet.policy}`);
  else if (packet.tier !== undefined) words.push(`tier=${packet.tier}`);
  if (packet.rule !== undefined) words.push(`rule=${packet.rule}`);
  words.push(`reason=${packet.reason}`);
  if (packet.pending !== undefined) words.push(`pending=${packet.pending}`);
  return printable(words.join(" "));
}

/** An interface's name may hold any byte but "/" and white space, also a terminal's escape sequences. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "?");
}
