/** IP protocols without ports between two nodes: policy knows them by number, conntrack by their two ends only. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { FAMILIES } from "./support/expect-path.ts";
import { ALLOW, globalPolicy, tier } from "./support/pod-documents.ts";
import { RawIpPeer } from "./support/raw-ip.ts";
import { H0, H1, nodeEndpoints, TwoNodes } from "./support/two-nodes.ts";

const PROTOCOLS = [253, 254];

let nodes: TwoNodes;
const peers = new Map<string, RawIpPeer>();

beforeAll(async () => {
  nodes = await TwoNodes.create();
  for (const name of ["h0", "h1"]) peers.set(name, await RawIpPeer.start(nodes.host(name), PROTOCOLS));
});
afterAll(() => nodes?.destroy());

/** Conntrack takes any two packets between the same ends for one connection (trap 30). */
beforeEach(async () => {
  await nodes.enforce();
  for (const name of ["h0", "h1"]) {
    await nodes.host(name).run(["conntrack", "-F"], { check: true });
  }
});

/** One after the other, in the order that is written: the first may open what the second needs. */
async function expectAnswers(outcomes: readonly (readonly [string, string, number, "pass" | "drop"])[]): Promise<void> {
  for (const family of FAMILIES) {
    for (const [from, to, protocol, outcome] of outcomes) {
      const got = await (peers.get(from) as RawIpPeer).ask(nodes.address(to, family), protocol, outcome);
      expect(got, `protocol ${protocol}, ${from} to ${to} over IPv${family}`).toBe(outcome);
    }
  }
}

describe.each(["eth0", "*"])("endpoints of interface %s", (interfaceName) => {
  const endpoints = nodeEndpoints(interfaceName);
  const ofNode = (name: string, node: string, spec: object): string =>
    globalPolicy(name, { selector: `node == '${node}'`, ...spec });
  const SECURITY = tier("security", { order: 1 });
  const OUT = ofNode("security.out", H0, { tier: "security", order: 10, types: ["Egress"], egress: [ALLOW] });
  const IN = ofNode("security.in", H1, { tier: "security", order: 10, types: ["Ingress"], ingress: [ALLOW] });

  test("row 10: what one node lets out the other must let in, also in protocol 253", async () => {
    await nodes.enforce(endpoints, SECURITY, OUT);
    await expectAnswers([["h0", "h1", 253, "drop"]]);
  });

  test("row 11: only the direction that both allow is open, and its answers come back", async () => {
    await nodes.enforce(endpoints, SECURITY, OUT, IN);
    await expectAnswers([
      ["h1", "h0", 253, "drop"],
      ["h0", "h1", 253, "pass"],
    ]);
  });

  test("row 13: one protocol is allowed by its number, and no other", async () => {
    const by = (protocol: number): object => ({ ...ALLOW, protocol });
    await nodes.enforce(
      endpoints,
      ofNode("out", H0, { types: ["Egress"], egress: [by(253)] }),
      ofNode("in", H1, { types: ["Ingress"], ingress: [by(253)] }),
    );
    await expectAnswers([
      ["h0", "h1", 254, "drop"],
      ["h0", "h1", 253, "pass"],
    ]);
  });
});
