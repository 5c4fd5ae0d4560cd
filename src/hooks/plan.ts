/**
 * From a HookConfig to the chains of one family; pure. For each hook that
 * something needs (hook-point.ts):
 *
 *   base chain --1--> RAMPART-<HOOK>          which packets are judged (dispatch.ts)
 *                       +-> RAMPART-<HOOK>-DECIDE
 *                             neighbour discovery, fast path, failsafe,
 *                             INVALID, verdicts that came back, NFQUEUE
 *                             +-> verdict chains (verdict-chains.ts)
 *
 * With `offload: none` there is no fast path and no INVALID rule
 * (stateless-decision.ts). What must always hold:
 *   - everything up to the queue works with the daemon dead;
 *   - no packet is let through with verdict bits in its mark: a later hook (the
 *     loopback side, a tunnel's outer packet) would take them for its own;
 *   - "accepted" is read only where a hook before can have set it, and taken
 *     out of every packet's mark before the first one that can.
 */
import type { Family } from "../address/address.ts";
import { CANARY_CHAIN, canaryPassRule, canaryRule, canaryRules } from "./canary.ts";
import type { Chain, ChainPlan, Jump } from "./chain-plan.ts";
import { NO_CHAINS } from "./chain-plan.ts";
import { decisionChain, dispatchRules, WORKLOAD_CHAIN } from "./dispatch.ts";
import { askChain, type FilterHook, filterDecision, questionRules, workloadDecision } from "./filter-decision.ts";
import type { HookConfig } from "./hook-config.ts";
import type { HookName } from "./hook-point.ts";
import { HOOK_POINTS, HOOKS, TABLES } from "./hook-point.ts";
import { postroutingDecision, preDNATDecision, untrackedDecision } from "./routing-decision.ts";
import { rule, targetOf } from "./rule.ts";
import {
  DEFRAGMENT_CHAIN,
  defragmentRules,
  judgedChain,
  statelessFilterDecision,
  statelessJudgedRules,
  statelessPostroutingDecision,
  statelessWorkloadDecision,
} from "./stateless-decision.ts";
import { TUNNEL_IN_CHAIN, TUNNEL_OUT_CHAIN, tunnelIn, tunnelOut } from "./tunnels.ts";
import { verdictChains } from "./verdict-chains.ts";

/**
 * The chains `config` needs in `family`'s tables (SEMANTICS 3.4).
 * Throws RampartError RAMPART_E_INTERFACE_NAME for a name iptables cannot match
 * exactly, and RangeError for a generation or a queue number out of range.
 */
export function planHooks(config: HookConfig, family: Family): ChainPlan {
  checkNumbers(config);
  if (family === 6 && !config.ipv6) return NO_CHAINS;
  const chains: Chain[] = [];
  const jumps: Jump[] = [];
  const dispatched = new Map(HOOKS.map((hook) => [hook, dispatchRules(config, hook, family)]));
  for (const [hook, rules] of family === 4 && config.canary === true ? withCanary(config, dispatched) : dispatched) {
    if (rules.length === 0) continue;
    const { table, base } = HOOK_POINTS[hook];
    const to = `RAMPART-${hook}`;
    chains.push({ table, name: to, rules });
    const leading = [...rules];
    for (const [name, decision] of decisionChains(config, hook, family)) {
      if (!leading.some((text) => targetOf(text) === name)) continue;
      chains.push({ table, name, rules: decision });
      leading.push(...decision);
    }
    jumps.push({ table, from: base, position: 1, to, rule: rule("jump", "", to) });
  }
  for (const table of TABLES) {
    const rules = chains.filter((chain) => chain.table === table).flatMap((chain) => chain.rules);
    const targets = new Set(rules.map(targetOf));
    for (const [name, shared] of verdictChains(config, table, family)) {
      if (targets.has(name)) chains.push({ table, name, rules: shared });
    }
  }
  if (config.offload === "none" && jumps.length > 0) {
    chains.push({ table: "filter", name: DEFRAGMENT_CHAIN, rules: defragmentRules() });
  }
  return { chains, jumps };
}

/** Whether canaries find their rules; asked again and again of the configuration in force. */
export function plansCanary(config: HookConfig): boolean {
  if (config.canary !== true) return false;
  let planned = withRules.get(config);
  if (planned === undefined) {
    planned = planHooks(config, 4).jumps.length > 0;
    withRules.set(config, planned);
  }
  return planned;
}

const withRules = new WeakMap<HookConfig, boolean>();

/** Where nothing is hooked, nothing needs a canary. */
function withCanary(config: HookConfig, dispatched: ReadonlyMap<HookName, string[]>): ReadonlyMap<HookName, string[]> {
  if ([...dispatched.values()].every((rules) => rules.length === 0)) return dispatched;
  const rawOut = dispatched.get("RAW-OUT") ?? [];
  return new Map([
    ...dispatched,
    ["RAW-OUT", rawOut.length === 0 ? [] : [canaryPassRule(config), ...rawOut]],
    ["OUTPUT", [canaryRule(config), ...(dispatched.get("OUTPUT") ?? [])]],
  ]);
}

/** Every chain of its own the hook's dispatch may lead to, by name; a chain comes behind those that lead to it. */
function decisionChains(config: HookConfig, hook: HookName, family: Family): [string, string[]][] {
  const name = decisionChain(hook);
  const stateless = config.offload === "none";
  switch (hook) {
    case "RAW-IN":
      return [[name, untrackedDecision(config, "inbound", family)]];
    case "RAW-OUT":
      return [[name, untrackedDecision(config, "outbound", family)]];
    case "PREDNAT":
      return [[name, preDNATDecision(config, family)]];
    case "POSTROUTING":
      return [[name, (stateless ? statelessPostroutingDecision : postroutingDecision)(config, family)]];
    case "INPUT":
      return [
        [TUNNEL_IN_CHAIN, tunnelIn(config, family)],
        [name, (stateless ? statelessFilterDecision : filterDecision)(config, hook, family)],
        [WORKLOAD_CHAIN, (stateless ? statelessWorkloadDecision : workloadDecision)(config, family)],
        askedOrJudged(config, hook),
      ];
    case "FORWARD":
      return [
        [name, (stateless ? statelessFilterDecision : filterDecision)(config, hook, family)],
        askedOrJudged(config, hook),
      ];
    case "OUTPUT":
      return [
        [name, (stateless ? statelessFilterDecision : filterDecision)(config, hook, family)],
        [TUNNEL_OUT_CHAIN, tunnelOut(config, family)],
        [CANARY_CHAIN, canaryRules(config)],
        askedOrJudged(config, hook),
      ];
  }
}

/** What a decision chain of the filter table hands packets on to. */
function askedOrJudged(config: HookConfig, hook: FilterHook): [string, string[]] {
  return config.offload === "none"
    ? [judgedChain(hook), statelessJudgedRules(config)]
    : [askChain(hook), questionRules(config, hook)];
}

function checkNumbers({ queue, marks, generation }: HookConfig): void {
  const last = queue.first + queue.count - (queue.secondLane === undefined ? 1 : 0);
  if (!Number.isInteger(queue.first) || !Number.isInteger(queue.count) || queue.first < 0 || queue.count < 1) {
    throw new RangeError("queue numbers must be whole numbers, at least one of them");
  }
  if (last > 65535) throw new RangeError(`queue number ${last} is above 65535`);
  if (!Number.isInteger(generation) || generation < 1 || generation > marks.maxGeneration) {
    throw new RangeError(`generation ${generation} is not within 1 to ${marks.maxGeneration}`);
  }
}
