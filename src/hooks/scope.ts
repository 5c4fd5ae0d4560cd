/** Which interfaces a hook governs, as iptables matches them (SEMANTICS 3.3, 3.4). */
import type { HookConfig, Scope } from "./hook-config.ts";
import { checkInterfaceName, prefixPattern } from "./interface-name.ts";

export const LOOPBACK = "lo";

const NOWHERE: Scope = { wildcard: false, interfaces: [] };

/** Checked names, sorted, once each, without the exempt loopback. */
export function governedNames(config: HookConfig, names: readonly string[]): string[] {
  const governed = [...new Set(names)].filter((name) => name !== LOOPBACK || !config.exemptLoopback).toSorted();
  governed.forEach(checkInterfaceName);
  return governed;
}

export function governsAny(config: HookConfig, scope: Scope): boolean {
  return scope.wildcard || governedNames(config, scope.interfaces).length > 0;
}

export function governsLoopback(config: HookConfig, scope: Scope): boolean {
  return !config.exemptLoopback && (scope.wildcard || scope.interfaces.includes(LOOPBACK));
}

/** Patterns of workload interfaces, sorted, once each. */
export function workloadPatterns({ workloads }: HookConfig): string[] {
  return [...new Set(workloads?.prefixes)].toSorted().map(prefixPattern);
}

/**
 * FORWARD's HostEndpoint interfaces. Those of preDNAT are among them: there, only a connection that filter has
 * declared allowed is spared the queue, and forwarded ones would be asked about packet by packet.
 */
export function forwardScope({ forward = NOWHERE, preDNAT = NOWHERE }: HookConfig): Scope {
  return {
    wildcard: forward.wildcard || preDNAT.wildcard,
    interfaces: [...forward.interfaces, ...preDNAT.interfaces],
  };
}

/** Whether a packet can come to INPUT or FORWARD accepted by a preDNAT or untracked policy. */
export function acceptsBeforeRouting(config: HookConfig): boolean {
  return untracksInbound(config) || governsAny(config, config.preDNAT ?? NOWHERE);
}

export function untracksInbound(config: HookConfig): boolean {
  return governedNames(config, config.untracked?.inbound ?? []).length > 0;
}

export function untracksOutbound(config: HookConfig): boolean {
  return governedNames(config, config.untracked?.outbound ?? []).length > 0;
}
