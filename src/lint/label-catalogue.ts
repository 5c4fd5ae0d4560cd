/**
 * Every label somebody has: endpoints, network sets, and the namespaces and
 * service accounts that anything is or could be in. Labels that follow from
 * where something lives count as soon as there is such a place.
 */
import {
  KUBERNETES,
  NAMESPACE_LABEL,
  namespaceLabel,
  ORCHESTRATOR_LABEL,
  SERVICE_ACCOUNT_LABEL,
  serviceAccountLabel,
} from "../resources/implicit-label.ts";
import type { Labels, ResourceSet } from "../resources/types.ts";
import type { Selector, SelectorNode } from "../selector/ast.ts";

const NAME = "projectcalico.org/name";

/** A condition on one label. */
export type LabelNode = Extract<SelectorNode, { readonly label: string }>;

export class LabelCatalogue {
  /** Each label with its values, each once. */
  readonly #values: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #unmet = new Map<string, readonly LabelNode[]>();

  constructor(set: ResourceSet) {
    this.#values = collectLabels(set);
  }

  has(label: string): boolean {
    return this.#values.has(label);
  }

  /** Conditions without which the selector chooses nothing, and which nobody meets. Negations are none. */
  unmet(selector: Selector): readonly LabelNode[] {
    let nodes = this.#unmet.get(selector.key);
    if (nodes === undefined) this.#unmet.set(selector.key, (nodes = this.#unmetBy(selector.root)));
    return nodes;
  }

  #unmetBy(node: SelectorNode): readonly LabelNode[] {
    switch (node.op) {
      case "and":
        return node.operands.flatMap((operand) => this.#unmetBy(operand));
      case "or": {
        const branches = node.operands.map((operand) => this.#unmetBy(operand));
        return branches.every((branch) => branch.length > 0) ? branches.flat() : [];
      }
      case "has":
      case "eq":
      case "in":
      case "contains":
      case "startsWith":
      case "endsWith":
        return this.#isMet(node) ? [] : [node];
      default:
        return [];
    }
  }

  #isMet(node: LabelNode): boolean {
    const values = this.#values.get(node.label);
    if (values === undefined) return false;
    switch (node.op) {
      case "eq":
        return values.has(node.value);
      case "in":
        return node.values.some((value) => values.has(value));
      case "contains":
        return some(values, (value) => value.includes(node.value));
      case "startsWith":
        return some(values, (value) => value.startsWith(node.value));
      case "endsWith":
        return some(values, (value) => value.endsWith(node.value));
      default:
        return true;
    }
  }
}

function some(values: ReadonlySet<string>, holds: (value: string) => boolean): boolean {
  for (const value of values) if (holds(value)) return true;
  return false;
}

function collectLabels(set: ResourceSet): ReadonlyMap<string, ReadonlySet<string>> {
  const catalogue = new Map<string, Set<string>>();
  const add = (label: string, value: string): void => {
    const values = catalogue.get(label);
    if (values === undefined) catalogue.set(label, new Set([value]));
    else values.add(value);
  };
  const addAll = (labels: Labels): void => {
    for (const label in labels) if (Object.hasOwn(labels, label)) add(label, labels[label] as string);
  };
  for (const list of [set.hostEndpoints, set.workloadEndpoints, set.networkSets]) {
    for (const { labels } of list) addAll(labels);
  }
  const namespaceName = namespaceLabel(NAME);
  const accountName = serviceAccountLabel(NAME);
  for (const { labels } of set.profiles.values()) {
    addAll(labels);
    if (Object.hasOwn(labels, namespaceName)) add(NAMESPACE_LABEL, labels[namespaceName] as string);
    if (Object.hasOwn(labels, accountName)) add(SERVICE_ACCOUNT_LABEL, labels[accountName] as string);
  }
  add(ORCHESTRATOR_LABEL, KUBERNETES);
  return catalogue;
}
