/** What is different between the chains a plan asks for and the chains a table holds, in words. */
import type { ChainPlan, Jump } from "./chain-plan.ts";
import { canonicalRule } from "./rule.ts";

/** Empty when the table holds the plan exactly: same chains, same rules, each jump once and in its place. */
export function planDifferences(plan: ChainPlan, installed: ChainPlan): string[] {
  const differences: string[] = [];
  const present = new Map(installed.chains.map((chain) => [chain.name, chain.rules]));
  for (const { name, rules } of plan.chains) {
    const found = present.get(name);
    present.delete(name);
    if (found === undefined) differences.push(`chain ${name} is missing`);
    else differences.push(...ruleDifferences(name, rules, found));
  }
  for (const name of present.keys()) differences.push(`chain ${name} is not needed but is there`);
  return [...differences, ...jumpDifferences(plan.jumps, installed.jumps)];
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
    const [first] = same;
    if (first === undefined) differences.push(`${jump.from} does not jump to ${jump.to}`);
    else if (first.position !== jump.position) {
      differences.push(`${jump.from} jumps to ${jump.to} at position ${first.position}, not ${jump.position}`);
    }
    if (same.length > 1) differences.push(`${jump.from} jumps to ${jump.to} ${same.length} times`);
  }
  for (const jump of unexplained) {
    differences.push(`${jump.from} has a jump to ${jump.to} that is not ours: ${jump.rule}`);
  }
  return differences;
}
