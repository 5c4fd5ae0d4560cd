/**
 * Judges connections with the compiled tables, as the packet path does. Nodes
 * whose FelixConfiguration differs have other failsafe ports, so they get
 * tables of their own; everything else shares one set of tables.
 */
import { PacketView } from "../packet/view.ts";
import type { PolicyClass, PolicyVerdict } from "../policy/decision.ts";
import type { Direction, Endpoint, ResourceSet } from "../resources/types.ts";
import { Classifier } from "../tables/classifier.ts";
import { compileTables } from "../tables/compile.ts";
import { PROGRAM_KINDS, ProgramKind } from "../tables/compiled.ts";
import type { RuleInfo } from "../tables/compiled.ts";
import type { Stage } from "./course.ts";

/** A stage, and its program in one of the tables. */
export interface CompiledStage extends Stage {
  readonly classifier: Classifier;
  readonly rules: readonly RuleInfo[];
  readonly program: number;
}

export class TableJudge {
  readonly view = new PacketView();
  readonly #compiled = new Map<Endpoint, { classifier: Classifier; rules: readonly RuleInfo[]; index: number }>();

  constructor(set: ResourceSet) {
    const own = new Set(
      set.felixConfigurations.flatMap(({ name, nodes = [] }) =>
        name.startsWith(NODE_PREFIX) ? name.slice(NODE_PREFIX.length) : nodes,
      ),
    );
    const groups = new Map<string, Endpoint[]>();
    for (const endpoint of [...set.workloadEndpoints, ...set.hostEndpoints]) {
      const node = own.has(endpoint.node) ? endpoint.node : "";
      const group = groups.get(node);
      if (group === undefined) groups.set(node, [endpoint]);
      else group.push(endpoint);
    }
    for (const [node, endpoints] of groups) {
      const { tables, rules } = compileTables(set, endpoints, node, 1);
      const classifier = new Classifier(tables);
      endpoints.forEach((endpoint, index) => this.#compiled.set(endpoint, { classifier, rules, index }));
    }
  }

  compile(stage: Stage): CompiledStage {
    const { endpoint, policyClass, direction } = stage;
    const compiled = this.#compiled.get(endpoint);
    if (compiled === undefined) throw new Error(`${endpoint.name} is not in the tables`);
    const { classifier, rules, index } = compiled;
    const kind = KINDS[policyClass][direction];
    return { ...stage, classifier, rules, program: classifier.tables.endpointPrograms[index * PROGRAM_KINDS + kind] };
  }

  /** The rule that decides the packet in `view`. */
  decide({ classifier, program }: CompiledStage): number {
    return classifier.classify(program, this.view);
  }
}

/** A deciding rule's verdict. */
export function verdictOf({ verdict }: RuleInfo): PolicyVerdict {
  if (verdict === "allow" || verdict === "deny" || verdict === "continue") return verdict;
  throw new Error(`a rule that decides nothing decided: ${verdict}`);
}

const NODE_PREFIX = "node.";

const KINDS: Readonly<Record<PolicyClass, Readonly<Record<Direction, number>>>> = {
  normal: { ingress: ProgramKind.NORMAL_INGRESS, egress: ProgramKind.NORMAL_EGRESS },
  forward: { ingress: ProgramKind.FORWARD_INGRESS, egress: ProgramKind.FORWARD_EGRESS },
  // There is no egress before DNAT.
  preDNAT: { ingress: ProgramKind.PREDNAT_INGRESS, egress: ProgramKind.PREDNAT_INGRESS },
  untracked: { ingress: ProgramKind.UNTRACKED_INGRESS, egress: ProgramKind.UNTRACKED_EGRESS },
};
