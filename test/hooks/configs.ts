/** Named hook configurations the tests start from, and the chains planned for them. */
import type { Cidr } from "../../src/address/address.ts";
import { parseCidr } from "../../src/address/address.ts";
import type { AllowedSources, HookConfig, Scope, WorkloadInterfaces } from "../../src/hooks/hook-config.ts";
import type { Table } from "../../src/hooks/hook-point.ts";
import { MarkLayout } from "../../src/hooks/marks.ts";
import { planHooks } from "../../src/hooks/plan.ts";
import type { FailsafePort } from "../../src/resources/types.ts";

export const NOWHERE: Scope = { wildcard: false, interfaces: [] };
export const EVERYWHERE: Scope = { wildcard: true, interfaces: [] };

export function on(...interfaces: string[]): Scope {
  return { wildcard: false, interfaces };
}

export function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(`${text} is no prefix`);
  return parsed.cidr;
}

export function failsafe(protocol: FailsafePort["protocol"], port: number, net?: string): FailsafePort {
  return { protocol, port, net: net === undefined ? undefined : cidr(net) };
}

export function workloads(...prefixes: string[]): WorkloadInterfaces {
  return { prefixes, allowedSources: [] };
}

export function allowedSource(interfaceName: string, ...nets: string[]): AllowedSources {
  return { interfaceName, nets: nets.map(cidr) };
}

export function hookConfig(changes: Partial<HookConfig> = {}): HookConfig {
  return {
    input: on("eth0"),
    output: on("eth0"),
    forward: undefined,
    workloads: undefined,
    preDNAT: undefined,
    untracked: undefined,
    adoptOlder: true,
    offload: "connmark",
    outputNat: true,
    keepEstablished: false,
    dropInvalid: true,
    tunnels: undefined,
    serviceLoop: undefined,
    ipv6: true,
    exemptLoopback: true,
    failsafeInbound: [failsafe("tcp", 22), failsafe("udp", 68)],
    failsafeOutbound: [failsafe("udp", 53), failsafe("tcp", 179)],
    queue: { first: 100, count: 1, bypass: false },
    marks: new MarkLayout(),
    generation: 1,
    ...changes,
  };
}

/** A rule without the comment every rule has. */
export function bare(rule: string): string {
  return rule.replace(/-m comment --comment "rampart:[a-z0-9-]+" /, "");
}

/** A planned chain's rules, bare. */
export function chain(config: HookConfig, family: 4 | 6, name: string, table: Table = "filter"): string[] {
  const found = planHooks(config, family).chains.find((each) => each.name === name && each.table === table);
  if (found === undefined) throw new Error(`no chain ${name} in ${table}`);
  return found.rules.map(bare);
}
