/**
 * The packet decision, with and without offload: nothing passes a closed host,
 * and nothing that a second parser cannot read passes an open one. Deciders
 * remember flows, so an input may need those before it to be repeated.
 */
import { MarkLayout } from "../../../src/hooks/marks.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../packet/build.ts";
import { generatePacket, MAX_PACKET } from "../../packet/hostile-packets.ts";
import type { Random } from "../../packet/random.ts";
import { slowParse } from "../../packet/slow-parser.ts";
import { felix, hostEndpoint, policy, resourceSet } from "../../policy/build.ts";
import { ALSO_GOVERNED, DeciderBench, GOVERNED } from "../../datapath/decider-bench.ts";
import type { PacketOptions } from "../../datapath/decider-bench.ts";
import type { FuzzTarget, OpenTarget } from "../target.ts";
import { must } from "../target.ts";

const HOOKS = ["INPUT", "OUTPUT", "FORWARD"] as const;
const INTERFACES = [GOVERNED, ALSO_GOVERNED] as const;
const OFFLOADS = ["connmark", "none"] as const;
const MARKS = new MarkLayout();
/** Bits that only our own rules set: "accepted by a hook before" lets a packet pass, and "raw" names another hook. */
const TRUSTED = MARKS.acceptedBit | MARKS.rawBit;

function resources(open: boolean): ReturnType<typeof resourceSet> {
  const rules = open ? { ingress: [{ action: "Allow" as const }], egress: [{ action: "Allow" as const }] } : {};
  return resourceSet({
    hostEndpoints: [hostEndpoint({ name: "host" })],
    policies: [policy({ name: "only", types: ["ingress", "egress"], applyOnForward: true, ...rules })],
    felixConfigurations: [felix({ failsafeInbound: [], failsafeOutbound: [] })],
  });
}

function open(): OpenTarget {
  const closedBenches = OFFLOADS.map((offload) => new DeciderBench(resources(false), 65536, true, offload));
  const openBenches = OFFLOADS.map((offload) => new DeciderBench(resources(true), 65536, true, offload));
  const buffer = new Uint8Array(MAX_PACKET * 2);
  let shown = "";

  const run = (random: Random): boolean => {
    const length = generatePacket(random, buffer);
    const packet = buffer.subarray(0, length);
    const hook = random.pick(HOOKS);
    const options: PacketOptions = {
      hook,
      reply: random.below(4) === 0,
      copied: random.below(8) === 0 ? random.below(length + 1) : length,
      mark: random.below(4) === 0 ? (random.below(2 ** 32) & ~TRUSTED) >>> 0 : 0,
      ...(hook === "OUTPUT" ? {} : { inInterface: random.pick(INTERFACES) }),
      ...(hook === "INPUT" ? {} : { outInterface: random.pick(INTERFACES) }),
    };
    shown = JSON.stringify({ packet: Buffer.from(packet).toString("hex"), ...options });
    const etherType = packet[0] >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
    const whole = slowParse(packet, etherType) !== undefined;
    for (const bench of closedBenches) {
      must(bench.judge(packet, options).verdict === "drop", "a closed host let it pass");
    }
    for (const bench of openBenches) {
      const { verdict } = bench.judge(packet, options);
      must(whole || verdict === "drop", `${verdict} for what cannot be parsed`);
    }
    return whole;
  };
  return { run, shown: () => shown, close: () => {} };
}

export const deciderTarget: FuzzTarget = { name: "decider", shortRun: 50_000, open };
