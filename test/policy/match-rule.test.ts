import { describe, expect, it } from "vitest";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import { ruleMatches } from "../../src/policy/match-rule.ts";
import {
  backend,
  hostEndpoint,
  inNamespace,
  networkSet,
  packet,
  port,
  PROTOCOL,
  resourceSet,
  rule,
  workloadEndpoint,
} from "./build.ts";
import type { PacketOptions, RuleOptions } from "./build.ts";

const { tcp, udp, sctp, udplite, icmp, icmpv6 } = PROTOCOL;

const SET = resourceSet({
  hostEndpoints: [
    hostEndpoint({ name: "web", labels: { role: "web" }, expectedIPs: ["10.0.0.1", "2001:db8::1"] }),
    hostEndpoint({ name: "db", node: "other-node", labels: { role: "db", env: "prod" }, expectedIPs: ["10.0.0.2"] }),
    hostEndpoint({ name: "blank", labels: { role: "blank" }, expectedIPs: [], ports: [port("http", 1)] }),
    hostEndpoint({ name: "gate", labels: { role: "gate" }, expectedIPs: ["10.0.0.4"], ports: [port("http", 80)] }),
  ],
  workloadEndpoints: [
    workloadEndpoint({
      name: "shop",
      namespace: "blue",
      labels: { role: "shop", "pcns.team": "a" },
      addresses: ["10.65.0.1", "10.65.0.2", "2001:db8:65::1"],
      ports: [port("http", 8080), port("dns", 53, PROTOCOL.udp)],
    }),
    workloadEndpoint({
      name: "store",
      namespace: "red",
      node: "other-node",
      labels: { role: "store" },
      addresses: ["10.65.1.1"],
      ports: [port("http", 9090), port("dns", 53)],
    }),
    // Two pods with one address: a reused IP before the old pod is gone.
    workloadEndpoint({ name: "old", labels: { role: "old" }, addresses: ["10.65.2.1"], ports: [port("http", 7000)] }),
    workloadEndpoint({ name: "new", labels: { role: "new" }, addresses: ["10.65.2.1"] }),
  ],
  networkSets: [
    networkSet("branch", { role: "branch" }, ["172.31.0.0/16"], "blue"),
    networkSet("office", { role: "office", env: "prod" }, ["172.16.0.0/12", "10.0.0.1/32"]),
    networkSet("lab", { role: "lab" }, ["172.16.5.0/24", "2001:db8:1::/48"]),
  ],
});

type Row = [what: string, rule: RuleOptions, packet: PacketOptions, matches: boolean];

function check(rows: Row[]): void {
  it.each(rows)("%s", (_what, options, facts, matches) => {
    expect(ruleMatches(SET, rule(options), packet(facts))).toBe(matches);
  });
}

function from(address: string): PacketOptions {
  return { from: address };
}

function source(selector: string): RuleOptions {
  return { source: { selector } };
}

function notSource(notSelector: string): RuleOptions {
  return { source: { notSelector } };
}

describe("a rule without criteria", () => {
  check([
    ["matches TCP over IPv4", {}, {}, true],
    ["matches ICMPv6", {}, { from: "2001:db8::1", icmp: [128, 0] }, true],
    ["matches a protocol without ports", {}, { protocol: 253 }, true],
  ]);
});

describe("protocol and notProtocol", () => {
  check([
    ["protocol is the packet's", { protocol: tcp }, { protocol: tcp }, true],
    ["protocol is another", { protocol: tcp }, { protocol: udp }, false],
    ["UDPLite is not UDP", { protocol: udp }, { protocol: udplite }, false],
    ["UDPLite by its number", { protocol: udplite }, { protocol: udplite }, true],
    ["notProtocol is the packet's", { notProtocol: tcp }, { protocol: tcp }, false],
    ["notProtocol is another", { notProtocol: tcp }, { protocol: 253 }, true],
    ["both must hold", { protocol: udp, notProtocol: udp }, { protocol: udp }, false],
    ["ICMP never matches IPv6 (trap 33)", { protocol: icmp }, { from: "2001:db8::1", protocol: icmp }, false],
    ["ICMPv6 never matches IPv4", { protocol: icmpv6 }, { protocol: icmpv6 }, false],
  ]);
});

describe("the IP versions a rule exists for (SEMANTICS 1.4)", () => {
  const v6 = { from: "2001:db8::1", to: "2001:db8::2" };
  check([
    ["ipVersion 4 is no rule for IPv6", { ipVersion: 4 }, v6, false],
    ["ipVersion 6 is a rule for IPv6", { ipVersion: 6 }, v6, true],
    ["IPv4 source nets: no rule for IPv6 (trap 37)", { source: { nets: ["0.0.0.0/0"] } }, v6, false],
    ["IPv4 destination notNets: no rule for IPv6", { destination: { notNets: ["10.0.0.0/8"] } }, v6, false],
    ["IPv6 notNets: a rule for IPv6", { destination: { notNets: ["2001:db8:ff::/48"] } }, v6, true],
    ["notNets 0.0.0.0/0 make the rule vanish (trap 36)", { source: { notNets: ["0.0.0.0/0"] } }, {}, false],
    ["IPv4 notNets 0.0.0.0/0 make it vanish for IPv6 as well", { source: { notNets: ["0.0.0.0/0"] } }, v6, false],
  ]);
});

describe("nets and notNets", () => {
  const nets = { source: { nets: ["10.1.0.0/16", "10.3.0.0/16"] } };
  const carved = { source: { nets: ["10.1.0.0/16"], notNets: ["10.1.2.0/24"] } };
  check([
    ["first address", nets, from("10.1.0.0"), true],
    ["last address", nets, from("10.1.255.255"), true],
    ["one before", nets, from("10.0.255.255"), false],
    ["one after", nets, from("10.2.0.0"), false],
    ["any of the list", nets, from("10.3.0.1"), true],
    ["inside nets, outside notNets", carved, from("10.1.3.0"), true],
    ["inside both", carved, from("10.1.2.255"), false],
    ["outside nets, outside notNets", carved, from("10.2.0.0"), false],
    ["notNets alone", { source: { notNets: ["10.1.2.0/24"] } }, from("10.2.0.0"), true],
    ["the destination is not the source", { destination: { nets: ["10.1.0.0/16"] } }, from("10.1.0.0"), false],
    ["IPv6", { source: { nets: ["2001:db8::/32"] } }, from("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), true],
    ["IPv6, one after", { source: { nets: ["2001:db8::/32"] } }, from("2001:db9::"), false],
  ]);
});

describe("selector and notSelector (SEMANTICS 1.9)", () => {
  const both = { source: { selector: "has(role)", notSelector: "has(env)" } };
  check([
    ["an endpoint's expected IP", source("role == 'web'"), from("10.0.0.1"), true],
    ["its IPv6 one", source("role == 'web'"), from("2001:db8::1"), true],
    ["an endpoint of another node", source("role == 'db'"), from("10.0.0.2"), true],
    ["another endpoint's IP", source("role == 'web'"), from("10.0.0.2"), false],
    ["a network set's member", source("role == 'office'"), from("172.31.255.255"), true],
    ["just outside the network set", source("role == 'office'"), from("172.32.0.0"), false],
    ["any of the resources an address belongs to", source("role == 'lab'"), from("172.16.5.9"), true],
    ["all() is every known address", source("all()"), from("172.20.0.1"), true],
    ["all() is not an unknown address", source("all()"), from("192.0.2.1"), false],
    ["an empty selector is all()", source(""), from("192.0.2.1"), false],
    ["an endpoint without expectedIPs has no address (trap 8)", source("role == 'blank'"), from("10.0.0.3"), false],
    ["!has(x) matches only known addresses (trap 6)", source("!has(env)"), from("192.0.2.1"), false],
    ["!has(x) matches known addresses without it", source("!has(env)"), from("2001:db8:1::5"), true],
    ["notSelector alone matches unknown addresses (trap 6)", notSource("has(env)"), from("192.0.2.1"), true],
    ["notSelector alone, chosen", notSource("has(env)"), from("10.0.0.2"), false],
    // 10.0.0.1 belongs to endpoint web, without env, and to network set office, with it.
    ["notSelector alone, one of two owners chosen", notSource("has(env)"), from("10.0.0.1"), false],
    ["with selector it is one condition on one owner", both, from("10.0.0.1"), true],
    ["with selector, every owner excluded", both, from("10.0.0.2"), false],
    ["with selector, unknown addresses do not match", both, from("192.0.2.1"), false],
    ["nets and selector: both hold", { source: { nets: ["10.0.0.0/31"], selector: "all()" } }, from("10.0.0.1"), true],
    ["nets and selector: one holds", { source: { nets: ["10.0.0.0/31"], selector: "all()" } }, from("10.0.0.2"), false],
    ["destination", { destination: { selector: "role == 'db'" } }, { to: "10.0.0.2" }, true],
  ]);
});

describe("ports and notPorts", () => {
  const to = (port: number, protocol: number = tcp): PacketOptions => ({ port, protocol });
  const ports = { protocol: tcp, destination: { ports: [80, [8000, 8010]] } } as const;
  const bothEnds = { protocol: udp, source: { ports: [53] }, destination: { ports: [9] } };
  const carved = { protocol: tcp, destination: { ports: [[8000, 8010]], notPorts: [8005] } } as const;
  check([
    ["a single port", ports, to(80), true],
    ["one below", ports, to(79), false],
    ["first of a range", ports, to(8000), true],
    ["last of a range", ports, to(8010), true],
    ["one beyond", ports, to(8011), false],
    ["the same port of another protocol", ports, to(80, udp), false],
    ["in ports, not in notPorts", carved, to(8004), true],
    ["in both", carved, to(8005), false],
    ["notPorts alone", { protocol: sctp, destination: { notPorts: [80] } }, to(81, sctp), true],
    ["source ports", { protocol: udp, source: { ports: [53] } }, { protocol: udp, sourcePort: 53, port: 9 }, true],
    ["source and destination must both hold", bothEnds, { protocol: udp, sourcePort: 53, port: 10 }, false],
    ["port 65535", { protocol: tcp, destination: { ports: [[1024, 65_535]] } }, to(65_535), true],
    ["port 0 is in no range from 1", { protocol: tcp, destination: { ports: [[1, 65_535]] } }, to(0), false],
  ]);

  it("a packet without ports meets no port criterion, not even a negated one", () => {
    const headless: PolicyPacket = { ...packet(), sourcePort: undefined, destinationPort: undefined };
    expect(ruleMatches(SET, rule({ protocol: tcp }), headless)).toBe(true);
    expect(ruleMatches(SET, rule({ protocol: tcp, destination: { ports: [80] } }), headless)).toBe(false);
    expect(ruleMatches(SET, rule({ protocol: tcp, destination: { notPorts: [80] } }), headless)).toBe(false);
  });
});

describe("icmp and notICMP", () => {
  const v6 = { from: "2001:db8::1" };
  const echoReply = { protocol: icmp, icmp: { type: 0 } };
  const typeAndCode = { protocol: icmp, icmp: { type: 3, code: 0 } };
  check([
    ["type 0 is a type (trap 32)", echoReply, { icmp: [0, 0] }, true],
    ["type 0 is not any type (trap 32)", echoReply, { icmp: [8, 0] }, false],
    ["a type without code: any code", echoReply, { icmp: [0, 7] }, true],
    ["code 0 is a code (trap 32)", typeAndCode, { icmp: [3, 0] }, true],
    ["code 0 is not any code (trap 32)", typeAndCode, { icmp: [3, 1] }, false],
    ["no type and no code: any ICMP", { protocol: icmp, icmp: {} }, { icmp: [13, 0] }, true],
    ["ICMPv6 type", { protocol: icmpv6, icmp: { type: 128 } }, { ...v6, icmp: [128, 0] }, true],
    ["ICMP type 128 is not ICMPv6 type 128", { protocol: icmpv6, icmp: { type: 128 } }, { icmp: [128, 0] }, false],
    ["notICMP, same type", { protocol: icmp, notIcmp: { type: 8 } }, { icmp: [8, 0] }, false],
    ["notICMP, another type", { protocol: icmp, notIcmp: { type: 8 } }, { icmp: [0, 0] }, true],
    ["notICMP, same type, another code", { protocol: icmp, notIcmp: { type: 3, code: 0 } }, { icmp: [3, 1] }, true],
    ["notICMP of any type", { notIcmp: {} }, { icmp: [0, 0] }, false],
    ["notICMP without protocol is satisfied by TCP", { notIcmp: { type: 8 } }, {}, true],
    ["and by ICMP's number over IPv6, which is not ICMP", { notIcmp: {} }, { ...v6, protocol: icmp }, true],
  ]);

  it("an ICMP packet whose type is unknown meets neither icmp nor notICMP with a type", () => {
    const headless: PolicyPacket = { ...packet({ icmp: [8, 0] }), icmpType: undefined, icmpCode: undefined };
    expect(ruleMatches(SET, rule({ protocol: icmp, icmp: { type: 8 } }), headless)).toBe(false);
    expect(ruleMatches(SET, rule({ protocol: icmp, notIcmp: { type: 8 } }), headless)).toBe(false);
  });
});

const PODS = "projectcalico.org/orchestrator == 'k8s'";

describe("whom a selector chooses (SEMANTICS 1.9)", () => {
  const team = { source: { selector: "pcns.team == 'a'" } };
  const ownOnly = { source: { selector: inNamespace("", "blue"), notSelector: "role == 'shop'" } };
  check([
    ["a pod by its labels, at any of its addresses", source("role == 'shop'"), from("10.65.0.2"), true],
    ["and its IPv6 one", source("role == 'shop'"), from("2001:db8:65::1"), true],
    ["a pod of another node", source("role == 'store'"), from("10.65.1.1"), true],
    ["pods by the labels of their namespace", team, from("10.65.0.1"), true],
    ["not those of other namespaces", team, from("10.65.1.1"), false],
    ["a NetworkSet of the namespace", source(inNamespace("", "blue")), from("172.31.0.1"), true],
    ["a NetworkSet has no orchestrator (trap 43)", source(PODS), from("172.31.0.1"), false],
    ["a HostEndpoint by a missing namespace label (trap 4)", source("pcns.team != 'b'"), from("10.0.0.1"), true],
    ["confined notSelector: own, not excluded", ownOnly, from("172.31.0.1"), true],
    ["confined notSelector: own, excluded", ownOnly, from("10.65.0.1"), false],
    ["confined notSelector: unknown addresses do not match (trap 6)", ownOnly, from("192.0.2.1"), false],
  ]);
});

describe("named ports (SEMANTICS 1.4)", () => {
  const to = (address: string, portNumber: number, protocol: number = tcp): PacketOptions => ({
    to: address,
    port: portNumber,
    protocol,
  });
  const http = { protocol: tcp, destination: { ports: ["http"] } };
  const dns = { destination: { ports: ["dns"] } };
  const shopHttp = { protocol: tcp, destination: { ports: ["http"], selector: "role == 'shop'" } };
  const mixed = { protocol: tcp, destination: { ports: ["http", 443, [7000, 7010]] } } as const;
  const notHttp = { protocol: tcp, destination: { notPorts: ["http"] } };
  const notHttpOfPods = { protocol: tcp, destination: { notPorts: ["http"], selector: PODS } };
  const tcpDns = { protocol: tcp, ...dns };
  const notNobody = { destination: { notPorts: ["nobody"] } };
  const notHttpNor81 = { protocol: tcp, destination: { notPorts: ["http", 81] } };
  const fromHttp = { protocol: tcp, source: { ports: ["http"] } };
  const ofNew = { protocol: tcp, destination: { ports: ["http"], selector: "role == 'new'" } };
  const notOfNew = { protocol: tcp, destination: { notPorts: ["http"], selector: "role == 'new'" } };
  check([
    ["are each endpoint's own number", http, to("10.65.0.1", 8080), true],
    ["another endpoint's number is not it", http, to("10.65.0.1", 9090), false],
    ["at all its addresses", http, to("10.65.0.2", 8080), true],
    ["of endpoints of every node", http, to("10.65.1.1", 9090), true],
    ["of HostEndpoints", http, to("10.0.0.4", 80), true],
    ["not of addresses nobody has", http, to("192.0.2.9", 8080), false],
    ["only of endpoints the selector chooses", shopHttp, to("10.65.0.1", 8080), true],
    ["not of others", shopHttp, to("10.65.1.1", 9090), false],
    ["not of others with the same address (trap 45)", ofNew, to("10.65.2.1", 7000), false],
    ["negated, of others with the same address neither", notOfNew, to("10.65.2.1", 7000), true],
    ["without protocol: the one the endpoint declares, UDP", dns, to("10.65.0.1", 53, udp), true],
    ["and not another", dns, to("10.65.0.1", 53, tcp), false],
    ["and TCP where it declares TCP", dns, to("10.65.1.1", 53, tcp), true],
    ["with protocol: a name declared for another never matches (trap 42)", tcpDns, to("10.65.0.1", 53, udp), false],
    ["an unknown name never matches (trap 42)", { destination: { ports: ["nobody"] } }, to("10.65.0.1", 8080), false],
    ["beside numbers: by name", mixed, to("10.65.0.1", 8080), true],
    ["beside numbers: by number, to anybody", mixed, to("192.0.2.9", 443), true],
    ["beside numbers: by range", mixed, to("192.0.2.9", 7010), true],
    ["beside numbers: by neither", mixed, to("192.0.2.9", 8080), false],
    ["as source ports", fromHttp, { from: "10.65.0.1", sourcePort: 8080, port: 1 }, true],
    ["as source ports, at the destination", fromHttp, { to: "10.65.0.1", sourcePort: 1, port: 8080 }, false],
    ["negated: the port itself", notHttp, to("10.65.0.1", 8080), false],
    ["negated: another port of it", notHttp, to("10.65.0.1", 81), true],
    ["negated: anybody else", notHttp, to("192.0.2.9", 8080), true],
    ["negated with a selector: the port itself", notHttpOfPods, to("10.65.1.1", 9090), false],
    ["negated with a selector: chosen, another port", notHttpOfPods, to("10.65.1.1", 8080), true],
    ["negated with a selector: not chosen", notHttpOfPods, to("10.0.0.4", 81), false],
    ["negated, unknown name: always holds", notNobody, to("10.65.0.1", 8080), true],
    ["negated, for ICMP, which has no port: holds", notNobody, { to: "10.65.0.1", icmp: [8, 0] }, true],
    ["negated numbers and names must both hold: the number", notHttpNor81, to("10.65.0.1", 81), false],
    ["negated numbers and names must both hold: the name", notHttpNor81, to("10.65.0.1", 8080), false],
    ["negated numbers and names must both hold: neither", notHttpNor81, to("10.65.0.1", 82), true],
  ]);

  it("a part of a TCP packet, without its ports, meets no named port, not even negated", () => {
    const whole = packet({ to: "10.65.0.1" });
    const headless: PolicyPacket = { ...whole, sourcePort: undefined, destinationPort: undefined };
    expect(ruleMatches(SET, rule(http), headless)).toBe(false);
    expect(ruleMatches(SET, rule(notHttp), headless)).toBe(false);
  });
});

describe("services (SEMANTICS 1.4)", () => {
  const service = [backend("10.65.0.1", 80), backend("10.65.1.1", 81), backend("10.65.1.1", 53, udp)];
  const to = { destination: { service } };
  const tcpTo = { protocol: tcp, ...to };
  const fromService = { source: { service } };
  check([
    ["as a destination a backend's address, protocol and port", to, { to: "10.65.0.1", port: 80 }, true],
    ["another backend's port", to, { to: "10.65.0.1", port: 81 }, false],
    ["another protocol", to, { to: "10.65.1.1", port: 81, protocol: udp }, false],
    ["each backend its own", to, { to: "10.65.1.1", port: 53, protocol: udp }, true],
    ["an address that is none", to, { to: "10.65.0.2", port: 80 }, false],
    ["as a source a backend's address, whatever the port (row 81)", fromService, { from: "10.65.0.1", port: 9 }, true],
    ["and whatever the protocol", fromService, { from: "10.65.1.1", icmp: [8, 0] }, true],
    ["an address that is none, as a source", fromService, { from: "10.65.0.2" }, false],
    ["without backends matches nothing", { destination: { service: [] } }, { to: "10.65.0.1", port: 80 }, false],
    ["with the rule's protocol, both must hold", tcpTo, { to: "10.65.1.1", port: 53, protocol: udp }, false],
  ]);
});
