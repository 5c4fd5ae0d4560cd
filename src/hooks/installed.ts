/**
 * What iptables-save (with or without -c) says about us in our tables. Rules
 * keep the text they were printed in, so that they can be put back.
 */
import type { Chain, ChainPlan, Jump } from "./chain-plan.ts";
import { CHAIN_PREFIX } from "./chain-plan.ts";
import type { HookName } from "./hook-point.ts";
import { HOOKS, isTable, TABLES } from "./hook-point.ts";
import type { MarkLayout } from "./marks.ts";
import { ruleName, targetOf } from "./rule.ts";

/** What a named rule has counted; `hook` is "any" in a chain that hooks share. */
export interface RuleCounter {
  readonly hook: HookName | "any";
  /** The rule's name: fast-path, failsafe, failsafe-reply, invalid, neighbour-discovery, allowed, queued, … */
  readonly name: string;
  readonly packets: number;
  readonly bytes: number;
}

/** One `-A` line of iptables-save. */
interface SavedRule {
  readonly table: string;
  readonly chain: string;
  /** Position in its chain, from 1. */
  readonly position: number;
  readonly text: string;
  /** Zero when saved without -c. */
  readonly packets: number;
  readonly bytes: number;
}

interface SavedTables {
  /** Chain names with their table, as declared. */
  readonly chains: readonly { readonly table: string; readonly name: string }[];
  readonly rules: readonly SavedRule[];
}

export function parseSaveText(text: string): SavedTables {
  const chains: { table: string; name: string }[] = [];
  const rules: SavedRule[] = [];
  const positions = new Map<string, number>();
  let table = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("*")) {
      table = line.slice(1).trim();
      positions.clear();
    } else if (line.startsWith(":")) {
      chains.push({ table, name: line.slice(1).split(" ", 1)[0] as string });
    } else {
      const match = /^(?:\[(\d+):(\d+)\] )?-A (\S+) ?(.*)$/.exec(line);
      if (match === null) continue;
      const chain = match[3] as string;
      const position = (positions.get(chain) ?? 0) + 1;
      positions.set(chain, position);
      const packets = Number(match[1] ?? 0);
      const bytes = Number(match[2] ?? 0);
      rules.push({ table, chain, position, text: match[4] as string, packets, bytes });
    }
  }
  return { chains, rules };
}

/** Our chains and every jump into them, table by table in TABLES' order. */
export function installedChains(saveText: string): ChainPlan {
  const saved = parseSaveText(saveText);
  const chains: Chain[] = [];
  const jumps: Jump[] = [];
  for (const table of TABLES) {
    const rules = saved.rules.filter((rule) => rule.table === table);
    const own = saved.chains.filter((chain) => chain.table === table && chain.name.startsWith(CHAIN_PREFIX));
    for (const { name } of own) {
      chains.push({ table, name, rules: rules.filter((rule) => rule.chain === name).map((rule) => rule.text) });
    }
    for (const { chain, position, text } of rules) {
      const to = targetOf(text);
      if (to?.startsWith(CHAIN_PREFIX) && !chain.startsWith(CHAIN_PREFIX)) {
        jumps.push({ table, from: chain, position, to, rule: text });
      }
    }
  }
  return { chains, jumps };
}

/**
 * The generation the fast path accepts, the newest when tables differ: the
 * first of them was changed first. Undefined when there is none or it was
 * written with another mask.
 */
export function generationInForce(plan: ChainPlan, marks: MarkLayout): number | undefined {
  for (const { rules } of plan.chains) {
    for (const text of rules) {
      if (ruleName(text) !== "fast-path") continue;
      const mark = /-m connmark --mark (\w+)(?:\/(\w+))?/.exec(text);
      if (mark === null || Number(mark[2] ?? 0xffffffff) !== marks.masks.connection) return undefined;
      const generation = (Number(mark[1]) & marks.masks.connection) >>> marks.connectionShift;
      return generation >= 1 && generation <= marks.maxGeneration ? generation : undefined;
    }
  }
  return undefined;
}

/** Counters of our named rules, rules of one name and hook added up. Needs iptables-save -c. */
export function ruleCounters(saveText: string): RuleCounter[] {
  const sums = new Map<string, RuleCounter>();
  for (const { table, chain, text, packets, bytes } of parseSaveText(saveText).rules) {
    const name = ruleName(text);
    if (!isTable(table) || name === undefined || !chain.startsWith(CHAIN_PREFIX)) continue;
    const own = chain.slice(CHAIN_PREFIX.length);
    const hook = HOOKS.find((each) => own === each || own.startsWith(`${each}-`)) ?? "any";
    const key = `${hook} ${name}`;
    const before = sums.get(key);
    sums.set(key, { hook, name, packets: (before?.packets ?? 0) + packets, bytes: (before?.bytes ?? 0) + bytes });
  }
  return [...sums.values()];
}
