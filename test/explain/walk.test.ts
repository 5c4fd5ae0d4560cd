/** What explain plans on a node is what the packet walk of the reference evaluator does there, hook by hook. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Hook } from "../../src/explain/course.ts";
import { CoursePlanner } from "../../src/explain/course.ts";
import { endpointName } from "../../src/explain/endpoint-directory.ts";
import { explainConnection } from "../../src/explain/explain-connection.ts";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import type { EndpointChoice } from "../../src/policy/endpoint-choice.ts";
import { chooseEndpoints, governingEndpoint, workloadEndpoint } from "../../src/policy/endpoint-choice.ts";
import type { Judgement } from "../../src/policy/walk.ts";
import { judgeConnection, judgeForward, judgeInput, judgeOutput, judgePreDNAT } from "../../src/policy/walk.ts";
import type { Endpoint, ResourceSet } from "../../src/resources/types.ts";
import { arbitraryPacketFor, arbitraryResourceSet } from "../policy/arbitraries.ts";
import { NODE } from "../policy/build.ts";

const SETS = 80;
const PACKETS = 10;

const cases = arbitraryResourceSet().chain((set) =>
  fc.tuple(fc.constant(set), fc.array(arbitraryPacketFor(set), { minLength: PACKETS, maxLength: PACKETS })),
);

interface Outcome {
  readonly verdict: string;
  /** Class, direction and endpoint of each stage whose policies were asked. */
  readonly asked: readonly string[];
}

/** What explain comes to between two endpoints. */
function explained(
  set: ResourceSet,
  ends: readonly [Endpoint | undefined, Endpoint | undefined],
  packet: PolicyPacket,
  hook?: Hook,
): Outcome {
  const planner = new CoursePlanner(set, { node: hook && NODE, hook });
  const [source, destination] = ends.map((endpoint) => ({ text: "", endpoint, addresses: {} }));
  const course = planner.plan(...ends, packet.source === packet.destination);
  const { verdict, stages } = explainConnection(set, { source, destination, packet }, course);
  const asked = stages.filter(({ reason }) => reason !== "encapsulation" && reason !== "neighbour-discovery");
  return { verdict, asked: asked.map((each) => `${each.policyClass} ${each.direction} ${each.endpoint}`) };
}

/** What the walk comes to: what it leaves to the host's own rules, no policy denied. */
function walked({ verdict, steps }: Judgement): Outcome {
  const asked = steps.map((step) => `${step.policyClass} ${step.direction} ${endpointName(step.endpoint)}`);
  return { verdict: verdict === "deny" ? "deny" : "allow", asked };
}

/** Endpoints of the node with the interface they govern now. */
function onInterfaces(set: ResourceSet, choice: EndpointChoice): (readonly [Endpoint, string])[] {
  return [...set.hostEndpoints, ...set.workloadEndpoints].flatMap((endpoint) => {
    const name = endpoint.interfaceName;
    if (endpoint.node !== NODE || name === undefined || name === "*") return [];
    const governs = endpoint.kind === "HostEndpoint" ? governingEndpoint(choice, name) : workloadEndpoint(choice, name);
    return governs === endpoint ? [[endpoint, name] as const] : [];
  });
}

/** Every hook of the node that the packet could pass between these interfaces: what explain says, and what the walk. */
function comparisons(set: ResourceSet, packet: PolicyPacket): { explained: Outcome; walked: Outcome }[] {
  const choice = chooseEndpoints(set, NODE, []);
  const ends = onInterfaces(set, choice);
  const host = ends.find(([endpoint]) => endpoint.kind === "HostEndpoint")?.[0];
  return ends.flatMap(([from, inInterface]) => {
    const into = from.kind === "HostEndpoint" ? from : host;
    const list = ends.map(([to, outInterface]) => ({
      explained: explained(set, [from, to], packet, "forward"),
      walked: walked(judgeForward(set, NODE, choice, inInterface, outInterface, packet)),
    }));
    if (into === undefined) return list;
    // A packet to the host comes from a workload of the node, or from elsewhere through the host's interface.
    const local = [from === into ? undefined : from, into] as const;
    list.push({
      explained: explained(set, local, packet, "input"),
      walked: walked(judgeInput(set, NODE, choice, inInterface, packet)),
    });
    list.push({
      explained: explained(set, local, packet, "prerouting"),
      walked: walked(judgePreDNAT(set, NODE, choice, inInterface, packet)),
    });
    if (from !== into) return list;
    const output = judgeOutput(set, NODE, choice, inInterface, packet);
    return [...list, { explained: explained(set, [from, undefined], packet, "output"), walked: walked(output) }];
  });
}

describe("any resources and packets", () => {
  it("on a node, are judged at each hook by whom the walk asks, with its verdict", { timeout: 120_000 }, () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(cases, ([set, packets]) => {
        for (const packet of packets) {
          const compared = comparisons(set, packet);
          expect(compared.map((each) => each.explained)).toEqual(compared.map((each) => each.walked));
          const asked = compared.flatMap(({ walked: outcome }) => outcome.asked);
          for (const stage of asked) seen.add(stage.split(" ", 2).join(" "));
        }
      }),
      { numRuns: SETS },
    );
    const stages = ["normal ingress", "normal egress", "forward ingress", "forward egress", "preDNAT ingress"];
    expect(stages.filter((stage) => !seen.has(stage))).toEqual([]);
  });

  it("between both ends, are judged as a connection", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(cases, ([all, packets]) => {
        // A connection of the evaluator has the class normal only.
        const set = { ...all, policies: all.policies.filter(({ preDNAT, doNotTrack }) => !preDNAT && !doNotTrack) };
        const ends = [undefined, ...set.hostEndpoints, ...set.workloadEndpoints];
        for (const packet of packets) {
          for (const source of ends) {
            for (const destination of ends) {
              // Between two HostEndpoints of one node the packet takes the loopback interface, which is exempt.
              const hosts = [source, destination].every((end) => end?.kind === "HostEndpoint");
              if (hosts && source?.node === destination?.node) continue;
              const { verdict } = judgeConnection(set, { source, destination, packet });
              const ours = explained(set, [source, destination], packet).verdict;
              const asked = [source, destination].map((end) => end && endpointName(end));
              expect({ asked, packet, verdict: ours }).toEqual({ asked, packet, verdict });
            }
          }
        }
      }),
      { numRuns: SETS },
    );
  });
});
