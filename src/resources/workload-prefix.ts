/**
 * Prefixes of workload interface names on each node (SEMANTICS 1.13): those of
 * the nearest FelixConfiguration that gives any, else Calico's.
 */
import { felixLayers } from "./felix-nodes.ts";
import { DEFAULT_FELIX_SETTINGS } from "./felix-settings.ts";
import type { FelixConfiguration } from "./types.ts";

export class WorkloadPrefixes {
  private readonly configurations: readonly FelixConfiguration[];
  private readonly byNode = new Map<string, readonly string[]>();

  constructor(configurations: readonly FelixConfiguration[]) {
    this.configurations = configurations.filter(({ interfacePrefixes }) => interfacePrefixes !== undefined);
  }

  /** At least one. */
  of(node: string): readonly string[] {
    let prefixes = this.byNode.get(node);
    if (prefixes === undefined) {
      prefixes = felixLayers(this.configurations, node)[0]?.interfacePrefixes ?? DEFAULT_FELIX_SETTINGS.interfacePrefixes;
      this.byNode.set(node, prefixes);
    }
    return prefixes;
  }
}
