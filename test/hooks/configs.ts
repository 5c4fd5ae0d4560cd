/** Named hook configurations the tests start from. */
import { parseCidr } from "../../src/address/address.ts";
import type { HookConfig, Scope } from "../../src/hooks/hook-config.ts";
import { MarkLayout } from "../../src/hooks/marks.ts";
import type { FailsafePort } from "../../src/resources/types.ts";

export const NOWHERE: Scope = { wildcard: false, interfaces: [] };
export const EVERYWHERE: Scope = { wildcard: true, interfaces: [] };

export function on(...interfaces: string[]): Scope {
  return { wildcard: false, interfaces };
}

export function failsafe(protocol: FailsafePort["protocol"], port: number, net?: string): FailsafePort {
  if (net === undefined) return { protocol, port, net: undefined };
  const parsed = parseCidr(net);
  if (!parsed.ok) throw new Error(`${net} is no prefix`);
  return { protocol, port, net: parsed.cidr };
}

export function hookConfig(changes: Partial<HookConfig> = {}): HookConfig {
  return {
    input: on("eth0"),
    output: on("eth0"),
    forward: undefined,
    adoptOlder: true,
    exemptLoopback: true,
    failsafeInbound: [failsafe("tcp", 22), failsafe("udp", 68)],
    failsafeOutbound: [failsafe("udp", 53), failsafe("tcp", 179)],
    queue: { first: 100, count: 1, bypass: false },
    marks: new MarkLayout(),
    generation: 1,
    ...changes,
  };
}
