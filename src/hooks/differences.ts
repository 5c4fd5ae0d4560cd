/** What is different between the chains a plan asks for and the chains the tables hold, in words. */
import type { Chain, ChainPlan, Jump } from "./chain-plan.ts";
import { inTable, tablePart } from "./chain-plan.ts";
import { TABLES } from "./hook-point.ts";
import { canonicalRule } from "./rule.ts";

/** Empty when the tables hold the plan exactly: same chains, same rules, each jump once and in its place. */
export function planDifferences(plan: ChainPlan, installed: ChainPlan): string[] {
  return TABLES.flatMap((table) => {
    const wanted = tablePart(plan, table);
    const found = tablePart(installed, table);
    return [...chainDifferences(wanted.chains, found.chains), ...jumpDifferences(wanted.jumps, found.jumps)];
  });
}

function chainDifferences(wanted: readonly Chain[], found: readonly Chain[]): string[] {
  const differences: string[] = [];
  const present = new Map(found.map((chain) => [chain.name, chain]));
  for (const { table, name, rules } of wanted) {
    const same = present.get(name);
    present.delete(name);
    if (same === undefined) differences.push(`chain ${inTable(table, name)} is missing`);
    else differences.push(...ruleDifferences(inTable(table, name), rules, same.rules));
  }
  for (const { table, name } of present.values()) {
    differences.push(`chain ${inTable(table, name)} is not needed but is there`);
  }
  return differences;
}

/** The first rule that differs says enough: behind an inserted or lost rule, all others are shifted. */
function ruleDifferences(chain: string, wanted: readonly string[], found: readonly string[]): string[] {
  for (let i = 0; i < Math.max(wanted.length, found.length); i++) {
    const want = wanted[i];
    const have = found[i];
    if (want === undefined) return [`chain ${chain}, rule ${i + 1}: there is a rule too many: ${have}`];
    if (have === undefined) return [`chain ${chain}, rule ${i + 1}: missing: ${want}`];
    if (canonicalRule(want) !== canonicalRule(have)) {
      return [`chain ${chain}, rule ${i + 1}: found ${have}, not ${want}`];
    }
  }
  return [];
}

function jumpDifferences(wanted: readonly Jump[], found: readonly Jump[]): string[] {
  const differences: string[] = [];
  const unexplained = new Set(found);
  for (const jump of wanted) {
    const same = [...unexplained].filter(
      (other) => other.from === jump.from && canonicalRule(other.rule) === canonicalRule(jump.rule),
    );
    for (const other of same) unexplained.delete(other);
    const from = inTable(jump.table, jump.from);
    const [first] = same;
    if (first === undefined) differences.push(`${from} does not jump to ${jump.to}`);
    else if (first.position !== jump.position) {
      differences.push(`${from} jumps to ${jump.to} at position ${first.position}, not ${jump.position}`);
    }
    if (same.length > 1) differences.push(`${from} jumps to ${jump.to} ${same.length} times`);
  }
  for (const jump of unexplained) {
    differences.push(`${inTable(jump.table, jump.from)} has a jump to ${jump.to} that is not ours: ${jump.rule}`);
  }
  return differences;
}
