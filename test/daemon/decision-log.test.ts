import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { DecisionLog } from "../../src/daemon/decision-log.ts";
import type { Policy } from "../../src/resources/types.ts";
import { DeciderBench } from "../datapath/decider-bench.ts";
import { ipv4, tcp, udp } from "../packet/build.ts";
import { hostEndpoint, policy, PROTOCOL, resourceSet } from "../policy/build.ts";

interface Line {
  readonly msg: string;
  readonly pending?: string;
  readonly suppressed?: number;
}

const openHost = hostEndpoint({ name: "host", profiles: ["projectcalico-default-allow"] });
const tcpFrom = (sourcePort: number): Uint8Array =>
  ipv4({ protocol: 6, source: 1, destination: 2 }, tcp({ sourcePort, destinationPort: 80 }));
const udpFrom = (sourcePort: number): Uint8Array =>
  ipv4({ protocol: 17, source: 1, destination: 2 }, udp({ sourcePort, destinationPort: 80 }));

/** What a log with this bound writes about the packets, under the policies. */
function logged(policies: readonly Policy[], packets: readonly Uint8Array[], perSecond = 50): Line[] {
  const bench = new DeciderBench(resourceSet({ hostEndpoints: [openHost], policies }), 65536, false);
  for (const packet of packets) bench.judge(packet);
  const lines: Line[] = [];
  const log = pino({ level: "info" }, { write: (text: string) => lines.push(JSON.parse(text) as Line) });
  const names = { compilationOf: () => bench.compilation, interfaceName: () => "eth0" };
  new DecisionLog(log, names, perSecond).drain([bench.events]);
  return lines;
}

const denyUdp = policy({ name: "e", order: 9, ingress: [{ action: "Deny", protocol: PROTOCOL.udp }, {}] });

describe("the log names what staged policies would have decided", () => {
  it.each<[string, readonly Policy[], string]>([
    [
      "a rule",
      [policy({ name: "s", namespace: "shop", selector: "all()", staged: true, ingress: [{ action: "Deny" }] })],
      "deny by StagedNetworkPolicy shop/s",
    ],
    [
      "the end of a tier with a staged policy",
      [policy({ name: "s", staged: true, types: ["ingress"] })],
      "deny by StagedGlobalNetworkPolicy s, end of tier default",
    ],
    [
      "the end of a tier that only lacks a deleted policy",
      [
        policy({ name: "p", order: 1, ingress: [{}] }),
        policy({ name: "q", order: 2, types: ["ingress"] }),
        policy({ name: "p", staged: true, stagedAction: "Delete" }),
      ],
      "deny by end of tier default",
    ],
  ])("%s", (_, policies, pending) => {
    const [line] = logged(
      policies.map((each) => ({ ...each, selector: policy().selector })),
      [tcpFrom(1)],
    );
    expect(line).toMatchObject({ msg: "would be denied", verdict: "accept", pending });
  });

  it("a profile, where a denied packet would have passed", () => {
    const closed = policy({ name: "p", types: ["ingress"] });
    const [line] = logged([closed, policy({ name: "p", staged: true, stagedAction: "Delete" })], [tcpFrom(1)]);
    expect(line).toMatchObject({ msg: "denied", verdict: "drop", reason: "end-of-tier", pending: "allow by profile" });
  });

  it("and nothing where they agree with what is enforced", () => {
    const staged = policy({ name: "s", order: 1, staged: true, ingress: [{ action: "Deny", protocol: PROTOCOL.udp }] });
    expect(logged([denyUdp, staged], [tcpFrom(1), udpFrom(1)])).toMatchObject([{ msg: "denied", rule: "ingress[0]" }]);
    expect(logged([denyUdp, staged], [udpFrom(1)])[0]?.pending).toBeUndefined();
  });
});

it("lines about staged policies have a bound of their own and push no denied connection out of the log", () => {
  const staged = policy({ name: "s", order: 1, staged: true, ingress: [{ action: "Deny" }] });
  const previews = Array.from({ length: 20 }, (_, i) => tcpFrom(i + 1));
  const lines = logged([denyUdp, staged], [...previews, udpFrom(1), udpFrom(2)], 5).map(({ msg }) => msg);
  expect(lines).toEqual([...Array.from({ length: 5 }, () => "would be denied"), "denied", "denied"]);
});
