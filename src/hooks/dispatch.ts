/**
 * Which packets of a hook are judged: the rules of its first chain, which hand
 * them to a decision chain with goto, so that whatever returns from there goes
 * on behind our jump. No rules: nothing needs the hook.
 */
import type { Family } from "../address/address.ts";
import { formatCidr } from "../address/address.ts";
import type { HookConfig } from "./hook-config.ts";
import type { HookName } from "./hook-point.ts";
import { checkInterfaceName } from "./interface-name.ts";
import { judgedMatch } from "./match.ts";
import { gotoRule, hex, rule } from "./rule.ts";
import { serviceLoopRules } from "./service-loop.ts";
import { tunnelInRules, tunnelOutRules } from "./tunnels.ts";
import { PASS_CHAIN, POSTPONE_CHAIN } from "./verdict-chains.ts";
import { forwardScope, governedNames, governsAny, LOOPBACK, untracksInbound, workloadPatterns } from "./scope.ts";

/** Decision chain of what a workload sends to this host. */
export const WORKLOAD_CHAIN = "RAMPART-INPUT-WORKLOAD";

/** Decision chain of what the hook's HostEndpoints govern, and of all packets in FORWARD. */
export function decisionChain(hook: HookName): string {
  return `RAMPART-${hook}-DECIDE`;
}

/** Throws RampartError RAMPART_E_INTERFACE_NAME for a name or prefix that iptables cannot match as it is meant. */
export function dispatchRules(config: HookConfig, hook: HookName, family: Family): string[] {
  switch (hook) {
    case "RAW-IN":
      return rawInRules(config, family);
    case "RAW-OUT":
      return rawOutRules(config);
    case "PREDNAT":
      return preDNATRules(config);
    case "POSTROUTING":
      return postroutingRules(config);
    case "INPUT":
      return [...tunnelInRules(config, family), ...inputRules(config)];
    case "FORWARD":
      return [...serviceLoopRules(config, family), ...forwardRules(config)];
    case "OUTPUT":
      return outputRules(config, family);
  }
}

/** SEMANTICS 3.4, R1 and R2. */
function rawInRules(config: HookConfig, family: Family): string[] {
  const governed = named(config, "RAW-IN", config.untracked?.inbound ?? [], "-i");
  return [...(governed.length > 0 ? [notAccepted(config)] : []), ...spoofingRules(config, family), ...governed];
}

function rawOutRules(config: HookConfig): string[] {
  const governed = named(config, "RAW-OUT", config.untracked?.outbound ?? [], "-o");
  return governed.length > 0 ? [notAccepted(config), ...governed] : [];
}

/** R1: a workload sends from addresses that a route leads back to it, and from those it was given besides. */
function spoofingRules(config: HookConfig, family: Family): string[] {
  const allowed = (config.workloads?.allowedSources ?? []).flatMap(({ interfaceName, nets }) => {
    checkInterfaceName(interfaceName);
    return nets
      .filter((net) => net.family === family)
      .map((net) => {
        // A /0 is no condition, and iptables-save does not print it.
        const source = net.prefix === 0 ? "" : `-s ${formatCidr(net)} `;
        return rule("allowed-source", `${source}-i ${interfaceName}`, "RETURN");
      });
  });
  const checked = workloadPatterns(config).map((pattern) => rule("spoofed", `-i ${pattern} -m rpfilter --invert`, "DROP"));
  return [...[...new Set(allowed)].toSorted(), ...checked];
}

function preDNATRules(config: HookConfig): string[] {
  const scope = config.preDNAT;
  if (scope === undefined || !governsAny(config, scope)) return [];
  const first = untracksInbound(config) ? [] : [notAccepted(config)];
  if (!scope.wildcard) return [...first, ...named(config, "PREDNAT", scope.interfaces, "-i")];
  return [...first, ...loopbackReturns(config, "-i"), governedRest("PREDNAT")];
}

/**
 * P1 and P2: only what OUTPUT has postponed, and what comes back from here
 * with a verdict, which has lost the mark of the former.
 */
function postroutingRules(config: HookConfig): string[] {
  const { marks, output } = config;
  if (!config.outputNat || !governsAny(config, output)) return [];
  const decide = decisionChain("POSTROUTING");
  const passed = [
    ...(output.wildcard && config.exemptLoopback ? [gotoRule("loopback", `-o ${LOOPBACK}`, PASS_CHAIN)] : []),
    ...workloadPatterns(config).map((pattern) => gotoRule("workload", `-o ${pattern}`, PASS_CHAIN)),
  ];
  const governed = output.wildcard
    ? [governedRest("POSTROUTING")]
    : [...named(config, "POSTROUTING", output.interfaces, "-o"), gotoRule("ungoverned", "", PASS_CHAIN)];
  return [
    // First, because it is all that most packets meet here.
    rule("not-postponed", `-m mark --mark 0x0/${hex((marks.rawBit | marks.verdictBits) >>> 0)}`, "RETURN"),
    gotoRule("judged", judgedMatch(config), decide),
    ...passed,
    ...governed,
  ];
}

/** I2 to I4. */
function inputRules(config: HookConfig): string[] {
  const { input } = config;
  const workloads = workloadPatterns(config).map((pattern) => gotoRule("workload", `-i ${pattern}`, WORKLOAD_CHAIN));
  if (!input.wildcard) return [...workloads, ...named(config, "INPUT", input.interfaces, "-i")];
  return [...workloads, ...loopbackReturns(config, "-i"), governedRest("INPUT")];
}

/** F1 to F4: a forwarded packet is governed by either of its interfaces. */
function forwardRules(config: HookConfig): string[] {
  const scope = forwardScope(config);
  // Nothing is ever forwarded to or from loopback, so a wildcard needs no exemption.
  if (scope.wildcard) return [governedRest("FORWARD")];
  const decide = decisionChain("FORWARD");
  const sides = (match: string): string[] => ["-i", "-o"].map((side) => gotoRule("governed", `${side} ${match}`, decide));
  return [...workloadPatterns(config), ...governedNames(config, scope.interfaces)].flatMap(sides);
}

/** O2 to O4. DNAT may have changed the way out behind this hook's back, so the outgoing interface is not asked. */
function outputRules(config: HookConfig, family: Family): string[] {
  const { output } = config;
  if (!governsAny(config, output)) return [];
  const exempt = [
    ...(config.outputNat
      ? [gotoRule("postponed", "-m conntrack --ctstate DNAT --ctdir ORIGINAL", POSTPONE_CHAIN)]
      : []),
    ...workloadPatterns(config).map((pattern) => rule("workload", `-o ${pattern}`, "RETURN")),
    ...tunnelOutRules(config, family),
  ];
  if (!output.wildcard) return [...exempt, ...named(config, "OUTPUT", output.interfaces, "-o")];
  return [...exempt, ...loopbackReturns(config, "-o"), governedRest("OUTPUT")];
}

function named(config: HookConfig, hook: HookName, names: readonly string[], side: "-i" | "-o"): string[] {
  return governedNames(config, names).map((name) => gotoRule("governed", `${side} ${name}`, decisionChain(hook)));
}

function governedRest(hook: HookName): string {
  return gotoRule("governed", "", decisionChain(hook));
}

function loopbackReturns(config: HookConfig, side: "-i" | "-o"): string[] {
  return config.exemptLoopback ? [rule("loopback", `${side} ${LOOPBACK}`, "RETURN")] : [];
}

/** For every packet, governed or not: one that comes out of a tunnel brings the mark of the packet around it. */
function notAccepted({ marks }: HookConfig): string {
  return rule("not-accepted", "", `MARK --set-xmark 0x0/${hex(marks.acceptedBit)}`);
}
