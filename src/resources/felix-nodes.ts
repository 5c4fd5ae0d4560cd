/**
 * Which FelixConfigurations hold on a node (SEMANTICS 1.13): field by field,
 * `node.<host>` before the one whose nodeSelector chooses the node's labels
 * before `default`. Of several that choose a node, the oldest is its one.
 */
import { matchesSelector } from "../selector/match.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { FelixDocument, Node } from "./inventory.ts";
import type { FelixConfiguration } from "./types.ts";

/** Gives each document with a nodeSelector its nodes. Warnings: RAMPART_W_FELIX_NODES, where it has none. */
export function assignFelixNodes(
  documents: readonly FelixDocument[],
  nodes: readonly Node[],
  diagnostics: Diagnostics,
): FelixConfiguration[] {
  const byAge = documents.filter((each) => each.nodeSelector !== undefined).toSorted(older);
  const assigned = new Map<FelixDocument, string[]>(byAge.map((document) => [document, []]));
  for (const { name, labels } of nodes) {
    const oldest = byAge.find(({ nodeSelector }) => nodeSelector !== undefined && matchesSelector(nodeSelector.root, labels));
    if (oldest !== undefined) assigned.get(oldest)?.push(name);
  }
  return documents.map((document) => {
    const { nodeSelector, ...configuration } = document;
    if (nodeSelector === undefined) return configuration;
    const own = assigned.get(document) ?? [];
    if (own.length === 0) {
      const why = nodes.length === 0 ? "there is no Node document" : "no Node is left for its nodeSelector";
      const message = `FelixConfiguration ${document.name} holds nowhere: ${why}`;
      diagnostics.warn("RAMPART_W_FELIX_NODES", message, document.location);
    }
    return { ...configuration, nodes: own.toSorted() };
  });
}

/** The configurations that hold on the node, the nearest first; after `assignFelixNodes`. */
export function felixLayers(configurations: readonly FelixConfiguration[], node: string): FelixConfiguration[] {
  const layers = [
    configurations.find(({ name }) => name === `node.${node}`),
    configurations.find(({ nodes }) => nodes?.includes(node) === true),
    configurations.find(({ name }) => name === "default"),
  ];
  return layers.filter((layer) => layer !== undefined);
}

/** Those that do not say when they were made come last; then by name. */
function older(a: FelixDocument, b: FelixDocument): number {
  const [first, second] = [a.created ?? Infinity, b.created ?? Infinity];
  if (first !== second) return first < second ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}
