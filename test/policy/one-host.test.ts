import { describe, expect, it } from "vitest";
import type { Policy } from "../../src/resources/types.ts";
import { backend, networkSet, policy, PROTOCOL } from "./build.ts";
import type { PolicyOptions, SetOptions } from "./build.ts";
import { addressOf, mistakes, network, pods } from "./two-hosts.ts";
import type { PlaceName } from "./two-hosts.ts";

const { tcp } = PROTOCOL;
const deny = [{ action: "Deny" }] as const;

describe("policies of workloads on one host (SEMANTICS 7)", () => {
  const np = (options: PolicyOptions): Policy => policy({ name: "np", namespace: "default", ...options });
  const is = (name: string): { selector: string } => ({ selector: `name == '${name}'` });
  const among = (policies: readonly Policy[], options: SetOptions = {}): string[] => {
    const net = network({ policies, ...options });
    const pairs = ["w2 w0", "w3 w0", "w0 w2", "w0 w3"];
    return pairs.filter((pair) => net.reaches(...(pair.split(" ") as [PlaceName, PlaceName])));
  };

  it("row 54: ingress from one pod", () => {
    const policies = [np({ selector: "name == 'w0'", ingress: [{ source: is("w2") }] })];
    expect(among(policies)).toEqual(["w2 w0", "w0 w2", "w0 w3"]);
  });

  it("row 55: egress to one pod", () => {
    const policies = [np({ selector: "name == 'w0'", egress: [{ destination: is("w2") }] })];
    expect(among(policies)).toEqual(["w2 w0", "w3 w0", "w0 w2"]);
  });

  it("row 56: with both types and no egress rule nothing leaves", () => {
    const both = np({ selector: "name == 'w0'", types: ["ingress", "egress"], ingress: [{ source: is("w2") }] });
    expect(among([both])).toEqual(["w2 w0"]);
  });

  it("row 59: no rules and no types isolate ingress only (trap 11)", () => {
    expect(among([np({ selector: "name == 'w0'" })])).toEqual(["w0 w2", "w0 w3"]);
  });

  it("row 62: staged policies have no effect beside enforced ones", () => {
    const staged = [
      np({ name: "s", staged: true, selector: "name == 'w0'", ingress: deny, egress: deny }),
      policy({ name: "s", staged: true, selector: "name == 'w0'", types: ["ingress", "egress"] }),
    ];
    expect(among(staged)).toEqual(["w2 w0", "w3 w0", "w0 w2", "w0 w3"]);
    expect(among([...staged, np({ selector: "name == 'w0'", egress: deny })])).toEqual(["w2 w0", "w3 w0"]);
  });

  it("rows 73, 74 and 76: named ports of the destination, beside numbers, in both directions", () => {
    const workloadEndpoints = pods({
      w0: [["shared-port", 1100]],
      w2: [["shared-port", 1100]],
      w3: [["shared-port", 1200]],
    });
    const shared = { protocol: tcp, destination: { ports: ["shared-port", 3000] } };
    const into = network({ workloadEndpoints, policies: [np({ selector: "name == 'w0'", ingress: [shared] })] });
    expect(mistakes(into, [
      ["w2", "w0", { port: 1100 }, true],
      ["w2", "w0", { port: 3000 }, true],
      ["w2", "w0", { port: 1200 }, false],
      ["w2", "w0", { port: 4000 }, false],
    ])).toEqual([]);
    const toW0 = { protocol: tcp, destination: { ports: ["shared-port"], ...is("w0") } };
    const out = network({ workloadEndpoints, policies: [np({ selector: "name != 'w0'", egress: [toW0] })] });
    expect(mistakes(out, [
      ["w2", "w0", { port: 1100 }, true],
      ["w2", "w3", { port: 1100 }, false],
      ["w2", "w3", { port: 1200 }, false],
      ["w3", "w2", { port: 1100 }, false],
    ])).toEqual([]);
  });

  it("row 78: network sets by their labels; 0.0.0.0/0 in one is everybody", () => {
    const sets = policy({ ingress: [{ source: { selector: "set == 'a'" }, destination: { selector: "set == 'b'" } }] });
    const b = networkSet("b", { set: "b" }, [`${addressOf("w0")}/32`]);
    const only = (nets: readonly string[]): string[] =>
      among([sets], { networkSets: [networkSet("a", { set: "a" }, nets), b] });
    expect(only(["10.65.0.4/32"])).toEqual(["w2 w0"]);
    expect(only(["0.0.0.0/0"])).toEqual(["w2 w0", "w3 w0"]);
    expect(only([])).toEqual([]);
  });

  it("rows 79 to 81: services as destination by backend and port, as source by address", () => {
    const service = [backend(addressOf("w2"), 80)];
    const egress = [{ destination: { service } }];
    const to = network({ policies: [np({ selector: "name == 'w0'", types: ["ingress", "egress"], egress })] });
    expect(mistakes(to, [
      ["w0", "w2", { port: 80 }, true],
      ["w0", "w2", { port: 81 }, false],
      ["w2", "w0", { port: 80 }, false],
    ])).toEqual([]);
    const without = np({ selector: "name == 'w0'", egress: [{ action: "Deny", destination: { service } }, {}] });
    expect(mistakes(network({ policies: [without] }), [
      ["w0", "w2", { port: 80 }, false],
      ["w0", "w2", { port: 81 }, true],
      ["w0", "w3", { port: 80 }, true],
    ])).toEqual([]);
    expect(mistakes(network({ policies: [np({ selector: "name == 'w0'", ingress: [{ source: { service } }] })] }), [
      ["w2", "w0", { port: 80 }, true],
      ["w2", "w0", { port: 81 }, true],
      ["w3", "w0", { port: 80 }, false],
    ])).toEqual([]);
  });
});
