import { describe, expect, it } from "vitest";
import { RecordKind } from "../../src/datapath/decider.ts";
import { HookIndex, OutcomeReasonIndex, OutcomeVerdict } from "../../src/datapath/outcome.ts";
import { Verdict } from "../../src/native/binding.ts";
import { ParseFailure } from "../../src/packet/failure.ts";
import { ACK, icmp, ipv4, ipv6, join, SYN, tcp, udp, zeros } from "../packet/build.ts";
import { felix, hostEndpoint, policy, PROTOCOL, resourceSet } from "../policy/build.ts";
import { DeciderBench, UNGOVERNED, UNKNOWN } from "./decider-bench.ts";

const HOST = 0x0a000001;
const PEER = 0x0a000002;

function fromPeer(payload: Uint8Array, protocol: number): Uint8Array {
  return ipv4({ protocol, source: PEER, destination: HOST }, payload);
}

function toPeer(payload: Uint8Array, protocol: number): Uint8Array {
  return ipv4({ protocol, source: HOST, destination: PEER }, payload);
}

/** Lets TCP 80 in, DNS out, and nothing else. */
function webSet(): Parameters<DeciderBench["publish"]>[0] {
  return resourceSet({
    hostEndpoints: [hostEndpoint({ name: "host" })],
    policies: [
      policy({
        name: "web",
        ingress: [{ action: "Allow", protocol: PROTOCOL.tcp, destination: { ports: [[80, 80]] } }],
        egress: [{ action: "Allow", protocol: PROTOCOL.udp, destination: { ports: [[5300, 5300]] } }],
      }),
    ],
  });
}

describe("a decision", () => {
  it("lets in what ingress allows and names the generation that decided in the mark", () => {
    const bench = new DeciderBench(webSet());
    const answer = bench.judge(fromPeer(tcp({ sourcePort: 4000, destinationPort: 80 }), 6), { mark: 0x7 });
    expect(answer.verdict).toBe("accept");
    expect(answer.code).toBe(Verdict.REPEAT);
    expect(answer.mark & 0xff).toBe(0x7);
    expect(bench.judge(fromPeer(tcp({ sourcePort: 4001, destinationPort: 81 }), 6)).verdict).toBe("drop");
  });

  it("judges by direction: ingress rules do not open egress", () => {
    const bench = new DeciderBench(webSet());
    expect(bench.judge(toPeer(tcp({ destinationPort: 80 }), 6), { hook: "OUTPUT" }).verdict).toBe("drop");
    expect(bench.judge(toPeer(udp({ destinationPort: 5300 }), 17), { hook: "OUTPUT" }).verdict).toBe("accept");
  });

  it("judges a reply by its connection's original tuple, at either hook", () => {
    const bench = new DeciderBench(webSet());
    const reply = toPeer(tcp({ sourcePort: 80, destinationPort: 4000, flags: SYN | ACK }), 6);
    expect(bench.judge(reply, { hook: "OUTPUT", reply: true }).verdict).toBe("accept");
    expect(bench.judge(reply, { hook: "OUTPUT" }).verdict).toBe("drop");
    const answer = fromPeer(udp({ sourcePort: 5300, destinationPort: 40000 }), 17);
    expect(bench.judge(answer, { reply: true }).verdict).toBe("accept");
    expect(bench.judge(answer).verdict).toBe("drop");
  });

  it("judges an ICMP error by the packet it quotes", () => {
    const bench = new DeciderBench(webSet());
    const query = toPeer(udp({ sourcePort: 40000, destinationPort: 5300 }, zeros(8)), 17);
    const other = toPeer(udp({ sourcePort: 40000, destinationPort: 9999 }, zeros(8)), 17);
    const unreachable = (quoted: Uint8Array): Uint8Array => fromPeer(join(icmp(3, 3), quoted), 1);
    expect(bench.judge(unreachable(query), { reply: true }).verdict).toBe("accept");
    expect(bench.judge(unreachable(other), { reply: true }).verdict).toBe("drop");
    // An error of the original direction quotes a packet of the reply direction.
    const served = toPeer(tcp({ sourcePort: 80, destinationPort: 4000, flags: ACK }), 6);
    expect(bench.judge(unreachable(served)).verdict).toBe("accept");
  });

  it("is made once for a flow and again under a new generation", () => {
    const bench = new DeciderBench(webSet());
    const packet = fromPeer(tcp({ sourcePort: 4000, destinationPort: 80 }), 6);
    bench.judge(packet);
    bench.judge(packet);
    expect(bench.drainEvents()).toEqual([{ kind: RecordKind.DECIDED, reason: "policy", policy: "web" }]);
    expect(bench.ruleHits.reduce((sum, hits) => sum + hits, 0)).toBe(2);
    bench.publish(resourceSet({ hostEndpoints: [hostEndpoint({ name: "host" })] }), 2);
    expect(bench.judge(packet).verdict).toBe("drop");
    expect(bench.drainEvents()).toEqual([{ kind: RecordKind.DECIDED, reason: "no-policy", policy: undefined }]);
  });

  it("reports Log rules once a flow and goes on to the next rule", () => {
    const bench = new DeciderBench(
      resourceSet({
        hostEndpoints: [hostEndpoint({ name: "host" })],
        policies: [policy({ name: "log-then-allow", ingress: [{ action: "Log" }, { action: "Allow" }] })],
      }),
    );
    const packet = fromPeer(tcp({ destinationPort: 80 }), 6);
    expect(bench.judge(packet).verdict).toBe("accept");
    bench.judge(packet);
    expect(bench.drainEvents().map((event) => event.kind)).toEqual([RecordKind.LOGGED, RecordKind.DECIDED]);
  });

  it("rejects instead of dropping where FelixConfiguration says so", () => {
    const bench = new DeciderBench(
      resourceSet({ hostEndpoints: [hostEndpoint({ name: "host" })], felixConfigurations: [felix({ denyAction: "Reject" })] }),
    );
    expect(bench.judge(fromPeer(tcp({ destinationPort: 80 }), 6)).verdict).toBe("reject");
  });
});

describe("what is not for a policy to decide", () => {
  it("a packet that came back undone is answered outright, never sent round again", () => {
    const bench = new DeciderBench(webSet());
    const first = bench.judge(fromPeer(tcp({ destinationPort: 80 }), 6));
    const second = bench.judge(fromPeer(tcp({ destinationPort: 80 }), 6), { mark: first.mark });
    expect(second.code).toBe(Verdict.ACCEPT);
    expect(second.mark & bench.marks.masks.packet).toBe(0);
    expect(bench.counters.gauge("returned")).toBe(1);
    const denied = bench.judge(fromPeer(tcp({ destinationPort: 81 }), 6), { mark: first.mark });
    expect(denied.code).toBe(Verdict.DROP);
  });

  it("an interface nobody governs goes back to the machine's own rules", () => {
    const bench = new DeciderBench(webSet());
    expect(bench.judge(fromPeer(tcp({ destinationPort: 81 }), 6), { inInterface: UNGOVERNED }).verdict).toBe("return");
  });

  it("an unknown interface is dropped, counted, and asked about", () => {
    const bench = new DeciderBench(webSet());
    expect(bench.judge(fromPeer(tcp({ destinationPort: 80 }), 6), { inInterface: UNKNOWN }).verdict).toBe("drop");
    expect(bench.unknownInterfaces).toEqual([UNKNOWN]);
    expect(
      bench.counters.outcome(HookIndex.INPUT, OutcomeVerdict.DROP, OutcomeReasonIndex.UNKNOWN_INTERFACE),
    ).toBe(1);
  });

  it("a header that is cut short or malformed is dropped and counted by cause, even under allow-all", () => {
    const bench = new DeciderBench(
      resourceSet({
        hostEndpoints: [hostEndpoint({ name: "host" })],
        policies: [policy({ name: "all", ingress: [{ action: "Allow" }] })],
      }),
    );
    const whole = fromPeer(tcp({ destinationPort: 80 }), 6);
    expect(bench.judge(whole).verdict).toBe("accept");
    expect(bench.judge(whole, { copied: 30 }).verdict).toBe("drop");
    expect(bench.counters.parseFailure(ParseFailure.TRUNCATED_COPY)).toBe(1);
    expect(bench.judge(fromPeer(tcp({ headerWords: 4 }), 6)).verdict).toBe("drop");
    expect(bench.counters.parseFailure(ParseFailure.TCP_BAD_DATA_OFFSET)).toBe(1);
    expect(bench.judge(ipv4({ protocol: 6, fragmentOffset: 3, source: PEER, destination: HOST }, zeros(24))).verdict).toBe("drop");
    expect(bench.counters.parseFailure(ParseFailure.LATER_FRAGMENT)).toBe(1);
    expect(bench.judge(ipv6({ next: 6 }, zeros(4))).verdict).toBe("drop");
  });
});
