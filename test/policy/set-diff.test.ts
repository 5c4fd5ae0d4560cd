import { describe, expect, it } from "vitest";
import { diffSets } from "../../src/policy/set-diff.ts";
import type { ResourceChange } from "../../src/policy/set-diff.ts";
import { ResourceLoader } from "../../src/resources/load.ts";
import type { ResourceSet } from "../../src/resources/types.ts";

function load(text: string, file = "a.yaml"): ResourceSet {
  const { resources, errors } = new ResourceLoader().loadTexts([{ file, text }]);
  expect(errors).toEqual([]);
  return resources;
}

function document(kind: string, name: string, spec: object, metadata: object = {}): string {
  const apiVersion = "projectcalico.org/v3";
  return `---\n${JSON.stringify({ apiVersion, kind, metadata: { name, ...metadata }, spec })}\n`;
}

function policy(name: string, spec: object = {}): string {
  return document("GlobalNetworkPolicy", name, { selector: "role == 'web'", order: 100, types: ["Ingress"], ...spec });
}

/** One line a change. */
function said(before: string, after: string): string[] {
  return diffSets(load(before), load(after)).map(line);
}

function line({ change, kind, namespace, name, tier, fields }: ResourceChange): string {
  const what = fields.map(({ field, before, after }) => `${field} ${before} -> ${after}`);
  return [change, kind, `${namespace}/${name}`, tier ?? "-", ...what].join(" ");
}

describe("the difference of two policy sets", () => {
  it("is nothing for the same documents, in whatever order, file and notation", () => {
    const one = policy("a", { ingress: [{ action: "Allow", protocol: "TCP" }] });
    const two = document("GlobalNetworkSet", "s", { nets: ["10.0.0.0/8"] }, { labels: { x: "1", y: "2" } });
    const turned = document("GlobalNetworkSet", "s", { nets: ["10.0.0.0/8"] }, { labels: { y: "2", x: "1" } });
    const spaced = one.replace("role == 'web'", "role=='web'");
    expect(diffSets(load(one + two), load(`# a comment\n${turned}${spaced}`, "elsewhere.yaml"))).toEqual([]);
  });

  it("is what was added and removed, of every kind", () => {
    const all = [
      policy("p"),
      document("StagedGlobalNetworkPolicy", "p", { selector: "all()" }),
      document("NetworkPolicy", "n", { selector: "all()" }, { namespace: "shop" }),
      document("GlobalNetworkSet", "g", { nets: ["10.0.0.0/8"] }),
      document("NetworkSet", "g", { nets: ["10.0.0.0/8"] }, { namespace: "shop" }),
      document("HostEndpoint", "h", { node: "n", interfaceName: "eth0" }),
      document("Tier", "t", { order: 5 }),
      document("FelixConfiguration", "default", { interfacePrefix: "cali" }),
    ].join("");
    const names = [
      "FelixConfiguration /default -",
      "GlobalNetworkPolicy /p default",
      "GlobalNetworkSet /g -",
      "HostEndpoint /h -",
      "NetworkPolicy shop/n default",
      "NetworkSet shop/g -",
      "StagedGlobalNetworkPolicy /p default",
      "Tier /t -",
    ];
    expect(said("", all)).toEqual(names.map((name) => `added ${name}`));
    expect(said(all, "")).toEqual(names.map((name) => `removed ${name}`));
  });

  it("names what changed in one, tier and order first", () => {
    const tier = document("Tier", "t", { order: 5 });
    const before = policy("t.p", { tier: "t", ingress: [{ action: "Allow" }] }) + tier;
    const after = policy("t.p", { tier: "t", order: 7, selector: "all()", ingress: [{ action: "Allow" }, { action: "Deny" }] }) + tier;
    expect(said(before, after)).toEqual([
      "changed GlobalNetworkPolicy /t.p t order 100 -> 7 selector role == 'web' -> all() ingress 1 entry -> 2 entries",
    ]);
    expect(said(tier, document("Tier", "t", {}))).toEqual(["changed Tier /t - order 5 -> none"]);
  });

  it("tells a rule that says something else, however many there are", () => {
    const rule = (action: string): string => policy("p", { ingress: [{ action }] });
    expect(said(rule("Allow"), rule("Deny"))).toEqual(["changed GlobalNetworkPolicy /p default ingress 1 entry -> 1 entry"]);
  });
});
