/**
 * Turns a view round to the other direction, so that a reply is judged by the
 * tuple its connection began with. Done twice it changes nothing.
 */
import { icmpCounterpart } from "./icmp.ts";
import { icmpv6Counterpart } from "./icmpv6.ts";
import type { PacketView } from "./view.ts";

/** Swaps addresses and ports in place and turns an ICMP query type into its counterpart; the rest stays. */
export function reverse(view: PacketView): void {
  const words = view.words;
  for (let i = 0; i < 4; i++) {
    const word = words[i];
    words[i] = words[i + 4];
    words[i + 4] = word;
  }
  const port = view.sourcePort;
  view.sourcePort = view.destinationPort;
  view.destinationPort = port;
  if (view.hasIcmp === 1) {
    view.icmpType = view.family === 4 ? icmpCounterpart(view.icmpType) : icmpv6Counterpart(view.icmpType);
  }
}
