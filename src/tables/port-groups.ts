/**
 * What port names and services stand for: for each protocol and port, the
 * addresses that have it (SEMANTICS 1.4).
 */
import type { Address } from "../address/address.ts";
import type { LabelIndex } from "../policy/label-index.ts";
import type { Endpoint, ServiceBackend } from "../resources/types.ts";
import type { Selector } from "../selector/ast.ts";
import { matchesSelector } from "../selector/match.ts";

export interface PortGroup {
  readonly protocol: number;
  readonly port: number;
  readonly addresses: readonly Address[];
}

/** A rule without a protocol means these when it names a port. */
const PORT_PROTOCOLS: readonly number[] = [6, 17, 132];

export class PortGroups {
  readonly #endpoints: LabelIndex<Endpoint>;

  constructor(endpoints: LabelIndex<Endpoint>) {
    this.#endpoints = endpoints;
  }

  /** Of the endpoints that `selector` chooses (all without one) and `notSelector` does not. */
  find(
    names: readonly string[],
    selector: Selector | undefined,
    notSelector: Selector | undefined,
    protocol: number | undefined,
  ): PortGroup[] {
    if (names.length === 0) return [];
    const groups = new Map<number, Address[]>();
    for (const endpoint of this.#endpoints.select(selector?.root ?? { op: "all" })) {
      if (selector !== undefined && notSelector !== undefined && matchesSelector(notSelector.root, endpoint.labels)) continue;
      const addresses = endpoint.kind === "HostEndpoint" ? endpoint.expectedIPs : endpoint.addresses;
      for (const port of endpoint.ports) {
        if (!names.includes(port.name)) continue;
        if (protocol === undefined ? !PORT_PROTOCOLS.includes(port.protocol) : port.protocol !== protocol) continue;
        append(groups, port.protocol, port.port, addresses);
      }
    }
    return toGroups(groups);
  }

  static ofBackends(backends: readonly ServiceBackend[]): PortGroup[] {
    const groups = new Map<number, Address[]>();
    for (const { protocol, port, address } of backends) append(groups, protocol, port, [address]);
    return toGroups(groups);
  }
}

function append(groups: Map<number, Address[]>, protocol: number, port: number, addresses: readonly Address[]): void {
  const key = protocol * 65536 + port;
  const list = groups.get(key);
  if (list === undefined) groups.set(key, [...addresses]);
  else list.push(...addresses);
}

function toGroups(groups: ReadonlyMap<number, readonly Address[]>): PortGroup[] {
  return [...groups].map(([key, addresses]) => ({ protocol: Math.floor(key / 65536), port: key % 65536, addresses }));
}
