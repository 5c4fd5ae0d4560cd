/**
 * What the operator is told about the choice of endpoints: a host that nothing
 * protects is never left unmentioned, nor a policy that cannot take effect
 * (SEMANTICS 3.3).
 */
import type { HostEndpoint, ResourceSet, WorkloadEndpoint } from "../resources/types.ts";
import { about, type ChoiceWarning, unprotected } from "./choice-warning.ts";
import { felixWarnings } from "./felix-warnings.ts";
import { hasPolicies } from "./order.ts";

interface Chosen {
  readonly byInterface: ReadonlyMap<string, HostEndpoint>;
  readonly wildcard: HostEndpoint | undefined;
  readonly workloads: ReadonlyMap<string, WorkloadEndpoint>;
  readonly workloadPrefixes: readonly string[];
}

/** `interfaces`: the names of those that exist now. */
export function choiceWarnings(
  set: ResourceSet,
  node: string,
  interfaces: readonly string[],
  choice: Chosen,
): ChoiceWarning[] {
  return [
    ...hostWarnings(set, node, interfaces, choice),
    ...wildcardWarnings(set, choice),
    ...workloadWarnings(set, node, choice),
    ...felixWarnings(set, node),
  ];
}

function hostWarnings(set: ResourceSet, node: string, interfaces: readonly string[], choice: Chosen): ChoiceWarning[] {
  const nodes = [...new Set(set.hostEndpoints.map((endpoint) => endpoint.node))].toSorted();
  if (nodes.length === 0) {
    // A node that has workloads to police was meant; that its host is left alone is then a choice.
    if (choice.workloads.size > 0) return [];
    return [unprotected(`THIS HOST IS NOT PROTECTED: there is no HostEndpoint; add one with node: ${node}`)];
  }
  if (!nodes.includes(node)) {
    const named = `no HostEndpoint has node: ${node}; the files name ${listed(nodes)}`;
    return [unprotected(`THIS HOST IS NOT PROTECTED: ${named}. ${nodeHint(node, nodes)}`)];
  }
  if (choice.byInterface.size === 0 && choice.wildcard === undefined) {
    return [unprotected(`THIS HOST IS NOT PROTECTED: no HostEndpoint of node ${node} governs an interface`)];
  }
  const present = new Set(interfaces);
  return [...choice.byInterface]
    .filter(([name]) => !present.has(name))
    .map(([name, { name: endpoint }]) => {
      return about(`HostEndpoint ${endpoint}: interface ${name} does not exist now; it is policed once it does`);
    });
}

/** SEMANTICS 3.3: untracked policies have no effect through a wildcard. */
function wildcardWarnings(set: ResourceSet, { wildcard }: Chosen): ChoiceWarning[] {
  if (wildcard === undefined || !hasPolicies(set, wildcard, "untracked")) return [];
  const what = "its doNotTrack policies have no effect, because its interfaceName is \"*\"; name the interface";
  return [about(`HostEndpoint ${wildcard.name}: ${what}`)];
}

function workloadWarnings(set: ResourceSet, node: string, choice: Chosen): ChoiceWarning[] {
  return set.workloadEndpoints
    .filter((endpoint) => endpoint.node === node)
    .flatMap((endpoint) => {
      const { namespace, name, interfaceName } = endpoint;
      const winner = choice.workloads.get(interfaceName);
      if (winner === undefined) {
        const prefixes = choice.workloadPrefixes.join(" or ");
        return [
          unprotected(
            `WorkloadEndpoint ${namespace}/${name} IS NOT PROTECTED: interface ${interfaceName} does not begin with ` +
              `${prefixes}; rename it or set interfacePrefix in the FelixConfiguration`,
          ),
        ];
      }
      if (winner === endpoint) return [];
      return [
        about(
          `WorkloadEndpoint ${namespace}/${name} is ignored: ${winner.namespace}/${winner.name} has ` +
            `interface ${interfaceName} too, and sorts first`,
        ),
      ];
    });
}

const SHOWN_NODES = 5;

function listed(nodes: readonly string[]): string {
  const shown = nodes.slice(0, SHOWN_NODES).join(", ");
  return nodes.length > SHOWN_NODES ? `${shown} and ${nodes.length - SHOWN_NODES} more` : shown;
}

/** The usual mistake is a fully qualified name on one side and a short one on the other. */
function nodeHint(node: string, nodes: readonly string[]): string {
  const alike = nodes.find((other) => shortName(other) === shortName(node));
  return alike === undefined
    ? "Correct the node of a HostEndpoint, or the host name in Rampart's configuration"
    : `${alike} and ${node} look like one machine: use the same spelling (short or fully qualified) on both sides`;
}

function shortName(node: string): string {
  return (node.split(".", 1)[0] as string).toLowerCase();
}
