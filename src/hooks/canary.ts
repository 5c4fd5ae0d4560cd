/**
 * A canary is a packet that the daemon sends itself over loopback, through one
 * queue that its address names, to find out whether somebody reads it. Its
 * rules are the first of OUTPUT, so that no policy and no exemption of loopback
 * comes before them. What must always hold: a packet with the canary's mark
 * never gets out of the canary's chain, so sending one has no effect on
 * anybody; and only a program with CAP_NET_ADMIN or CAP_NET_RAW can mark one.
 */
import type { HookConfig } from "./hook-config.ts";
import type { MarkLayout } from "./marks.ts";
import { gotoRule, hex, rule } from "./rule.ts";
import { LOOPBACK } from "./scope.ts";

export const CANARY_CHAIN = "RAMPART-OUTPUT-CANARY";
/** Discard (RFC 863). */
export const CANARY_PORT = 9;

/** First of 127.82.0.0/16 (RFC 1122: all of 127/8 is this host): the queue's number is the rest of the address. */
const ADDRESSES = 0x7f520000;

/** Every queue that packets are handed to. */
export function queueNumbers({ first, count, aroundRouting, secondLane }: HookConfig["queue"]): number[] {
  const numbers = Array.from({ length: secondLane === undefined ? count : count + 1 }, (_, i) => first + i);
  return aroundRouting === undefined ? numbers : [...numbers, aroundRouting];
}

/** IPv4 destination of the queue's canary, host byte order. */
export function canaryAddress(queue: number): number {
  return (ADDRESSES | queue) >>> 0;
}

/** Leads canaries to their chain. */
export function canaryRule({ marks }: HookConfig): string {
  return gotoRule("canary", `-o ${LOOPBACK} ${canaryMatch(marks)}`, CANARY_CHAIN);
}

/** For the raw table: a canary is nothing that untracked policy judges. */
export function canaryPassRule({ marks }: HookConfig): string {
  return rule("canary", `-o ${LOOPBACK} ${canaryMatch(marks)}`, "RETURN");
}

/** No bypass: without a reader a canary is dropped, too. */
export function canaryRules({ queue }: HookConfig): string[] {
  return [
    ...queueNumbers(queue).map((number) =>
      rule("canary-queued", `-d 127.82.${number >>> 8}.${number & 255}/32`, `NFQUEUE --queue-num ${number}`),
    ),
    rule("canary-lost", "", "DROP"),
  ];
}

function canaryMatch(marks: MarkLayout): string {
  return `-m mark --mark ${hex(marks.canaryMark)}/${hex(marks.masks.packet)}`;
}
