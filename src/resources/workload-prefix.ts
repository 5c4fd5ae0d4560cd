/**
 * Prefixes of workload interface names on each node (SEMANTICS 1.13): those of
 * the node's own FelixConfiguration, else of `default`, else Calico's.
 */
import { DEFAULT_INTERFACE_PREFIX } from "./interface-name.ts";
import type { FelixConfiguration } from "./types.ts";

export class WorkloadPrefixes {
  private readonly byName = new Map<string, readonly string[]>();

  constructor(configurations: readonly FelixConfiguration[]) {
    for (const { name, interfacePrefixes } of configurations) {
      if (interfacePrefixes !== undefined) this.byName.set(name, interfacePrefixes);
    }
  }

  /** At least one. */
  of(node: string): readonly string[] {
    return this.byName.get(`node.${node}`) ?? this.byName.get("default") ?? [DEFAULT_INTERFACE_PREFIX];
  }
}
