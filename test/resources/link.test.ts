import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadResources, ResourceLoader } from "../../src/resources/load.ts";
import type { Labels, ResourceSet } from "../../src/resources/types.ts";
import {
  calico,
  document,
  endpointNamed,
  load,
  loadGood,
  namespace,
  pod,
  serviceAccount,
} from "./inventory-documents.ts";
import { policy, temporaryFolder } from "./temporary-folder.ts";

const labelsOf = (set: ResourceSet, name: string): Labels => ({ ...endpointNamed(set, name).labels });
const profileNames = (set: ResourceSet): string[] => [...set.profiles.keys()];

describe("implicit profiles", () => {
  it("of a namespace allow everything both ways and hand on its labels and its name", () => {
    const { profiles } = loadGood(namespace("shop", "{ env: prod, example.com/team: a }"));
    expect(profiles.get("kns.shop")).toMatchObject({
      labels: {
        "pcns.env": "prod",
        "pcns.example.com/team": "a",
        "pcns.kubernetes.io/metadata.name": "shop",
        "pcns.projectcalico.org/name": "shop",
      },
      ingress: [{ action: "Allow", protocol: undefined, source: { nets: [], selector: undefined } }],
      egress: [{ action: "Allow", protocol: undefined, destination: { nets: [], selector: undefined } }],
    });
    expect(profiles.get("kns.shop")?.labels).not.toHaveProperty("pcns.name");
  });

  it("of a service account have no rules and hand on its labels and its name", () => {
    const { profiles } = loadGood(serviceAccount("robot, namespace: shop", "{ role: api }"));
    expect(profiles.get("ksa.shop.robot")).toMatchObject({
      labels: { "pcsa.role": "api", "pcsa.projectcalico.org/name": "robot" },
      ingress: [],
      egress: [],
    });
  });

  it("are there for every namespace that something lives in, and for its service accounts", () => {
    const set = loadGood(
      pod("{ name: a, namespace: a }", "{ nodeName: n, serviceAccountName: robot }"),
      calico("WorkloadEndpoint", "{ name: b, namespace: b }", "{ node: n, interfaceName: c, serviceAccountName: b.c }"),
      calico("NetworkPolicy", "{ name: c, namespace: c }", "{}"),
      calico("NetworkSet", "{ name: d, namespace: d }", "{}"),
      document("v1", "Service", "{ name: e, namespace: e }"),
    );
    expect(profileNames(set)).toEqual([
      "kns.a",
      "kns.b",
      "kns.c",
      "kns.d",
      "kns.e",
      "ksa.a.default",
      "ksa.a.robot",
      "ksa.b.b.c",
      "ksa.b.default",
      "ksa.c.default",
      "ksa.d.default",
      "ksa.e.default",
      "projectcalico-default-allow",
    ]);
    expect(set.profiles.get("kns.c")?.labels).toEqual({
      "pcns.kubernetes.io/metadata.name": "c",
      "pcns.projectcalico.org/name": "c",
    });
  });

  it("give way to documents of the same name, as an export of a cluster has them", () => {
    const { profiles } = loadGood(
      namespace("a", "{ env: prod }"),
      calico("Profile", "{ name: kns.a }", "{ ingress: [{ action: Deny }], labelsToApply: { pcns.env: test } }"),
      calico(
        "Profile",
        "{ name: projectcalico-default-allow }",
        "{ ingress: [{ action: Allow }], egress: [{ action: Allow }] }",
      ),
    );
    expect(profiles.get("kns.a")).toMatchObject({ labels: { "pcns.env": "test" }, ingress: [{ action: "Deny" }] });
    expect(profiles.get("projectcalico-default-allow")).toMatchObject({ location: { file: "(built in)" } });
  });
});

describe("a pod's endpoint", () => {
  const set = (): ResourceSet =>
    loadGood(
      pod(
        "{ name: a, namespace: shop, labels: { app: web, projectcalico.org/namespace: other } }",
        "{ nodeName: n1, serviceAccountName: robot }",
      ),
      namespace("shop", "{ env: prod }"),
      serviceAccount("robot, namespace: shop", "{ role: api }"),
    );

  it("has the profiles of its namespace and its service account", () => {
    expect(endpointNamed(set(), "a").profiles).toEqual(["kns.shop", "ksa.shop.robot"]);
  });

  it("has its own labels, Calico's, and those of its namespace and service account", () => {
    expect(labelsOf(set(), "a")).toEqual({
      app: "web",
      "projectcalico.org/namespace": "shop",
      "projectcalico.org/orchestrator": "k8s",
      "projectcalico.org/serviceaccount": "robot",
      "pcns.env": "prod",
      "pcns.kubernetes.io/metadata.name": "shop",
      "pcns.projectcalico.org/name": "shop",
      "pcsa.role": "api",
      "pcsa.projectcalico.org/name": "robot",
    });
  });

  it("runs under the service account `default` where it names none", () => {
    const labels = labelsOf(loadGood(pod("{ name: a }")), "a");
    expect(labels["projectcalico.org/serviceaccount"]).toBe("default");
    expect(labels["pcsa.projectcalico.org/name"]).toBe("default");
  });

  it("has no label of a service account whose name has 63 characters or more", () => {
    const under = (length: number): Labels =>
      labelsOf(loadGood(pod("{ name: a }", `{ nodeName: n, serviceAccountName: ${"a".repeat(length)} }`)), "a");
    expect(under(62)).toHaveProperty(["projectcalico.org/serviceaccount"]);
    expect(under(63)).not.toHaveProperty(["projectcalico.org/serviceaccount"]);
    expect(under(63)).toHaveProperty(["pcsa.projectcalico.org/name"]);
  });
});

describe("labels that profiles apply", () => {
  const profile = (name: string, labels: string): string =>
    calico("Profile", `{ name: ${name}, labels: { metadata: only } }`, `{ labelsToApply: ${labels} }`);

  it("are inherited; the endpoint's own win, then those of the profile listed first", () => {
    const set = loadGood(
      profile("p", "{ a: p, b: p, c: p }"),
      profile("q", "{ b: q, c: q, d: q }"),
      calico("HostEndpoint", "{ name: h, labels: { c: own } }", "{ node: n, interfaceName: e, profiles: [p, q] }"),
    );
    expect({ ...set.hostEndpoints[0]?.labels }).toEqual({ a: "p", b: "p", c: "own", d: "q" });
  });

  it("never replace what Calico sets itself", () => {
    const spec = "{ node: n, interfaceName: e, orchestrator: k8s, profiles: [p] }";
    const metadata = "{ name: w, labels: { projectcalico.org/orchestrator: other } }";
    const applied = profile("p", "{ projectcalico.org/namespace: x }");
    const set = loadGood(applied, calico("WorkloadEndpoint", metadata, spec));
    expect(labelsOf(set, "w")).toEqual({
      "projectcalico.org/namespace": "default",
      "projectcalico.org/orchestrator": "k8s",
    });
  });

  it("of a namespace do not reach a workload that does not list its profile", () => {
    const set = loadGood(
      namespace("default", "{ env: prod }"),
      calico("WorkloadEndpoint", "{ name: w }", "{ node: n, interfaceName: e }"),
    );
    expect(labelsOf(set, "w")).toEqual({ "projectcalico.org/namespace": "default" });
  });
});

describe("network sets", () => {
  it("of a namespace are in it: its name and its labels, no service account, no orchestrator", () => {
    const { networkSets } = loadGood(
      calico("NetworkSet", "{ name: s, namespace: shop, labels: { a: b, pcns.env: own } }", "{ nets: [10.0.0.1] }"),
      namespace("shop", "{ env: prod, tier: x }"),
    );
    expect({ ...networkSets[0]?.labels }).toEqual({
      a: "b",
      "projectcalico.org/namespace": "shop",
      "pcns.env": "own",
      "pcns.tier": "x",
      "pcns.kubernetes.io/metadata.name": "shop",
      "pcns.projectcalico.org/name": "shop",
    });
  });

  it("of the whole cluster have their own labels only", () => {
    const { networkSets } = loadGood(calico("GlobalNetworkSet", "{ name: s, labels: { a: b } }", "{}"));
    expect({ ...networkSets[0]?.labels }).toEqual({ a: "b" });
  });
});

describe("what is missed", () => {
  it("is no error while a document that could not be read may be it", () => {
    const endpoint = calico("HostEndpoint", "{ name: h }", "{ node: n, interfaceName: e, profiles: [p] }");
    expect(load(endpoint).errors).toEqual(["RAMPART_E_PROFILE_MISSING"]);
    expect(load(endpoint, calico("Profile", "{ name: p }", "{ ingress: [{}] }")).errors).toEqual([
      "RAMPART_E_FIELD_MISSING",
    ]);
    expect(load(endpoint, "a: [\n").errors).toEqual(["RAMPART_E_YAML_SYNTAX"]);
  });

  it("is no error while it stands in a list with an error", () => {
    const tier = "{ apiVersion: projectcalico.org/v3, kind: Tier, metadata: { name: t } }";
    const bad = "{ apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: { name: A }, spec: {} }";
    const list = `apiVersion: v1\nkind: List\nitems:\n  - ${tier}\n  - ${bad}\n`;
    expect(load(list, calico("GlobalNetworkPolicy", "{ name: p }", "{ tier: t }")).errors).toEqual(["RAMPART_E_NAME"]);
  });
});

describe("the lists of a set", () => {
  it("are sorted by namespace, then name, whatever the order of documents", () => {
    const made = [
      pod("{ name: b, namespace: x }"),
      pod("{ name: a, namespace: y }"),
      pod("{ name: a, namespace: x }"),
      calico("NetworkPolicy", "{ name: a, namespace: y }", "{}"),
      calico("NetworkPolicy", "{ name: b, namespace: x }", "{}"),
      calico("GlobalNetworkPolicy", "{ name: z }", "{}"),
    ];
    for (const documents of [made, made.toReversed()]) {
      const { workloadEndpoints, policies } = loadGood(...documents);
      expect(workloadEndpoints.map((each) => `${each.namespace}/${each.name}`)).toEqual(["x/a", "x/b", "y/a"]);
      expect(policies.map((each) => `${each.namespace ?? ""}/${each.name}`)).toEqual(["/z", "x/b", "y/a"]);
    }
  });
});

describe("loading again", () => {
  it("sees what changed, and only that is read again", () => {
    const folder = temporaryFolder({
      "a.yaml": policy("  order: 1", "a"),
      "b.yaml": policy("  order: 1", "b"),
      "ns.yaml": namespace("shop", "{ env: test }"),
      "pod.yaml": pod("{ name: w, namespace: shop }"),
    });
    const loader = new ResourceLoader();
    const before = loader.load([folder]).resources;
    writeFileSync(join(folder, "b.yaml"), policy("  order: 2", "b"));
    writeFileSync(join(folder, "ns.yaml"), namespace("shop", "{ env: prod }"));
    const after = loader.load([folder]).resources;
    expect(after.policies.map(({ order }) => order)).toEqual([1, 2]);
    expect(after.policies[0]).toBe(before.policies[0]);
    expect(endpointNamed(before, "w").labels["pcns.env"]).toBe("test");
    expect(endpointNamed(after, "w").labels["pcns.env"]).toBe("prod");
  });

  it("says the same as loading for the first time, errors and warnings too", () => {
    const folder = temporaryFolder({
      "a.yaml": `${policy("  tier: nowhere", "a")}---\n${policy("  order: x", "b")}---\n${policy("  foo: 1", "c")}`,
      "b.yaml": pod("{ name: w }", "{ serviceAccountName: A }"),
      "c.yaml": "a: [",
    });
    const loader = new ResourceLoader();
    loader.load([folder]);
    expect(loader.load([folder])).toEqual(loadResources([folder]));
  });

  it("forgets a file that is gone", () => {
    const folder = temporaryFolder({ "a.yaml": policy("  order: 1", "a"), "b.yaml": policy("  order: 1", "b") });
    const loader = new ResourceLoader();
    loader.load([folder]);
    expect(loader.load([join(folder, "b.yaml")]).resources.policies.map(({ name }) => name)).toEqual(["b"]);
  });

  it("counts the documents it kept", () => {
    const folder = temporaryFolder({ "b.yaml": `${policy("  order: 1", "b")}---\n${policy("  order: 1", "c")}` });
    const loader = new ResourceLoader({ limits: { documents: 2 } });
    expect(loader.load([folder]).errors).toEqual([]);
    writeFileSync(join(folder, "a.yaml"), policy("  order: 1", "a"));
    const [error] = loader.load([folder]).errors;
    expect(error).toMatchObject({ code: "RAMPART_E_LIMIT", message: "more than 2 documents" });
    expect(error?.location?.file).toBe(join(folder, "b.yaml"));
  });
});
