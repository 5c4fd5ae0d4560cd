import { describe, expect, it } from "vitest";
import { decodeSuite, inventory, suiteSteps } from "./decode.ts";

const pod = (namespace: string, name: string, ip: string, ipv6?: string) => ({
  namespace,
  name,
  ip,
  ...(ipv6 === undefined ? {} : { ipv6 }),
  labels: { pod: name },
  ports: [{ name: "web", port: 80, protocol: "TCP" }],
});
const TOPOLOGY = {
  namespaces: [{ name: "x", labels: { ns: "x" } }],
  pods: [pod("x", "a", "10.0.0.1", "fd00::1"), pod("x", "b", "10.0.0.2", "fd00::2")],
  externals: [{ name: "outside", ip: "192.0.2.1" }],
};
const steps = (rest: object) => decodeSuite({ topology: TOPOLOGY, cases: [{ id: "c", description: "d", ...rest }] });

describe("a suite file, decoded", () => {
  it("has as many steps and probes as its makers counted", () => {
    const counted = (name: "cyclonus" | "k8s-e2e"): number[] => {
      const all = suiteSteps(name);
      const probes = all.flatMap((step) => step.probes).filter(({ self }) => !self);
      return [new Set(all.map(({ id }) => id.split("/")[0])).size, all.length, probes.length];
    };
    expect(counted("cyclonus")).toEqual([230, 256, 109_956]);
    expect(counted("k8s-e2e")).toEqual([96, 116, 5186]);
  });

  it("a cell is a probe from its row to its column; - is none, S is a pod and itself", () => {
    const [step] = steps({ policies: [], matrix: { "TCP/80": ["S.-", "iS-", "X-."] } });
    const shared = { protocol: "TCP", port: 80, family: 4 };
    expect(step.probes).toEqual([
      { from: "x/a", to: "x/a", ...shared, expect: "allow", self: true },
      { from: "x/a", to: "x/b", ...shared, expect: "allow", self: false },
      { from: "x/b", to: "x/a", ...shared, expect: "deny", self: false },
      { from: "x/b", to: "x/b", ...shared, expect: "allow", self: true },
      { from: "192.0.2.1", to: "x/a", ...shared, expect: "deny", self: false },
      { from: "192.0.2.1", to: "192.0.2.1", ...shared, expect: "allow", self: false },
    ]);
  });

  it("`order` chooses and orders the ends; a key names family and port", () => {
    const [step] = steps({ policies: [], order: ["x/b", "x/a"], matrix: { "v6:TCP/web": ["-e", "--"] } });
    expect(step.probes).toEqual([
      { from: "x/b", to: "x/a", protocol: "TCP", port: "web", family: 6, expect: "deny", self: false },
    ]);
  });

  it("a step replaces parts of the topology for itself only", () => {
    const pods = [pod("x", "c", "10.0.0.3")];
    const all = steps({
      steps: [
        { policies: [], matrix: {}, topologyOverrides: { pods } },
        { policies: [], matrix: {} },
      ],
    });
    expect(all.map(({ id, topology }) => [id, topology.pods.map(({ name }) => name)])).toEqual([
      ["c/0", ["c"]],
      ["c/1", ["a", "b"]],
    ]);
  });

  it.each([
    ["a row too few", { "TCP/80": ["..."] }],
    ["a row too short", { "TCP/80": ["...", "..", "..."] }],
    ["an unknown cell", { "TCP/80": ["...", ".!.", "..."] }],
    ["a key without a port", { TCP: ["...", "...", "..."] }],
    ["IPv6 for what has none", { "v6:TCP/80": ["...", "...", "..."] }],
  ])("%s is an error, not a probe less", (_, matrix) => {
    expect(() => steps({ policies: [], matrix })).toThrow("not a conformance suite");
  });

  it("the inventory has the documents of an API server, both families", () => {
    expect(inventory(TOPOLOGY).slice(0, 2)).toMatchObject([
      { kind: "Namespace", metadata: { name: "x", labels: { ns: "x" } } },
      {
        kind: "Pod",
        metadata: { namespace: "x", name: "a", labels: { pod: "a" } },
        spec: { containers: [{ ports: [{ name: "web", containerPort: 80, protocol: "TCP" }] }] },
        status: { podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }] },
      },
    ]);
  });
});
