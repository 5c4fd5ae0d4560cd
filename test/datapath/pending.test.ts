import { describe, expect, it } from "vitest";
import { eachPending } from "../../src/datapath/hit-counts.ts";
import { Field } from "../../src/datapath/record-ring.ts";
import type { Policy, ResourceSet } from "../../src/resources/types.ts";
import { ipv4, tcp, udp } from "../packet/build.ts";
import { hostEndpoint, policy, PROTOCOL, resourceSet } from "../policy/build.ts";
import { DeciderBench, UNGOVERNED } from "./decider-bench.ts";

const allowTcp = policy({ name: "tcp", order: 10, ingress: [{ protocol: PROTOCOL.tcp }] });
const stagedWeb = policy({
  name: "s",
  staged: true,
  order: 5,
  ingress: [{ action: "Deny", protocol: PROTOCOL.tcp, destination: { ports: [80] } }, { protocol: PROTOCOL.udp }],
});

function hostWith(...policies: readonly Policy[]): ResourceSet {
  return resourceSet({ hostEndpoints: [hostEndpoint({ name: "host" })], policies });
}

const tcpTo = (port: number, sourcePort = 4000): Uint8Array =>
  ipv4({ protocol: 6, source: 1, destination: 2 }, tcp({ sourcePort, destinationPort: port }));
const udpTo = (port: number): Uint8Array =>
  ipv4({ protocol: 17, source: 1, destination: 2 }, udp({ sourcePort: 4000, destinationPort: port }));

/** `policy[index] or reason: enforced -> pending` to its count. */
function counted({ compilation, ruleHits }: DeciderBench): Record<string, number> {
  const counts: Record<string, number> = {};
  eachPending(compilation.tables, (place) => ruleHits[place], (rule, enforced, count) => {
    const info = compilation.rules[rule];
    const by = info.rule === undefined ? info.reason : `${info.rule.policy}[${info.rule.index}]`;
    counts[`${by}: ${enforced} -> ${info.verdict}`] = count;
  });
  return counts;
}

/** The pending rule's policy or reason of each event, undefined where the record has none. */
function pendingOfEvents({ events, compilation }: DeciderBench): (string | undefined)[] {
  const pending: (string | undefined)[] = [];
  events.drain(1024, (at) => {
    const info = compilation.rules[events.words[at + Field.PENDING] - 1];
    pending.push(info?.rule?.policy ?? info?.reason);
  });
  return pending;
}

describe("staged policies in the packet path", () => {
  it("change no verdict, no rule hit and no mark", () => {
    const bench = new DeciderBench(hostWith(allowTcp, stagedWeb));
    const plain = new DeciderBench(hostWith(allowTcp));
    for (const packet of [tcpTo(80), tcpTo(81), udpTo(80), tcpTo(80)]) {
      expect(bench.judge(packet)).toEqual(plain.judge(packet));
    }
    const hits = ({ compilation, ruleHits }: DeciderBench): Record<string, number> =>
      Object.fromEntries(
        compilation.rules.flatMap(({ rule, reason }, id) =>
          ruleHits[id] > 0 ? [[rule?.policy ?? reason, ruleHits[id]]] : [],
        ),
      );
    expect(hits(bench)).toEqual(hits(plain));
    expect(hits(bench)).toEqual({ tcp: 3, "end-of-tier": 1 });
  });

  it("are counted by what they would have decided and what was enforced instead, once a flow", () => {
    const bench = new DeciderBench(hostWith(allowTcp, stagedWeb));
    for (const packet of [tcpTo(80), tcpTo(80), tcpTo(80, 4001), tcpTo(81), udpTo(53)]) bench.judge(packet);
    expect(counted(bench)).toEqual({
      "staged:s[0]: allow -> deny": 2,
      "staged:s[1]: deny -> allow": 1,
      "tcp[0]: allow -> allow": 1,
    });
  });

  it("are in a flow's record where they would have changed its verdict, and only there", () => {
    const bench = new DeciderBench(hostWith(allowTcp, stagedWeb));
    for (const packet of [tcpTo(80), tcpTo(80), tcpTo(81), udpTo(53)]) bench.judge(packet);
    expect(pendingOfEvents(bench)).toEqual(["staged:s", undefined, "staged:s"]);
  });

  it("have records of accepted flows too, which leave room for those of denied ones", () => {
    const bench = new DeciderBench(hostWith(allowTcp, stagedWeb), 65536, false);
    bench.judge(tcpTo(81));
    for (let sourcePort = 1; sourcePort <= 2000; sourcePort++) bench.judge(tcpTo(80, sourcePort));
    expect(bench.events.lost).toBeGreaterThan(0);
    const lost = bench.events.lost;
    bench.judge(udpTo(53));
    expect(bench.events.lost).toBe(lost);
    const pending = pendingOfEvents(bench);
    expect(pending).toHaveLength(2001 - lost);
    expect(counted(bench)).toMatchObject({ "staged:s[0]: allow -> deny": 2000, "staged:s[1]: deny -> allow": 1 });
  });

  it("end a pending tier, which is laid at the last staged policy's door", () => {
    const bench = new DeciderBench(
      resourceSet({
        hostEndpoints: [hostEndpoint({ name: "host", profiles: ["projectcalico-default-allow"] })],
        policies: [policy({ name: "s", staged: true, types: ["ingress"] })],
      }),
    );
    expect(bench.judge(tcpTo(80)).verdict).toBe("accept");
    expect(counted(bench)).toEqual({ "end-of-tier: allow -> deny": 1 });
    const end = bench.compilation.rules.find(({ reason }) => reason === "end-of-tier");
    expect(end).toMatchObject({ verdict: "deny", tier: "default", staged: "staged:s", rule: undefined });
  });

  it("are not asked where no endpoint is", () => {
    const bench = new DeciderBench(hostWith(allowTcp, stagedWeb));
    bench.judge(tcpTo(80), { inInterface: UNGOVERNED });
    expect(counted(bench)).toEqual({});
  });
});

describe("without a staged policy that applies", () => {
  it.each<[string, readonly Policy[]]>([
    ["none is there", [allowTcp]],
    ["it chooses no endpoint", [allowTcp, policy({ staged: true, selector: "role == 'nobody'", ingress: [{}] })]],
    ["it deletes what is not there", [allowTcp, policy({ name: "gone", staged: true, stagedAction: "Delete" })]],
  ])("nothing is compiled, counted or recorded for it: %s", (_, policies) => {
    const bench = new DeciderBench(hostWith(...policies));
    bench.judge(tcpTo(80));
    expect(bench.compilation.tables.pendingPrograms).toHaveLength(0);
    expect(bench.compilation.rules).toHaveLength(new DeciderBench(hostWith(allowTcp)).compilation.rules.length);
    expect(bench.ruleHits).toHaveLength(bench.compilation.rules.length);
    expect(pendingOfEvents(bench)).toEqual([undefined]);
  });

  it("only endpoints and directions it applies to have a pending program", () => {
    const bench = new DeciderBench(hostWith(allowTcp, stagedWeb));
    const present = [...bench.compilation.tables.pendingPrograms].filter((program) => program !== 0xffffffff);
    expect(present).toHaveLength(1);
  });
});
