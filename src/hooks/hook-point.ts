/**
 * Where the kernel can ask us: each hook's table and base chain, in the order
 * a packet meets them. Every hook's own chains are named after the hook.
 */

/**
 * Our tables, in the order a transaction changes them: a verdict's acceptance
 * and a postponed packet are read in the later table only when the earlier one
 * deals with them already. So nothing passes unjudged between two commits, and
 * nothing that was allowed before and after is dropped.
 */
export const TABLES = ["raw", "mangle", "filter"] as const;
export type Table = (typeof TABLES)[number];

/**
 * RAW-IN, RAW-OUT: untracked policy, and RAW-IN the reverse-path check of workload interfaces. PREDNAT: preDNAT
 * policy. POSTROUTING: local packets that DNAT has sent elsewhere than OUTPUT saw.
 */
export const HOOKS = ["RAW-IN", "RAW-OUT", "PREDNAT", "POSTROUTING", "INPUT", "FORWARD", "OUTPUT"] as const;
export type HookName = (typeof HOOKS)[number];

export interface HookPoint {
  readonly table: Table;
  /** The kernel's chain, as iptables names it. */
  readonly base: string;
}

export const HOOK_POINTS: Readonly<Record<HookName, HookPoint>> = {
  "RAW-IN": { table: "raw", base: "PREROUTING" },
  "RAW-OUT": { table: "raw", base: "OUTPUT" },
  PREDNAT: { table: "mangle", base: "PREROUTING" },
  POSTROUTING: { table: "mangle", base: "POSTROUTING" },
  INPUT: { table: "filter", base: "INPUT" },
  FORWARD: { table: "filter", base: "FORWARD" },
  OUTPUT: { table: "filter", base: "OUTPUT" },
};

/** Whether a table of this name is one of ours. */
export function isTable(name: string): name is Table {
  return (TABLES as readonly string[]).includes(name);
}
