/** What selectors and port names stand for is found once, however many rules ask (SEMANTICS 1.4). */
import { describe, expect, it } from "vitest";
import type { ResourceSet } from "../../src/resources/types.ts";
import { AddressClassBuilder } from "../../src/tables/address-classes.ts";
import { AddressPredicates } from "../../src/tables/address-sets.ts";
import { RuleBuilder } from "../../src/tables/rule-builder.ts";
import { SelectedSets } from "../../src/tables/selected-sets.ts";
import { policy, port, PROTOCOL, resourceSet, workloadEndpoint } from "../policy/build.ts";

const PODS = 300;
const POLICIES = 400;

function podsWithAPort(): ResourceSet {
  return resourceSet({
    workloadEndpoints: Array.from({ length: PODS }, (_, i) =>
      workloadEndpoint({
        name: `pod-${i}`,
        labels: { half: `${i % 2}` },
        addresses: [`10.0.${i >> 8}.${i & 255}`],
        ports: [port("http", 8080), port("dns", 53, PROTOCOL.udp)],
      }),
    ),
    policies: Array.from({ length: POLICIES }, (_, i) =>
      policy({
        name: `policy-${i}`,
        ingress: [
          { protocol: PROTOCOL.tcp, source: { selector: `half == '${i % 2}'` }, destination: { ports: ["http"] } },
          { destination: { ports: ["http", "dns"], selector: "half == '1'" } },
        ],
      }),
    ),
  });
}

function buildRules(set: ResourceSet): { addresses: AddressPredicates; selected: SelectedSets; built: number } {
  const addresses = new AddressPredicates();
  const selected = new SelectedSets(set, addresses);
  const rules = new RuleBuilder(addresses, selected);
  for (const each of set.policies) {
    each.ingress.forEach((rule, index) => {
      rules.policyRule(rule, { tier: "default", policy: each.name, direction: "ingress", index });
    });
  }
  return { addresses, selected, built: rules.info.length };
}

describe("named ports that many rules ask for", () => {
  it("cost a set for each selection, protocol and port, not one for each rule", () => {
    const { addresses, built } = buildRules(podsWithAPort());
    // One for the first rule of a policy, two for the second (TCP 8080 and UDP 53).
    expect(built).toBe(POLICIES * 3);
    // half == 0, half == 1; all pods by TCP 8080; half == 1 by TCP 8080 and by UDP 53.
    expect(addresses.setCount).toBe(5);
    // any, the two halves, and each group; the second rule's groups meet half == 1.
    expect(addresses.predicateCount).toBe(6);
  });

  it("follow an endpoint that comes and goes, and say when a name stands for another port", () => {
    const set = podsWithAPort();
    const { addresses, selected } = buildRules(set);
    const classes = new AddressClassBuilder(addresses);
    const before = classes.publish();
    const none = { removed: [], added: [] };
    const [pod] = set.workloadEndpoints;
    expect(selected.update({ endpoints: { removed: [pod], added: [] }, networkSets: none })).toBe(true);
    expect(classes.publish().ipv4).not.toBe(before.ipv4);
    expect(selected.update({ endpoints: { removed: [], added: [pod] }, networkSets: none })).toBe(true);
    expect(classes.publish().ipv4.intervals).toEqual(before.ipv4.intervals);
    const moved = { ...pod, ports: [port("http", 9090)] };
    expect(selected.update({ endpoints: { removed: [pod], added: [moved] }, networkSets: none })).toBe(false);
  });
});
