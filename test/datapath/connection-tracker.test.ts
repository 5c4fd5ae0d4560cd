/** What becomes of packets when userspace alone knows connections (`offload: none`). */
import { describe, expect, it } from "vitest";
import { OutcomeReasonIndex, OutcomeVerdict, HookIndex, outcomeReasons } from "../../src/datapath/outcome.ts";
import { PacketVerdict } from "../../src/hooks/marks.ts";
import { Verdict } from "../../src/native/binding.ts";
import type { ResourceSet } from "../../src/resources/types.ts";
import { ACK, icmp, ipv4, ipv6, join, sctp, SYN, tcp, udp, zeros } from "../packet/build.ts";
import { failsafe, felix, hostEndpoint, policy, PROTOCOL, resourceSet } from "../policy/build.ts";
import { ALSO_GOVERNED, DeciderBench, GOVERNED, LOOPBACK, UNGOVERNED, UNKNOWN, type PacketOptions } from "./decider-bench.ts";

const HOST = 0x0a000001;
const PEER = 0x0a000002;
const FAR = 0x0a010001;
const RST = 0x04;
const FIN = 0x01;
const OUT = { hook: "OUTPUT" } as const;
const FORWARD = { hook: "FORWARD" } as const;

type Ports = readonly number[];

function allow(ports: Ports, protocols: Ports = [PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.sctp]) {
  // No ports at all would mean any.
  return (ports.length === 0 ? [] : protocols).map((protocol) => ({
    action: "Allow" as const,
    protocol,
    destination: { ports: ports.map((port): [number, number] => [port, port]) },
  }));
}

function rules(ingress: Ports, egress: Ports = [], options: Parameters<typeof felix>[0] = {}): ResourceSet {
  const types = ["ingress", "egress"] as const;
  const both = { types, ingress: allow(ingress), egress: allow(egress) };
  return resourceSet({
    hostEndpoints: [hostEndpoint({ name: "host" })],
    policies: [policy({ name: "local", ...both }), policy({ name: "forward", applyOnForward: true, ...both })],
    felixConfigurations: [felix({ failsafeInbound: [failsafe("tcp", 22)], failsafeOutbound: [failsafe("udp", 53)], ...options })],
  });
}

function bench(set: ResourceSet): DeciderBench {
  return new DeciderBench(set, 65536, true, "none");
}

const inTcp = (sourcePort: number, destinationPort: number, flags: number = SYN): Uint8Array =>
  ipv4({ protocol: 6, source: PEER, destination: HOST }, tcp({ sourcePort, destinationPort, flags }));
const outTcp = (sourcePort: number, destinationPort: number, flags: number = SYN): Uint8Array =>
  ipv4({ protocol: 6, source: HOST, destination: PEER }, tcp({ sourcePort, destinationPort, flags }));
const inUdp = (sourcePort: number, destinationPort: number): Uint8Array =>
  ipv4({ protocol: 17, source: PEER, destination: HOST }, udp({ sourcePort, destinationPort }, zeros(8)));
const outUdp = (sourcePort: number, destinationPort: number): Uint8Array =>
  ipv4({ protocol: 17, source: HOST, destination: PEER }, udp({ sourcePort, destinationPort }, zeros(8)));

function verdict(on: DeciderBench, packet: Uint8Array, options: PacketOptions = {}): string {
  return on.judge(packet, options).verdict;
}

/** Opens 4000 to 80 by its three packets. */
function open(on: DeciderBench): void {
  expect(verdict(on, inTcp(4000, 80))).toBe("accept");
  expect(verdict(on, outTcp(80, 4000, SYN | ACK), OUT)).toBe("accept");
  expect(verdict(on, inTcp(4000, 80, ACK))).toBe("accept");
}

describe("an answer", () => {
  it("passes when its connection is allowed, at the other hook and through any interface", () => {
    const on = bench(rules([80]));
    open(on);
    expect(verdict(on, inTcp(4000, 80, ACK), { inInterface: ALSO_GOVERNED })).toBe("accept");
    expect(verdict(on, outTcp(80, 4000, ACK), { ...OUT, outInterface: ALSO_GOVERNED })).toBe("accept");
    expect(verdict(on, outTcp(80, 4000, ACK), { ...OUT, outInterface: UNKNOWN })).toBe("accept");
  });

  it("is none without a connection: mid-stream TCP, an echo reply, SCTP data", () => {
    const on = bench(rules([80, 4000], [80, 4000]));
    for (const flags of [SYN | ACK, ACK, FIN | ACK, RST, RST | ACK]) {
      expect(verdict(on, inTcp(4000, 80, flags))).toBe("drop");
      expect(verdict(on, outTcp(80, 4000, flags), OUT)).toBe("drop");
    }
    expect(verdict(on, ipv4({ protocol: 1, source: PEER, destination: HOST }, icmp(0, 0, 7)))).toBe("drop");
    const data = sctp({ sourcePort: 4000, destinationPort: 80 }, zeros(16));
    expect(verdict(on, ipv4({ protocol: 132, source: PEER, destination: HOST }, data))).toBe("drop");
    expect(on.counters.outcome(HookIndex.INPUT, OutcomeVerdict.DROP, OutcomeReasonIndex.INVALID)).toBe(7);
  });

  it("is none to a denied connection: the other direction is judged by itself, and takes over if allowed", () => {
    const on = bench(rules([], [4000]));
    expect(verdict(on, inUdp(4000, 9000))).toBe("drop");
    expect(verdict(on, outUdp(9000, 4000), OUT)).toBe("accept");
    expect(verdict(on, inUdp(4000, 9000))).toBe("accept");
    const strict = bench(rules([80]));
    expect(verdict(strict, inUdp(4000, 9000))).toBe("drop");
    expect(verdict(strict, outUdp(9000, 4000), OUT)).toBe("drop");
  });

  it("of the forward path is not one of the local path, and the halves of loopback are each judged", () => {
    const on = bench(rules([80]));
    const packet = ipv4({ protocol: 17, source: PEER, destination: FAR }, udp({ sourcePort: 4000, destinationPort: 80 }));
    const back = ipv4({ protocol: 17, source: FAR, destination: PEER }, udp({ sourcePort: 80, destinationPort: 4000 }));
    expect(verdict(on, packet)).toBe("accept");
    expect(verdict(on, back, FORWARD)).toBe("drop");
    const local = inUdp(4000, 80);
    expect(verdict(on, local, { ...OUT, outInterface: LOOPBACK })).toBe("drop");
    expect(verdict(on, local, { inInterface: LOOPBACK })).toBe("accept");
  });
});

describe("a new opening", () => {
  it("of a connection that is over is judged anew, in either direction", () => {
    const on = bench(rules([80], [4000]));
    open(on);
    expect(verdict(on, outTcp(80, 4000), OUT)).toBe("drop");
    verdict(on, inTcp(4000, 80, FIN | ACK));
    verdict(on, outTcp(80, 4000, FIN | ACK), OUT);
    expect(verdict(on, outTcp(80, 4000), OUT)).toBe("accept");
    expect(verdict(on, inTcp(4000, 80, SYN | ACK))).toBe("accept");
    verdict(on, inTcp(4000, 80, RST));
    expect(verdict(on, inTcp(4000, 80))).toBe("accept");
    on.publish(rules([]), 2);
    verdict(on, inTcp(4000, 80, RST));
    expect(verdict(on, inTcp(4000, 80))).toBe("drop");
  });

  it("is nothing the answering side of a live connection can send", () => {
    const on = bench(rules([80], [4000]));
    open(on);
    expect(verdict(on, outTcp(80, 4000), OUT)).toBe("drop");
    expect(verdict(on, outTcp(80, 4000, ACK), OUT)).toBe("accept");
  });

  it("does not follow from a reset that its sender belies by going on", () => {
    const on = bench(rules([80]));
    open(on);
    verdict(on, inTcp(4000, 80, RST));
    expect(verdict(on, inTcp(4000, 80, ACK))).toBe("accept");
    expect(on.decider.tracker?.table.counts[12]).toBe(1);
  });

  it("of SCTP is an INIT", () => {
    const on = bench(rules([80]));
    const chunk = (type: number): Uint8Array => join(Uint8Array.of(type, 0, 0, 4), zeros(12));
    const packet = (type: number): Uint8Array =>
      ipv4({ protocol: 132, source: PEER, destination: HOST }, sctp({ sourcePort: 4000, destinationPort: 80 }, chunk(type)));
    expect(verdict(on, packet(0))).toBe("drop");
    expect(verdict(on, packet(1))).toBe("accept");
    expect(verdict(on, packet(0))).toBe("accept");
  });
});

describe("a change of policy", () => {
  it("cuts a connection whichever side speaks next, judged by its original direction, and gives it back", () => {
    for (const next of ["opener", "other"] as const) {
      const on = bench(rules([80]));
      const speak = (): string =>
        next === "opener" ? verdict(on, inTcp(4000, 80, ACK)) : verdict(on, outTcp(80, 4000, ACK), OUT);
      open(on);
      on.publish(rules([80, 81]), 2);
      expect(speak()).toBe("accept");
      on.publish(rules([81], [4000]), 3);
      expect(speak()).toBe("drop");
      // What the answering side may open is another matter.
      expect(verdict(on, outTcp(80, 4000, ACK), OUT)).toBe("drop");
      expect(verdict(on, inTcp(4000, 80, ACK))).toBe("drop");
      on.publish(rules([80]), 4);
      expect(speak()).toBe("accept");
    }
  });

  it("does not bring a cut UDP flow back with its direction turned round", () => {
    const on = bench(rules([80]));
    verdict(on, inUdp(4000, 80));
    verdict(on, outUdp(80, 4000), OUT);
    on.publish(rules([], [4000]), 2);
    expect(verdict(on, outUdp(80, 4000), OUT)).toBe("drop");
    expect(verdict(on, inUdp(4000, 80))).toBe("drop");
  });

  it("finds out what interfaces are there: a connection goes on where its first one is gone", () => {
    const on = bench(rules([80]));
    expect(verdict(on, inTcp(4000, 80), { inInterface: GOVERNED })).toBe("accept");
    on.publish(rules([80]), 2);
    on.decider.setInterfaces(new Int32Array(on.interfaces.map((word, i) => (i % 8 === 0 && word === GOVERNED ? 77 : word))));
    expect(verdict(on, inTcp(4000, 80), { inInterface: ALSO_GOVERNED })).toBe("accept");
  });
});

describe("older than the tracker", () => {
  it("a connection is picked up by policy, whichever side speaks first, until the next change", () => {
    for (const first of ["opener", "other"] as const) {
      const on = bench(rules([80]));
      on.publish(rules([80]), 1, true);
      const opener = (): string => verdict(on, inTcp(4000, 80, ACK));
      const other = (): string => verdict(on, outTcp(80, 4000, ACK), OUT);
      const turns = first === "opener" ? [opener, other] : [other, opener];
      expect(turns.map((speak) => speak())).toEqual(["accept", "accept"]);
      expect(verdict(on, inTcp(4000, 81, ACK))).toBe("drop");
      expect(verdict(on, outTcp(80, 4001, RST), OUT)).toBe("drop");
      on.publish(rules([80, 81]), 2);
      // Known and cut is not unknown.
      expect(verdict(on, inTcp(4000, 81, ACK))).toBe("accept");
      expect(verdict(on, inTcp(4005, 80, ACK))).toBe("drop");
    }
  });
});

describe("an ICMP error", () => {
  const error = (quoted: Uint8Array): Uint8Array =>
    ipv4({ protocol: 1, source: FAR, destination: HOST }, join(icmp(3, 3), quoted));

  it("passes about an allowed connection and about nothing else", () => {
    const on = bench(rules([80], [9999]));
    const query = outUdp(4000, 9999);
    expect(verdict(on, error(query))).toBe("drop");
    verdict(on, query, OUT);
    expect(verdict(on, error(query))).toBe("accept");
    expect(verdict(on, error(outUdp(4001, 9999)))).toBe("drop");
    verdict(on, outUdp(4000, 9998), OUT);
    expect(verdict(on, error(outUdp(4000, 9998)))).toBe("drop");
    on.publish(rules([80]), 2);
    expect(verdict(on, error(query))).toBe("drop");
  });

  it("passes about a failsafe connection, which the kernel lets pass unseen, and logs nothing on the way", () => {
    const on = bench(rules([80]));
    expect(verdict(on, error(outTcp(22, 4000, ACK)))).toBe("accept");
    expect(verdict(on, error(outUdp(4000, 53)))).toBe("accept");
    expect(verdict(on, error(outTcp(80, 4000, ACK)))).toBe("drop");
  });

  it("is about a connection that is kept, as long as that is", () => {
    const on = bench(rules([80]));
    on.keepEstablished = true;
    on.publish(rules([80]), 2);
    open(on);
    on.publish(rules([]), 3);
    expect(verdict(on, error(outTcp(80, 4000, ACK)))).toBe("accept");
  });

  it("finds the connection of another worker, and judges it by the tables of its own", () => {
    const owner = bench(rules([], [9999]));
    const other = new DeciderBench(rules([], [9999]), 65536, true, "none", [owner]);
    const query = outUdp(4000, 9999);
    expect(verdict(other, error(query))).toBe("drop");
    verdict(owner, query, OUT);
    expect(verdict(other, error(query))).toBe("accept");
    expect(verdict(other, error(outUdp(4001, 9999)))).toBe("drop");
    // A reply of its own it does not make.
    expect(verdict(other, inUdp(9999, 4000))).toBe("drop");
    other.publish(rules([80]), 2);
    expect(verdict(other, error(query))).toBe("drop");
    other.publish(rules([], [9999]), 3);
    owner.publish(rules([80]), 2);
    expect(verdict(owner, query, OUT)).toBe("drop");
    expect(verdict(other, error(query))).toBe("drop");
  });

  it("of other kinds than queries and errors passes by no policy, but neighbour messages are judged alone", () => {
    const everything = resourceSet({
      hostEndpoints: [hostEndpoint({ name: "host" })],
      policies: [policy({ name: "all", ingress: [{ action: "Allow" }] })],
    });
    const on = bench(everything);
    expect(verdict(on, ipv4({ protocol: 1, source: PEER, destination: HOST }, icmp(9)))).toBe("drop");
    expect(verdict(on, ipv6({ next: 58 }, icmp(144)))).toBe("drop");
    expect(verdict(on, ipv6({ next: 58 }, icmp(135)))).toBe("accept");
    expect(on.decider.tracker?.table.size).toBe(0);
  });
});

describe("what netfilter is told", () => {
  it("is a plain verdict, with our bits out of the mark; only what the chain has to do comes round again", () => {
    const on = bench(rules([80], [], { denyAction: "Reject" }));
    const accepted = on.judge(inTcp(4000, 80), { mark: (on.marks.acceptedBit | 0x7) >>> 0 });
    expect([accepted.code, accepted.mark]).toEqual([Verdict.ACCEPT, 0x7]);
    const rejected = on.judge(inTcp(4000, 81));
    expect([rejected.code, on.marks.verdictOf(rejected.mark)]).toEqual([Verdict.REPEAT, PacketVerdict.REJECT]);
    const returned = on.judge(inTcp(4001, 81), { inInterface: UNGOVERNED });
    expect([returned.code, on.marks.verdictOf(returned.mark)]).toEqual([Verdict.REPEAT, PacketVerdict.RETURN]);
    // It came back undone: never round a third time.
    expect(on.judge(inTcp(4000, 81), { mark: rejected.mark }).code).toBe(Verdict.DROP);
    expect(on.judge(inTcp(4001, 81), { inInterface: UNGOVERNED, mark: returned.mark }).code).toBe(Verdict.ACCEPT);
    expect(on.counters.gauge("returned")).toBe(2);
  });
});

describe("a full table", () => {
  it("drops what it cannot remember and says so, and keeps what is established", () => {
    const on = bench(rules([80]));
    const established = 1024;
    for (let port = 0; port < established; port++) {
      verdict(on, inUdp(2000 + port, 80));
      verdict(on, outUdp(80, 2000 + port), OUT);
    }
    expect(verdict(on, inUdp(9000, 80))).toBe("drop");
    expect(on.counters.outcome(HookIndex.INPUT, OutcomeVerdict.DROP, outcomeReasons.indexOf("flow-table-full"))).toBe(1);
    expect(verdict(on, outUdp(80, 2000), OUT)).toBe("accept");
    expect(verdict(on, outUdp(80, 3023), OUT)).toBe("accept");
  });
});

describe("established: keep", () => {
  function keeping(): DeciderBench {
    const on = bench(rules([80], [9999]));
    on.keepEstablished = true;
    on.publish(rules([80], [9999]), 2);
    return on;
  }

  it("spares what both sides have spoken on, in both directions, and nothing new", () => {
    const on = keeping();
    open(on);
    on.publish(rules([]), 3);
    expect(verdict(on, inTcp(4000, 80, ACK))).toBe("accept");
    expect(verdict(on, outTcp(80, 4000, ACK), OUT)).toBe("accept");
    expect(verdict(on, inTcp(4001, 80))).toBe("drop");
  });

  it("names no rule of tables that are gone", () => {
    const on = keeping();
    open(on);
    on.publish(rules([]), 3);
    verdict(on, inTcp(4000, 80, ACK));
    expect(on.ruleHits.every((hits) => hits === 0)).toBe(true);
  });

  it("judges what nobody has answered again", () => {
    const on = keeping();
    expect(verdict(on, outUdp(4000, 9999), OUT)).toBe("accept");
    on.publish(rules([]), 3);
    expect(verdict(on, outUdp(4000, 9999), OUT)).toBe("drop");
  });
});
