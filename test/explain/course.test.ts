import { describe, expect, it } from "vitest";
import type { Scope } from "../../src/explain/course.ts";
import { CoursePlanner } from "../../src/explain/course.ts";
import { endpointName } from "../../src/explain/endpoint-directory.ts";
import { follow } from "../../src/explain/passage.ts";
import type { Endpoint, ResourceSet } from "../../src/resources/types.ts";
import { felix, hostEndpoint, policy, resourceSet, workloadEndpoint } from "../policy/build.ts";

const eth0 = hostEndpoint({ name: "eth0", node: "one" });
const two = hostEndpoint({ name: "two", node: "two" });
const pod = workloadEndpoint({ name: "pod", namespace: "ns", node: "one" });
const neighbour = workloadEndpoint({ name: "neighbour", namespace: "ns", node: "one" });
const remote = workloadEndpoint({ name: "remote", namespace: "ns", node: "two" });
const hosts = [eth0, two];
const set = resourceSet({ hostEndpoints: hosts, workloadEndpoints: [pod, neighbour, remote] });

/** `class direction of endpoint`, a stage each, in brackets if it may be skipped; then host action and remarks. */
function course(
  from: Endpoint | undefined,
  to: Endpoint | undefined,
  scope: Partial<Scope> = {},
  within = set,
): string[] {
  const planner = new CoursePlanner(within, { node: undefined, hook: undefined, ...scope });
  const { passages, remarks } = planner.plan(from, to, from === to);
  const stages = passages.flatMap((passage) => [
    ...passage.stages.map(({ endpoint, policyClass, direction, skippedIfAccepted }) => {
      const text = `${policyClass} ${direction} of ${endpointName(endpoint)}`;
      return skippedIfAccepted ? `(${text})` : text;
    }),
    ...(passage.hostAction === undefined ? [] : [`host action ${passage.hostAction}`]),
  ]);
  return [...stages, ...remarks.map((remark) => `note: ${remark}`)];
}

/** With a wildcard on node one whose preDNAT policy it is that sees every interface. */
function withWildcard(selector = "has(wild)"): ResourceSet {
  return resourceSet({
    hostEndpoints: [...hosts, hostEndpoint({ name: "any", node: "one", interfaceName: "*", labels: { wild: "" } })],
    workloadEndpoints: [pod, neighbour, remote],
    policies: [policy({ selector, preDNAT: true, applyOnForward: true })],
  });
}

describe("without a node, both ends judge, whichever node they are on", () => {
  it("the source's egress, then the destination's ingress", () => {
    const both = ["normal egress of ns/pod", "normal ingress of ns/neighbour"];
    expect(course(pod, neighbour)).toEqual(both);
    expect(course(pod, remote)).toEqual([both[0], "normal ingress of ns/remote"]);
  });

  it("a HostEndpoint judges untracked and before DNAT first; an allow there spares it the rest", () => {
    expect(course(pod, two).slice(1)).toEqual(["untracked ingress of two", "(normal ingress of two)"]);
    expect(course(eth0, remote).slice(0, 2)).toEqual(["untracked egress of eth0", "(normal egress of eth0)"]);
    const preDNAT = withWildcard("all()");
    expect(course(undefined, eth0, {}, preDNAT).slice(0, 2)).toEqual([
      "untracked ingress of eth0",
      "(preDNAT ingress of eth0)",
    ]);
  });

  it("an end that is no endpoint does not judge, and that is said", () => {
    expect(course(undefined, pod)).toEqual([
      "normal ingress of ns/pod",
      "note: the source belongs to no endpoint: only the destination judges",
    ]);
    expect(course(pod, undefined)).toHaveLength(2);
    expect(course(undefined, undefined)).toEqual(["note: neither address belongs to an endpoint"]);
  });

  it("nothing judges what does not leave an endpoint, or goes from a host to its own pod (SEMANTICS 3.4, O2)", () => {
    expect(course(pod, pod)).toEqual(["note: ns/pod and itself: the packet does not leave it"]);
    expect(course(eth0, pod)).toEqual(["note: from a host to a pod of the same node: never policed"]);
    expect(course(two, pod)).toContain("normal ingress of ns/pod");
  });

  it("an endpoint that reaches itself by another address does leave, and both its policies apply", () => {
    const { passages } = new CoursePlanner(set, { node: undefined, hook: undefined }).plan(pod, pod, false);
    expect(passages.flatMap(({ stages }) => stages.map(({ direction }) => direction))).toEqual(["egress", "ingress"]);
  });

  it("from a pod to its own host the HostEndpoint is not asked, but defaultEndpointToHostAction (I2)", () => {
    expect(course(pod, eth0)).toEqual(["normal egress of ns/pod", "host action Drop"]);
    const accepting = { ...set, felixConfigurations: [{ ...felix(), defaultEndpointToHostAction: "Accept" as const }] };
    expect(course(pod, eth0, {}, accepting).at(-1)).toBe("host action Accept");
    expect(course(pod, eth0, {}, withWildcard())).toEqual([
      "(preDNAT ingress of any)",
      "normal egress of ns/pod",
      "host action Drop",
    ]);
  });
});

describe("with a node, what that node sees is judged", () => {
  it("an end elsewhere is beyond the HostEndpoint, which judges forwarded traffic: F1 to F4", () => {
    expect(course(pod, remote, { node: "one" })).toEqual(["normal egress of ns/pod", "forward egress of eth0"]);
    expect(course(pod, neighbour, { node: "one" })).toEqual([
      "normal egress of ns/pod",
      "normal ingress of ns/neighbour",
    ]);
    expect(course(undefined, pod, { node: "one" })).toEqual([
      "untracked ingress of eth0",
      "(forward ingress of eth0)",
      "normal ingress of ns/pod",
    ]);
  });

  it("the wildcard judges workload interfaces too (F1, F4), and preDNAT where the specific one has no policy", () => {
    const within = withWildcard();
    expect(course(pod, eth0, { node: "one", hook: "forward" }, within)).toEqual([
      "(forward ingress of any)",
      "normal egress of ns/pod",
      "forward egress of eth0",
    ]);
    expect(course(eth0, pod, { node: "one", hook: "forward" }, within)).toContain("forward egress of any");
    expect(course(undefined, eth0, { node: "one" }, within)).toContain("(preDNAT ingress of any)");
  });

  it("of several wildcards only the one whose name sorts first is asked, also where only another has preDNAT policies", () => {
    const within = withWildcard();
    const inactive = { ...within, hostEndpoints: [...within.hostEndpoints, hostEndpoint({ name: "all", node: "one", interfaceName: "*" })] };
    expect(course(pod, eth0, { node: "one", hook: "prerouting" }, within)).toEqual(["(preDNAT ingress of any)"]);
    expect(course(pod, eth0, { node: "one", hook: "prerouting" }, inactive)).toEqual([
      "note: no endpoint of the node judges this packet there",
    ]);
  });

  it("traffic of the node itself is its HostEndpoint's alone", () => {
    expect(course(eth0, remote, { node: "one" })).toEqual(["untracked egress of eth0", "(normal egress of eth0)"]);
    expect(course(remote, eth0, { node: "one" })).toEqual(["untracked ingress of eth0", "(normal ingress of eth0)"]);
  });

  it("a hook leaves only its own stages", () => {
    expect(course(remote, eth0, { node: "one", hook: "raw" })).toEqual(["untracked ingress of eth0"]);
    expect(course(remote, eth0, { node: "one", hook: "input" })).toEqual(["(normal ingress of eth0)"]);
    expect(course(pod, remote, { node: "one", hook: "prerouting" })).toEqual([
      "note: no endpoint of the node judges this packet there",
    ]);
  });

  it("which of several HostEndpoints a packet passes is not guessed", () => {
    const ambiguous = expect.objectContaining({ code: "RAMPART_E_END_AMBIGUOUS" }) as Error;
    expect(() => course(pod, remote, { node: "one" }, withWildcard())).toThrow(ambiguous);
  });

  it("a node must be in the files; a hook needs one, and takes the only one there is", () => {
    const unknown = expect.objectContaining({ code: "RAMPART_E_NODE_UNKNOWN" }) as Error;
    expect(() => course(pod, remote, { node: "three" })).toThrow(unknown);
    expect(() => course(pod, remote, { hook: "forward" })).toThrow(unknown);
    const single = resourceSet({ workloadEndpoints: [pod, neighbour] });
    expect(course(pod, neighbour, { hook: "forward" }, single)).toHaveLength(2);
  });
});

describe("following a course", () => {
  const stage = { endpoint: eth0, direction: "ingress", hook: "input" } as const;
  const preDNAT = { ...stage, policyClass: "preDNAT", skippedIfAccepted: true } as const;
  const normal = { ...stage, policyClass: "normal", skippedIfAccepted: true } as const;
  const workload = { ...normal, skippedIfAccepted: false } as const;
  const passage = { stages: [preDNAT, normal, workload], hostAction: undefined };

  /** The verdict, and the classes that were asked. */
  function followed(
    passages: readonly (typeof passage)[],
    ...verdicts: readonly ("allow" | "deny" | "continue")[]
  ): string[] {
    const asked: string[] = [];
    const left = [...verdicts];
    const { verdict } = follow({ passages, remarks: [] }, ({ policyClass }) => {
      asked.push(policyClass);
      return left.shift() ?? "continue";
    });
    return [verdict, ...asked];
  }

  it("the first deny ends it", () => {
    expect(followed([passage], "deny")).toEqual(["deny", "preDNAT"]);
    expect(followed([passage], "continue", "allow", "deny")).toEqual(["deny", "preDNAT", "normal", "normal"]);
  });

  it("an allow before DNAT spares the packet stages of the same machine only, and never a workload's", () => {
    expect(followed([passage], "allow", "deny")).toEqual(["deny", "preDNAT", "normal"]);
    expect(followed([passage, { ...passage, stages: [normal as never] }], "allow", "allow", "deny")).toEqual([
      "deny",
      "preDNAT",
      "normal",
      "normal",
    ]);
  });

  it("an exemption spares the packet the rest of its passage, the host's action included", () => {
    const toHost = { stages: [workload, workload], hostAction: "Drop" as const };
    let asked = 0;
    const end = follow({ passages: [toHost], remarks: [] }, () => {
      asked++;
      return "exempt";
    });
    expect([asked, end]).toEqual([1, { verdict: "allow", hostAction: undefined }]);
  });

  it.each([
    ["Drop", "deny"],
    ["Accept", "allow"],
    ["Return", "allow"],
  ] as const)("from a workload to its host, %s has the last word: %s", (hostAction, verdict) => {
    const end = follow({ passages: [{ stages: [workload], hostAction }], remarks: [] }, () => "allow");
    expect(end).toEqual({ verdict, hostAction });
  });
});
