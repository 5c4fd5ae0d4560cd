/** The issue every firewall has to survive: a million packets of rubbish. None may throw, none may pass. */
import { describe, expect, it } from "vitest";
import { generatePacket, MAX_PACKET } from "../packet/hostile-packets.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../packet/build.ts";
import { Random } from "../packet/random.ts";
import { slowParse } from "../packet/slow-parser.ts";
import { felix, hostEndpoint, policy, resourceSet } from "../policy/build.ts";
import { DeciderBench, type PacketOptions } from "./decider-bench.ts";

const HOOKS = ["INPUT", "OUTPUT", "FORWARD"] as const;
const host = hostEndpoint({ name: "host" });

function packets(seed: number, count: number, each: (packet: Uint8Array, options: PacketOptions) => void): void {
  const random = new Random(seed);
  const buffer = new Uint8Array(MAX_PACKET * 2);
  for (let n = 0; n < count; n++) {
    const length = generatePacket(random, buffer);
    const copied = random.below(8) === 0 ? random.below(length + 1) : length;
    each(buffer.subarray(0, length), { hook: random.pick(HOOKS), reply: random.below(4) === 0, copied });
  }
}

function hex(packet: Uint8Array): string {
  return Buffer.from(packet).toString("hex");
}

describe("hostile packets", () => {
  it("a million of them under default deny: no throw, no accept", { timeout: 120_000 }, () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const bench = new DeciderBench(
      resourceSet({
        hostEndpoints: [host],
        policies: [policy({ name: "closed", types: ["ingress", "egress"], applyOnForward: true })],
        felixConfigurations: [felix({ failsafeInbound: [], failsafeOutbound: [] })],
      }),
    );
    let judged = 0;
    packets(seed, 1_000_000, (packet, options) => {
      const { verdict } = bench.judge(packet, options);
      if (verdict !== "drop") throw new Error(`seed ${seed}, packet ${judged}: ${verdict} for ${hex(packet)}`);
      judged++;
    });
    expect(judged).toBe(1_000_000);
  });

  it("under allow-all, only what an independent parser finds whole is accepted", { timeout: 120_000 }, () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const bench = new DeciderBench(
      resourceSet({
        hostEndpoints: [host],
        policies: [
          policy({
            name: "open",
            types: ["ingress", "egress"],
            applyOnForward: true,
            ingress: [{ action: "Allow" }],
            egress: [{ action: "Allow" }],
          }),
        ],
      }),
    );
    let accepted = 0;
    let dropped = 0;
    packets(seed, 200_000, (packet, options) => {
      const { verdict } = bench.judge(packet, options);
      if (verdict === "drop") dropped++;
      else {
        accepted++;
        const etherType = packet[0] >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
        if (slowParse(packet, etherType) === undefined) {
          throw new Error(`seed ${seed}: ${verdict} for unparsable ${hex(packet)}`);
        }
      }
    });
    expect(accepted).toBeGreaterThan(1000);
    expect(dropped).toBeGreaterThan(1000);
  });
});
