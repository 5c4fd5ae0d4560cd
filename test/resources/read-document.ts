/** One document read as a resource, before anything is linked to other documents. */
import { DEFAULT_LIMITS } from "../../src/resources/load-limits.ts";
import { Diagnostics } from "../../src/resources/diagnostics.ts";
import type { LoadedResource } from "../../src/resources/inventory.ts";
import { ResourceContext } from "../../src/resources/resource-context.ts";
import { lookUpKind } from "../../src/resources/resource-registry.ts";
import type { Labels, Policy, Rule } from "../../src/resources/types.ts";
import { readYamlStream } from "../../src/resources/yaml-stream.ts";
import { isYamlObject } from "../../src/resources/yaml-value.ts";
import type { Selector } from "../../src/selector/ast.ts";
import { matchesSelector } from "../../src/selector/match.ts";

export interface ReadResult {
  readonly resource: LoadedResource | undefined;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

export function readDocument(text: string): ReadResult {
  const diagnostics = new Diagnostics(100, 100);
  const [document] = readYamlStream("policy.yaml", text, DEFAULT_LIMITS, diagnostics);
  if (document === undefined || document === "unreadable" || !isYamlObject(document.value)) {
    throw new Error(`not a resource: ${diagnostics.errors.join(", ")}`);
  }
  const { apiVersion, kind } = document.value;
  const lookup = lookUpKind(String(apiVersion), String(kind));
  if (lookup.found !== "enforced") throw new Error(`${String(kind)} is ${lookup.found}`);
  const context = new ResourceContext(document, [], { diagnostics, tierReferences: [], profileReferences: [] });
  const resource = lookup.kind.read(document.value, context);
  return {
    resource,
    errors: diagnostics.errors.map((error) => error.code),
    warnings: diagnostics.warnings.map((warning) => warning.code),
  };
}

/** A policy of any kind that must be free of errors, and what was warned about. */
export function readPolicy(text: string): { policy: Policy; warnings: readonly string[] } {
  const { resource, errors, warnings } = readDocument(text);
  if (errors.length > 0) throw new Error(errors.join(", "));
  if (resource === undefined || !("doNotTrack" in resource)) throw new Error("not a policy");
  return { policy: resource, warnings };
}

/** The only rule of a policy with one rule. */
export function onlyRule(policy: Policy): Rule {
  const [rule, ...more] = [...policy.ingress, ...policy.egress];
  if (rule === undefined || more.length > 0) throw new Error(`${more.length + 1} rules`);
  return rule;
}

/** Effective labels of things a selector may choose. */
export const POD: Labels = {
  "projectcalico.org/namespace": "shop",
  "projectcalico.org/orchestrator": "k8s",
  "projectcalico.org/serviceaccount": "cart",
  "pcns.projectcalico.org/name": "shop",
  "pcns.env": "prod",
  "pcsa.team": "red",
  role: "web",
};
export const OTHER_POD: Labels = {
  "projectcalico.org/namespace": "lab",
  "projectcalico.org/orchestrator": "k8s",
  "projectcalico.org/serviceaccount": "default",
  "pcns.projectcalico.org/name": "lab",
  role: "web",
};
export const HOST: Labels = { role: "web" };
export const NETWORK_SET: Labels = {
  "projectcalico.org/namespace": "shop",
  "pcns.projectcalico.org/name": "shop",
  "pcns.env": "prod",
  role: "web",
};

const CHOOSABLE = { pod: POD, other: OTHER_POD, host: HOST, set: NETWORK_SET };

/** Which a selector chooses of pod (in namespace shop), other (a pod in lab), host, and set (in shop). */
export function chosen(selector: Selector | undefined): string {
  if (selector === undefined) return "(no selector)";
  const names = Object.entries(CHOOSABLE).filter(([, labels]) => matchesSelector(selector.root, labels));
  return names.map(([name]) => name).join(" ");
}
