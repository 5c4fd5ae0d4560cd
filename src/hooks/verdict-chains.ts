/**
 * Chains that carry out a verdict, shared by the hooks of a table. They are
 * entered with goto where they return: then the packet goes on behind our jump,
 * to the machine's own rules. Whatever leaves them has no verdict in its mark;
 * only ADMIT and UNTRACK leave "accepted" in it, for the filter table to read.
 */
import type { Family } from "../address/address.ts";
import type { HookConfig } from "./hook-config.ts";
import type { Table } from "./hook-point.ts";
import { clearPacketMark } from "./match.ts";
import { neighbourRules } from "./neighbour-discovery.ts";
import { hex, rule } from "./rule.ts";
import { governsLoopback, LOOPBACK } from "./scope.ts";

export const NEIGHBOUR_CHAIN = "RAMPART-ND";
export const ALLOW_CHAIN = "RAMPART-ALLOW";
export const RETURN_CHAIN = "RAMPART-RETURN";
export const REJECT_CHAIN = "RAMPART-REJECT";
/** raw, mangle: not for this hook to say; the packet goes on as if we had not seen it. */
export const PASS_CHAIN = "RAMPART-PASS";
/** mangle: allowed by preDNAT policy. */
export const ADMIT_CHAIN = "RAMPART-ADMIT";
/** raw: allowed by untracked policy. */
export const UNTRACK_CHAIN = "RAMPART-UNTRACK";
/** filter: a local packet that DNAT has sent elsewhere is judged in POSTROUTING, where its way out is known. */
export const POSTPONE_CHAIN = "RAMPART-POSTPONE";

/** The same chain for a verdict of the generation that follows. */
export function next(chain: string): string {
  return `${chain}-NEXT`;
}

/** Every chain that hooks of `table` may lead to, by name. */
export function verdictChains(config: HookConfig, table: Table, family: Family): ReadonlyMap<string, readonly string[]> {
  const of = config.generation;
  const following = config.marks.nextGeneration(of);
  const both = (chain: string, rules: (config: HookConfig, generation: number) => string[]): [string, string[]][] => [
    [chain, rules(config, of)],
    [next(chain), rules(config, following)],
  ];
  switch (table) {
    case "raw":
      return new Map([...both(UNTRACK_CHAIN, untrackRules), [PASS_CHAIN, passRules(config)]]);
    case "mangle":
      return new Map([
        ...both(ADMIT_CHAIN, admitRules),
        ...both(RETURN_CHAIN, returnRules),
        [PASS_CHAIN, passRules(config)],
      ]);
    case "filter":
      return new Map([
        [NEIGHBOUR_CHAIN, neighbourRules(rule, "ACCEPT")],
        [POSTPONE_CHAIN, postponeRules(config)],
        ...both(ALLOW_CHAIN, allowRules),
        ...both(RETURN_CHAIN, returnRules),
        [REJECT_CHAIN, rejectRules(config, family)],
      ]);
  }
}

function allowRules(config: HookConfig, generation: number): string[] {
  return [...savedRules(config, generation), clearPacketMark(config), rule("accept", "", "ACCEPT")];
}

/**
 * Not denied, but not accepted either: the connection is ours to let pass from
 * now on, this packet goes on to the machine's own rules. If they drop it, the
 * connection never comes to be and its mark goes with it.
 */
function returnRules(config: HookConfig, generation: number): string[] {
  return [...savedRules(config, generation), clearPacketMark(config), rule("return", "", "RETURN")];
}

/**
 * A connection over a policed loopback is judged on its way out and on its way
 * in: only INPUT may declare it allowed, or the first verdict would spare it
 * INPUT's policy.
 */
function savedRules(config: HookConfig, generation: number): string[] {
  const { marks, offload } = config;
  if (offload === "none") return [];
  const judgedTwice = governsLoopback(config, config.output) && governsLoopback(config, config.input);
  const value = `${hex(marks.connectionMark(generation))}/${hex(marks.masks.connection)}`;
  return [rule("save", judgedTwice ? `! -o ${LOOPBACK}` : "", `CONNMARK --set-xmark ${value}`)];
}

function passRules(config: HookConfig): string[] {
  return [clearPacketMark(config), rule("pass", "", "RETURN")];
}

function admitRules(config: HookConfig, generation: number): string[] {
  return [acceptedRule(config, generation), rule("admit", "", "RETURN")];
}

function untrackRules(config: HookConfig, generation: number): string[] {
  return [rule("untrack", "", "CT --notrack"), acceptedRule(config, generation), rule("admit", "", "RETURN")];
}

function acceptedRule({ marks }: HookConfig, generation: number): string {
  return rule("accepted", "", `MARK --set-xmark ${hex(marks.acceptedMark(generation))}/${hex(marks.masks.packet)}`);
}

function postponeRules({ marks }: HookConfig): string[] {
  return [
    rule("postpone", "", `MARK --set-xmark ${hex(marks.rawBit)}/${hex(marks.masks.packet)}`),
    rule("return", "", "RETURN"),
  ];
}

/**
 * TCP is refused with a reset. Everything else gets port unreachable, not
 * "administratively prohibited": it is what a Calico Reject sends, programs
 * see the plain ECONNREFUSED they already handle, and it does not announce a
 * firewall.
 */
function rejectRules(config: HookConfig, family: Family): string[] {
  const { marks, offload } = config;
  const rejected = `${hex(marks.connectionMark(marks.rejected))}/${hex(marks.masks.connection)}`;
  const unreachable = family === 4 ? "icmp-port-unreachable" : "icmp6-port-unreachable";
  return [
    ...(offload === "none" ? [] : [rule("save", "", `CONNMARK --set-xmark ${rejected}`)]),
    clearPacketMark(config),
    rule("reset", "-p tcp", "REJECT --reject-with tcp-reset"),
    rule("unreachable", "", `REJECT --reject-with ${unreachable}`),
  ];
}
