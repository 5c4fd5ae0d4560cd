import { describe, expect, it } from "vitest";
import { documents, said, warningsOf } from "./said.ts";

const policy = (...rules: string[]): string => documents(`GlobalNetworkPolicy p { ingress: [${rules.join(", ")}] }`);
const rule = (criteria: string, action = "Allow"): string => `{ action: ${action}${criteria && `, ${criteria}`} }`;
const web = "protocol: TCP, destination: { ports: [80, 443] }";

describe("a rule behind one that takes all of its packets", () => {
  it("is reported at its own place, naming the other's", () => {
    const warnings = warningsOf(policy(rule(web), rule("protocol: TCP, destination: { ports: [80] }", "Deny")));
    expect(warnings).toMatchObject([{ code: "RAMPART_W_UNREACHABLE_RULE", location: { line: 4 } }]);
    expect(warnings[0]?.message).toMatch(
      /^GlobalNetworkPolicy p: no packet can reach this ingress rule \(Deny\): the Allow rule at .*:4:19 takes every /,
    );
  });

  it.each(["Allow", "Deny", "Pass"])("is unreachable behind %s", (action) => {
    expect(said(policy(rule("", action), rule(web)))).toEqual(["UNREACHABLE_RULE"]);
  });

  it.each([
    ["the same rule", web, web],
    ["any protocol over one", "", "protocol: UDP"],
    ["not one protocol over another", "notProtocol: UDP", "protocol: TCP"],
    ["both IP versions over one", "protocol: TCP", "protocol: TCP, ipVersion: 6"],
    ["an IP version over its own protocol", "ipVersion: 4", "protocol: ICMP"],
    [
      "a range over a part of it",
      "protocol: TCP, destination: { ports: ['80:90'] }",
      "protocol: TCP, destination: { ports: ['81:85', 90] }",
    ],
    [
      "ranges that meet",
      "protocol: TCP, source: { ports: ['1:10', '11:20'] }",
      "protocol: TCP, source: { ports: ['5:15'] }",
    ],
    ["excluded ports over others", "protocol: TCP, destination: { notPorts: [22] }", web],
    [
      "a wide prefix over narrow ones",
      "source: { nets: [10.0.0.0/8] }",
      "source: { nets: [10.1.0.0/16, 10.2.3.4/32] }",
    ],
    ["all of an IP version over any of its prefixes", "source: { nets: ['::/0'] }", "ipVersion: 6"],
    ["an excluded prefix over others", "source: { notNets: [10.0.0.0/8] }", "source: { nets: [192.168.0.0/16] }"],
    ["less excluded over more", "source: { notNets: [10.1.0.0/16] }", "source: { notNets: [10.0.0.0/8] }"],
    [
      "the same selector in other words",
      "source: { selector: a == 'x' && has(b) }",
      "source: { selector: has(b) && a == 'x' }",
    ],
    [
      "a selector over one with more conditions",
      "source: { selector: has(b) }",
      "source: { selector: has(b) && has(c) }",
    ],
    ["everyone known over a selector", "source: { selector: all() }", "source: { selector: has(c) }"],
    ["any ICMP type over one", "protocol: ICMP", "protocol: ICMP, icmp: { type: 8 }"],
    ["an ICMP type over one code", "protocol: ICMP, icmp: { type: 8 }", "protocol: ICMP, icmp: { type: 8, code: 0 }"],
    ["an excluded ICMP type over another", "notICMP: { type: 8 }", "protocol: ICMP, icmp: { type: 0 }"],
    ["an excluded ICMP type over TCP", "notICMP: { type: 8 }", web],
    [
      "a port by name over the same name",
      "destination: { ports: [http, dns] }",
      "protocol: TCP, destination: { ports: [http] }",
    ],
  ])("%s", (_, wide, narrow) => {
    expect(said(policy(rule(wide), rule(narrow)))).toEqual(["UNREACHABLE_RULE"]);
  });

  it("is one written rule, all of whose parts are unreachable", () => {
    const some = "ports: [{ port: 80 }], from: [{ ipBlock: { cidr: 10.0.0.0/8 } }]";
    const more = "ports: [{ port: 80 }, { port: 53, protocol: UDP }], from: [{ ipBlock: { cidr: 10.0.0.0/8 } }]";
    const kubernetes = (...rules: string[]): string => {
      const list = rules.map((each) => `{ ${each} }`).join(", ");
      return documents(`KubernetesPolicy blue/p { podSelector: {}, ingress: [${list}] }`);
    };
    expect(said(kubernetes(more, some))).toEqual(["UNREACHABLE_RULE"]);
    expect(said(kubernetes(some, more))).toEqual([]);
    expect(said(kubernetes("", some))).toEqual(["UNREACHABLE_RULE"]);
  });
});

describe("a rule that contradicts itself", () => {
  it.each([
    ["by its protocol", "protocol: TCP, notProtocol: TCP", "protocol and notProtocol"],
    ["by its ICMP type", "protocol: ICMP, icmp: { type: 8, code: 0 }, notICMP: { type: 8 }", "notICMP"],
    ["by its ports", "protocol: TCP, destination: { ports: ['80:81'], notPorts: [80, 81] }", "destination.notPorts"],
    ["by its prefixes", "source: { nets: [10.1.0.0/16], notNets: [10.0.0.0/8] }", "source.notNets"],
    ["by two values of a label", "source: { selector: a == 'x' && a == 'y' }", "no labels"],
    ["by a label that is there and is not", "source: { selector: has(a) && !has(a) }", "no labels"],
    ["by a value it excludes", "source: { selector: a == 'x' && a != 'x' }", "no labels"],
    ["by a selector it excludes", "source: { selector: has(a), notSelector: has(a) }", "no labels"],
  ])("%s is reported", (_, criteria, why) => {
    const warnings = warningsOf(policy(rule(criteria)));
    expect(warnings).toMatchObject([{ code: "RAMPART_W_UNREACHABLE_RULE" }]);
    expect(warnings[0]?.message).toContain(why);
  });
});

describe("no warning about", () => {
  it.each([
    ["a rule behind Log", rule("", "Log"), rule(web)],
    ["a rule before the one that takes everything", rule(web), rule("")],
    ["a port more", rule(web), rule("protocol: TCP, destination: { ports: [80, 8080] }")],
    ["a port on the other side", rule(web), rule("protocol: TCP, source: { ports: [80] }")],
    ["another protocol", rule(web), rule("protocol: UDP, destination: { ports: [80] }")],
    [
      "any port behind every port number, as a fragment has none",
      rule("protocol: UDP, destination: { ports: ['1:65535'] }"),
      rule("protocol: UDP"),
    ],
    ["a prefix more", rule("source: { nets: [10.0.0.0/8] }"), rule("source: { nets: [10.0.0.0/8, 11.0.0.0/8] }")],
    ["the wider prefix", rule("source: { nets: [10.0.0.0/9] }"), rule("source: { nets: [10.0.0.0/8] }")],
    ["the other IP version", rule("source: { nets: [0.0.0.0/0] }"), rule("protocol: TCP")],
    ["fewer exclusions", rule("source: { notNets: [10.0.0.0/8] }"), rule("source: { notNets: [10.1.0.0/16] }")],
    ["fewer conditions", rule("source: { selector: has(a) && has(b) }"), rule("source: { selector: has(a) }")],
    ["anyone at all behind everyone known", rule("source: { selector: all() }"), rule("")],
    [
      "an address with two owners, one excluded",
      rule("source: { notSelector: has(a) }"),
      rule("source: { selector: '!has(a)' }"),
    ],
    ["a part of two rules together", rule("ipVersion: 4"), rule("ipVersion: 6"), rule("protocol: TCP")],
    ["another ICMP type", rule("protocol: ICMP, icmp: { type: 8 }"), rule("protocol: ICMP")],
    [
      "a named port behind its usual number",
      rule("protocol: TCP, destination: { ports: [80] }"),
      rule("protocol: TCP, destination: { ports: [http] }"),
    ],
    [
      "a name on others' endpoints",
      rule("destination: { ports: [http], selector: has(a) }"),
      rule("destination: { ports: [http], selector: has(b) }"),
    ],
    ["a selector that only nobody meets today", rule("source: { selector: a == 'x' || a == 'y' }")],
    ["notICMP that leaves a code", rule("protocol: ICMP, icmp: { type: 8 }, notICMP: { type: 8, code: 0 }")],
  ])("%s", (_, ...rules) => {
    expect(said(policy(...rules))).toEqual([]);
  });

  it("rules of another policy or direction", () => {
    const all = "[{ action: Deny }]";
    const text = documents(
      `GlobalNetworkPolicy a { ingress: ${all}, egress: ${all} }`,
      `GlobalNetworkPolicy b { ingress: ${all} }`,
    );
    expect(said(text)).toEqual([]);
  });

  it("rules of a direction the policy is not for", () => {
    const spec = "types: [Egress], ingress: [{ action: Deny }, { action: Allow }]";
    expect(said(documents(`GlobalNetworkPolicy p { ${spec} }`))).toEqual([]);
  });
});
