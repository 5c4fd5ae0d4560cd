import { describe, expect, it } from "vitest";
import { chosen, onlyRule, readPolicy } from "./read-document.ts";

const global = (spec: string): string =>
  `{ apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: { name: p }, spec: ${spec} }`;
const namespaced = (spec: string): string =>
  `{ apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: { name: p, namespace: shop }, spec: ${spec} }`;

/** Subject, and whom it chooses of pod (in shop), other (a pod in lab), host, and set (in shop). */
type Subject = readonly [spec: string, whom: string];

describe("whom a GlobalNetworkPolicy applies to (SEMANTICS 1.9)", () => {
  it.each<Subject>([
    ["{}", "pod other host set"],
    ["{ selector: all() }", "pod other host set"],
    ["{ selector: role == 'web' }", "pod other host set"],
    ["{ namespaceSelector: all() }", "pod other set"],
    ["{ namespaceSelector: env == 'prod' }", "pod set"],
    // A missing label satisfies `!=`, and host endpoints have no namespace label at all.
    ["{ namespaceSelector: env != 'prod' }", "other host"],
    ["{ namespaceSelector: '!has(env)' }", "other host"],
    // all() of the selector, too, becomes "in a namespace" beside a namespaceSelector.
    ["{ selector: all(), namespaceSelector: env != 'prod' }", "other"],
    ["{ selector: has(role), namespaceSelector: env != 'prod' }", "other host"],
    ["{ namespaceSelector: projectcalico.org/name == 'lab' }", "other"],
    ["{ namespaceSelector: name == 'shop' }", ""],
    ["{ serviceAccountSelector: all() }", "pod other"],
    ["{ selector: all(), serviceAccountSelector: team != 'red' }", "other"],
    ["{ selector: role == 'web', serviceAccountSelector: team != 'red' }", "other host set"],
    ["{ namespaceSelector: all(), serviceAccountSelector: team == 'red' }", "pod"],
  ])("%s: %s", (spec, whom) => {
    expect(chosen(readPolicy(global(spec)).policy.selector)).toBe(whom);
  });
});

describe("whom a NetworkPolicy applies to: never what is outside its namespace", () => {
  it.each<Subject>([
    ["{}", "pod set"],
    ["{ selector: all() }", "pod set"],
    ["{ selector: role == 'web' }", "pod set"],
    ["{ selector: role != 'web' }", ""],
    ["{ selector: has(a) || has(role) }", "pod set"],
    ["{ serviceAccountSelector: team == 'red' }", "pod"],
    ["{ serviceAccountSelector: team == 'blue' }", ""],
  ])("%s: %s", (spec, whom) => {
    expect(chosen(readPolicy(namespaced(spec)).policy.selector)).toBe(whom);
  });

  it("the namespace is `default` where none is given", () => {
    const { policy } = readPolicy(namespaced("{}").replace(", namespace: shop", ""));
    expect(policy.namespace).toBe("default");
    expect(policy.selector.text).toBe('projectcalico.org/namespace == "default"');
  });
});

/** An entity, whom its selector chooses, and whom its notSelector excludes. */
type Entity = readonly [entity: string, selector: string, notSelector: string];
const NONE = "(no selector)";

function entityOf(policy: string): [string, string] {
  const { source } = onlyRule(readPolicy(policy).policy);
  return [chosen(source.selector), chosen(source.notSelector)];
}

describe("whom an entity means in a GlobalNetworkPolicy", () => {
  it.each<Entity>([
    ["{}", NONE, NONE],
    ["{ nets: [10.0.0.0/8] }", NONE, NONE],
    ["{ selector: all() }", "pod other host set", NONE],
    ["{ namespaceSelector: all() }", "pod other set", NONE],
    ["{ namespaceSelector: global() }", "host", NONE],
    ["{ namespaceSelector: ' global( ) ' }", "host", NONE],
    ["{ namespaceSelector: env != 'prod' }", "other host", NONE],
    ["{ selector: role == 'web', namespaceSelector: global() }", "host", NONE],
    ["{ serviceAccounts: { names: [cart, x] } }", "pod", NONE],
    ["{ serviceAccounts: { selector: team == 'red' } }", "pod", NONE],
    ["{ serviceAccounts: { names: [default], selector: team == 'red' } }", "", NONE],
    ["{ serviceAccounts: {} }", NONE, NONE],
    // Nothing positive: who is not excluded includes addresses nobody knows.
    ["{ notSelector: has(pcns.env) }", NONE, "pod set"],
    ["{ selector: all(), notSelector: has(pcns.env) }", "other host", NONE],
    ["{ namespaceSelector: all(), notSelector: has(pcns.env) }", "other", NONE],
  ])("%s", (entity, selector, notSelector) => {
    expect(entityOf(global(`{ ingress: [{ action: Allow, source: ${entity} }] }`))).toEqual([selector, notSelector]);
  });
});

describe("whom an entity means in a NetworkPolicy", () => {
  it.each<Entity>([
    ["{}", NONE, NONE],
    // Prefixes alone are not confined to the namespace.
    ["{ nets: [10.0.0.0/8] }", NONE, NONE],
    ["{ selector: all() }", "pod set", NONE],
    ["{ selector: has(a) || has(role) }", "pod set", NONE],
    ["{ namespaceSelector: all() }", "pod other set", NONE],
    ["{ namespaceSelector: global() }", "host", NONE],
    ["{ selector: role == 'web', namespaceSelector: projectcalico.org/name == 'lab' }", "other", NONE],
    ["{ serviceAccounts: { names: [cart, default] } }", "pod", NONE],
    // A notSelector brings the own namespace with it, so unknown addresses do not match.
    ["{ notSelector: has(pcsa.team) }", "set", NONE],
    ["{ nets: [10.0.0.0/8], notSelector: has(pcsa.team) }", "set", NONE],
    ["{ namespaceSelector: env != 'prod', notSelector: has(pcns.env) }", "other host", NONE],
  ])("%s", (entity, selector, notSelector) => {
    const policy = namespaced(`{ ingress: [{ action: Allow, source: ${entity} }] }`);
    expect(entityOf(policy)).toEqual([selector, notSelector]);
  });
});
