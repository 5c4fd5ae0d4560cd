/**
 * Random conversations judged twice: by userspace's own tracker, and by the
 * decider of `offload: connmark` with a small model of the kernel's connection
 * tracking in front of it. Both must say the same of every packet.
 */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { ResourceSet } from "../../src/resources/types.ts";
import { ACK, icmp, ipv4, SYN, tcp, udp } from "../packet/build.ts";
import { hostEndpoint, policy, PROTOCOL, resourceSet } from "../policy/build.ts";
import { DeciderBench } from "./decider-bench.ts";

const HOST = 0x0a000001;
const PEER = 0x0a000002;
const FIN = 0x01;
const RST = 0x04;
const PORTS = [80, 4000];

type Hook = "INPUT" | "OUTPUT";

interface Packet {
  readonly kind: "tcp" | "udp" | "echo";
  readonly hook: Hook;
  readonly hostPort: number;
  readonly peerPort: number;
  readonly flags: number;
  /** An echo reply; of other kinds it says nothing. */
  readonly answers: boolean;
}

/** Ports that are let in and out, and whether ping is. */
interface Rules {
  readonly ingress: readonly number[];
  readonly egress: readonly number[];
  readonly ping: boolean;
}

function resources({ ingress, egress, ping }: Rules): ResourceSet {
  const allow = (protocol: number, ports: readonly number[]) => ({
    action: "Allow" as const,
    protocol,
    destination: { ports: ports.map((port): [number, number] => [port, port]) },
  });
  const rules = (ports: readonly number[]) =>
    ports.length === 0 ? [] : [allow(PROTOCOL.tcp, ports), allow(PROTOCOL.udp, ports)];
  const pings = ping ? [{ action: "Allow" as const, protocol: PROTOCOL.icmp }] : [];
  return resourceSet({
    hostEndpoints: [hostEndpoint({ name: "host" })],
    policies: [policy({ name: "all", types: ["ingress", "egress"], ingress: [...rules(ingress), ...pings], egress: rules(egress) })],
  });
}

function bytes({ kind, hook, hostPort, peerPort, flags, answers }: Packet): Uint8Array {
  const inbound = hook === "INPUT";
  const [source, destination] = inbound ? [PEER, HOST] : [HOST, PEER];
  const [sourcePort, destinationPort] = inbound ? [peerPort, hostPort] : [hostPort, peerPort];
  switch (kind) {
    case "tcp":
      return ipv4({ protocol: 6, source, destination }, tcp({ sourcePort, destinationPort, flags }));
    case "udp":
      return ipv4({ protocol: 17, source, destination }, udp({ sourcePort, destinationPort }));
    case "echo":
      return ipv4({ protocol: 1, source, destination }, icmp(answers ? 0 : 8, 0, hostPort));
  }
}

/** What the kernel knows of a connection that was let through. */
interface Tracked {
  readonly opener: Hook;
  /** Judged last with the result that it is denied. */
  cut: boolean;
  opening: boolean;
  ended: Set<Hook>;
  resetBy: Hook | undefined;
}

/** Connection tracking as far as verdicts go: direction, what opens, what is over. */
class KernelModel {
  readonly #connections = new Map<string, Tracked>();
  readonly #bench: DeciderBench;

  constructor(bench: DeciderBench) {
    this.#bench = bench;
  }

  judge(packet: Packet): string {
    const { kind, hook, flags, answers } = packet;
    const asker = answers ? other(hook) : hook;
    const key = kind === "echo" ? `echo ${packet.hostPort} ${asker}` : `${kind} ${packet.hostPort} ${packet.peerPort}`;
    const found = this.#connections.get(key);
    const over = found !== undefined && (found.resetBy !== undefined || found.ended.size === 2);
    const opens = kind === "tcp" ? flags === SYN : !(kind === "echo" && answers);
    if (found === undefined || (kind === "tcp" && flags === SYN && (over || found.cut))) {
      if (!opens) return "drop";
      this.#connections.delete(key);
      const verdict = this.#ask(packet, false);
      if (verdict === "accept") {
        this.#connections.set(key, { opener: hook, cut: false, opening: true, ended: new Set(), resetBy: undefined });
      }
      return verdict;
    }
    const reply = hook !== found.opener;
    if (kind === "tcp" && flags === SYN && reply && !found.opening) return "drop";
    const verdict = this.#ask(packet, reply);
    found.cut = verdict !== "accept";
    if (!found.cut && kind === "tcp") advance(found, hook, flags, over);
    return verdict;
  }

  #ask(packet: Packet, reply: boolean): string {
    return this.#bench.judge(bytes(packet), { hook: packet.hook, reply }).verdict;
  }
}

function advance(connection: Tracked, side: Hook, flags: number, over: boolean): void {
  if ((flags & RST) !== 0) connection.resetBy = side;
  else if ((flags & FIN) !== 0) {
    if (!over && !connection.opening) connection.ended.add(side);
  } else if (flags === ACK) {
    if (connection.resetBy === side) {
      connection.resetBy = undefined;
      connection.ended.clear();
      connection.opening = false;
    } else if (side === connection.opener && connection.resetBy === undefined) connection.opening = false;
  } else if (flags === (SYN | ACK) && side !== connection.opener && !over) connection.opening = false;
}

function other(hook: Hook): Hook {
  return hook === "INPUT" ? "OUTPUT" : "INPUT";
}

const packets: fc.Arbitrary<Packet> = fc.record({
  kind: fc.constantFrom("tcp", "tcp", "tcp", "tcp", "tcp", "tcp", "udp", "echo"),
  hook: fc.constantFrom("INPUT", "OUTPUT"),
  hostPort: fc.constantFrom(...PORTS),
  peerPort: fc.constantFrom(...PORTS),
  flags: fc.constantFrom(SYN, SYN, SYN | ACK, ACK, ACK, ACK, FIN | ACK, RST),
  answers: fc.boolean(),
});
const rules: fc.Arbitrary<Rules> = fc.record({
  ingress: fc.subarray(PORTS, { minLength: 1 }),
  egress: fc.subarray(PORTS, { minLength: 1 }),
  ping: fc.boolean(),
});
const events = fc.array(
  fc.oneof({ weight: 12, arbitrary: packets }, { weight: 1, arbitrary: rules }),
  { minLength: 50, maxLength: 200 },
);

it("the tracker says of every packet what conntrack and connection marks come to", () => {
  const seen = { accept: 0, drop: 0 };
  fc.assert(
    fc.property(rules, events, (first, sequence) => {
      const kernel = new DeciderBench(resources(first));
      const model = new KernelModel(kernel);
      const tracker = new DeciderBench(resources(first), 65536, true, "none");
      let generation = 1;
      sequence.forEach((event, i) => {
        if ("ingress" in event) {
          generation++;
          kernel.publish(resources(event), generation);
          tracker.publish(resources(event), generation);
          return;
        }
        const expected = model.judge(event);
        const { verdict } = tracker.judge(bytes(event), { hook: event.hook });
        expect(verdict, `event ${i}: ${JSON.stringify(event)}`).toBe(expected);
        seen[expected as keyof typeof seen]++;
      });
    }),
    { numRuns: 80 },
  );
  // Both outcomes are met often, or nothing was compared.
  expect(Math.min(seen.accept, seen.drop)).toBeGreaterThan(500);
});
