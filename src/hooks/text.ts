/**
 * From what the tables hold to what they should hold, as text for one
 * `iptables-restore --noflush`. Each table is a transaction of its own, in
 * TABLES' order. It rewrites and deletes chains of ours only, and touches other
 * chains only by adding and deleting jumps into ours: a base chain is never
 * declared, flushed or deleted, so its policy, its other rules and the packets
 * waiting in any queue stay.
 */
import type { Chain, ChainPlan, Jump } from "./chain-plan.ts";
import { NO_CHAINS, tablePart, tablesOf } from "./chain-plan.ts";
import type { Table } from "./hook-point.ts";
import { TABLES } from "./hook-point.ts";
import { canonicalRule } from "./rule.ts";

/**
 * Restore text that turns `installed` into `plan`; both describe all tables of
 * one family. Empty when neither has anything.
 */
export function restoreText(plan: ChainPlan, installed: ChainPlan = NO_CHAINS): string {
  const used = new Set([...tablesOf(plan), ...tablesOf(installed)]);
  return TABLES.filter((table) => used.has(table))
    .map((table) => tableText(table, tablePart(plan, table), tablePart(installed, table)))
    .join("");
}

function tableText(table: Table, plan: ChainPlan, installed: ChainPlan): string {
  const wanted = new Set(plan.chains.map((chain) => chain.name));
  const obsolete = installed.chains.filter((chain) => !wanted.has(chain.name));
  return [
    `*${table}`,
    ...plan.chains.map((chain) => `:${chain.name} - [0:0]`),
    ...plan.chains.flatMap(appendLines),
    ...jumpLines(plan.jumps, installed.jumps),
    ...obsolete.map((chain) => `-F ${chain.name}`),
    ...obsolete.map((chain) => `-X ${chain.name}`),
    "COMMIT",
    "",
  ].join("\n");
}

function appendLines(chain: Chain): string[] {
  return chain.rules.map((rule) => `-A ${chain.name} ${rule}`);
}

/** A chain whose jumps are as wanted is left alone; in another one, all of ours are taken out and put in anew. */
function jumpLines(wanted: readonly Jump[], present: readonly Jump[]): string[] {
  const chains = [...new Set([...wanted, ...present].map((jump) => jump.from))].toSorted();
  return chains.flatMap((from) => {
    const now = present.filter((jump) => jump.from === from);
    const goal = wanted.filter((jump) => jump.from === from).toSorted((a, b) => a.position - b.position);
    if (sameJumps(now, goal)) return [];
    return [
      ...now.map((jump) => `-D ${from} ${jump.rule}`),
      ...goal.map((jump) => `-I ${from} ${jump.position} ${jump.rule}`),
    ];
  });
}

function sameJumps(now: readonly Jump[], goal: readonly Jump[]): boolean {
  return (
    now.length === goal.length
    && now.every(({ position, rule }, i) => {
      const other = goal[i] as Jump;
      return position === other.position && canonicalRule(rule) === canonicalRule(other.rule);
    })
  );
}
