import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../src/address/address.ts";
import type { Address } from "../../src/address/address.ts";
import { linkServices } from "../../src/resources/service-reference.ts";
import type { Policy } from "../../src/resources/types.ts";
import { chosen, onlyRule, readDocument, readPolicy } from "./read-document.ts";
import { inRule, loadText, policy, resource } from "./temporary-folder.ts";

const namespaced = (spec: string): string => resource("NetworkPolicy", "{ name: p, namespace: shop }", spec);

describe("a GlobalNetworkPolicy's flags", () => {
  it("are off unless they are set", () => {
    const { policy: read } = readPolicy(policy("  order: 1"));
    expect(read).toMatchObject({ preDNAT: false, doNotTrack: false, applyOnForward: false, staged: false });
    expect(read.namespace).toBeUndefined();
  });

  it("preDNAT with applyOnForward is for ingress, and empty egress rules are none", () => {
    const { policy: read, warnings } = readPolicy(policy("  preDNAT: true\n  applyOnForward: true\n  egress: []"));
    expect(read).toMatchObject({ preDNAT: true, applyOnForward: true, types: ["ingress"] });
    expect(warnings).toEqual([]);
  });

  it("doNotTrack with applyOnForward may have rules both ways", () => {
    const rules = "  ingress: [{ action: Allow }]\n  egress: [{ action: Allow }]";
    const { policy: read } = readPolicy(policy(`  doNotTrack: true\n  applyOnForward: true\n${rules}`));
    expect(read).toMatchObject({ doNotTrack: true, types: ["ingress", "egress"] });
  });

  it("the performance hint is accepted and changes nothing", () => {
    const { policy: read, warnings } = readPolicy(policy("  performanceHints: [AssumeNeededOnEveryNode]"));
    expect(warnings).toEqual([]);
    expect(read.types).toEqual(["ingress"]);
  });
});

describe("a Calico NetworkPolicy", () => {
  it("is the same in both API groups, and is in its namespace", () => {
    const v3 = namespaced("{ order: 5, tier: kube-admin, types: [Egress] }");
    const { policy: read } = readPolicy(v3);
    expect(read).toMatchObject({ kind: "NetworkPolicy", name: "p", namespace: "shop", order: 5, tier: "kube-admin" });
    expect(read.types).toEqual(["egress"]);
    const crd = v3.replace("projectcalico.org/v3", "crd.projectcalico.org/v1");
    expect(readPolicy(crd).policy).toEqual(read);
  });

  it("has types by the number of rules, like a global one", () => {
    expect(readPolicy(namespaced("{}")).policy.types).toEqual(["ingress"]);
    expect(readPolicy(namespaced("{ egress: [{ action: Deny }] }")).policy.types).toEqual(["egress"]);
  });

  it("ignores what only a global policy has, with a warning", () => {
    const { policy: read, warnings } = readPolicy(namespaced("{ preDNAT: true, applyOnForward: true }"));
    expect(read).toMatchObject({ preDNAT: false, applyOnForward: false });
    expect(warnings).toEqual(["RAMPART_W_FIELD_IGNORED", "RAMPART_W_FIELD_IGNORED"]);
  });

  it.each(["a", "tier.a", "knp.default.a.b.c", "ossg.default.x"])("may be called %s", (name) => {
    expect(readDocument(resource("NetworkPolicy", `{ name: ${name} }`, "{}")).errors).toEqual([]);
  });

  it("of the same name may be in another namespace, and beside a global and a staged one", () => {
    const texts = [
      namespaced("{}"),
      namespaced("{}").replace("shop", "lab"),
      namespaced("{}").replace("NetworkPolicy", "StagedNetworkPolicy"),
      policy("  order: 1"),
    ];
    const { errors, resources } = loadText(texts.join("---\n"));
    expect(errors).toEqual([]);
    expect(resources.policies).toHaveLength(4);
  });

  it("twice in a namespace is a duplicate, also where `default` is implied", () => {
    const implied = resource("NetworkPolicy", "{ name: p }", "{}");
    const given = resource("NetworkPolicy", "{ name: p, namespace: default }", "{}");
    expect(loadText(`${implied}---\n${given}`).errors.map((error) => error.code)).toEqual(["RAMPART_E_DUPLICATE"]);
  });
});

describe("named ports", () => {
  it("are one list with numbers and ranges, and need no protocol where they stand alone", () => {
    const mixed = "{ ports: [web, 80, '1:9', Metrics_1.x], notPorts: [db] }";
    const rule = `{ action: Allow, protocol: TCP, destination: ${mixed} }`;
    const { destination } = onlyRule(readPolicy(inRule(rule)).policy);
    expect(destination.namedPorts).toEqual(["web", "Metrics_1.x"]);
    expect(destination.ports).toEqual([{ min: 80, max: 80 }, { min: 1, max: 9 }]);
    expect(destination.notNamedPorts).toEqual(["db"]);
    const alone = onlyRule(readPolicy(inRule("{ action: Allow, source: { ports: [web] } }")).policy);
    expect(alone.protocol).toBeUndefined();
    expect(alone.source.namedPorts).toEqual(["web"]);
  });
});

describe("services", () => {
  const address = (text: string): Address => parseAddress(text) as Address;
  const backends = [{ address: address("10.1.2.3"), protocol: 6, port: 8080 }];

  function linked(text: string): { policy: Policy; asked: string[] } {
    const asked: string[] = [];
    const { policy: read } = readPolicy(text);
    const result = linkServices(read, ({ namespace, name }) => {
      asked.push(`${namespace}/${name}`);
      return backends;
    });
    return { policy: result, asked };
  }

  it("of an egress destination become its backends when everything is read", () => {
    const destination = "{ services: { name: web, namespace: shop } }";
    const text = policy(`  egress:\n    - { action: Allow, destination: ${destination} }`);
    expect(onlyRule(readPolicy(text).policy).destination.service).toEqual([]);
    const { policy: result, asked } = linked(text);
    expect(asked).toEqual(["shop/web"]);
    const { service, selector, ports } = onlyRule(result).destination;
    expect(service?.map((backend) => formatAddress(backend.address))).toEqual(["10.1.2.3"]);
    expect([selector, ports]).toEqual([undefined, []]);
  });

  it("of a NetworkPolicy are in its own namespace where none is given, and ports may stand beside a source", () => {
    const source = "{ services: { name: web }, ports: [53] }";
    const text = namespaced(`{ ingress: [{ action: Allow, protocol: UDP, source: ${source} }] }`);
    const { policy: result, asked } = linked(text);
    expect(asked).toEqual(["shop/web"]);
    expect(onlyRule(result).source).toMatchObject({ service: backends, ports: [{ min: 53, max: 53 }] });
  });

  it("can be linked again, when backends change", () => {
    const { policy: once } = linked(namespaced("{ ingress: [{ action: Allow, source: { services: { name: a } } }] }"));
    expect(onlyRule(linkServices(once, () => [])).source.service).toEqual([]);
    expect(onlyRule(once).source.service).toEqual(backends);
  });

  it("a policy without them stays the same object", () => {
    const { policy: read } = readPolicy(inRule("{ action: Allow }"));
    expect(linkServices(read, () => backends)).toBe(read);
  });
});

describe("staged policies (SEMANTICS 1.14)", () => {
  it.each([
    ["StagedGlobalNetworkPolicy", "GlobalNetworkPolicy", undefined],
    ["StagedNetworkPolicy", "NetworkPolicy", "default"],
    ["StagedKubernetesNetworkPolicy", "KubernetesNetworkPolicy", "default"],
  ])("%s is a %s that is staged", (staged, kind, namespace) => {
    const { policy: read, warnings } = readPolicy(resource(staged, "{ name: p }", "{ stagedAction: Set }"));
    expect(read).toMatchObject({ kind, namespace, staged: true, types: ["ingress"] });
    expect(warnings).toEqual([]);
    expect(readPolicy(resource(staged, "{ name: p }", "{}")).policy).toMatchObject({ staged: true });
  });

  it("with stagedAction Delete are kept, as there is the enforced policy to preview without", () => {
    const text = resource("StagedNetworkPolicy", "{ name: p }", "{ stagedAction: Delete, tier: default }");
    const { policy: read, warnings } = readPolicy(text);
    expect(read).toMatchObject({ name: "p", staged: true, stagedAction: "Delete", ingress: [], egress: [] });
    expect(warnings).toEqual([]);
  });

  it.each(["Learn", "Ignore"])("with stagedAction %s have nothing to preview, which is said", (action) => {
    const text = resource("StagedNetworkPolicy", "{ name: p }", `{ stagedAction: ${action}, tier: default }`);
    expect(readDocument(text)).toEqual({ resource: undefined, errors: [], warnings: ["RAMPART_W_STAGED_ACTION"] });
  });

  it("have subjects and rules like the real ones", () => {
    const spec = "{ selector: has(role), namespaceSelector: all(), egress: [{ action: Deny }] }";
    const { policy: read } = readPolicy(resource("StagedGlobalNetworkPolicy", "{ name: p }", spec));
    expect(chosen(read.selector)).toBe("pod other set");
    expect(read.types).toEqual(["egress"]);
  });
});
