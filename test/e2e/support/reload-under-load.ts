/**
 * Packets that all go through the queue, while the policy is reloaded over and
 * over: each is a flow of its own and each is answered, so that one that is
 * lost shows. They are paced far below what the host can judge, so that only
 * a reload could lose them.
 */
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { startRampart } from "../../../src/sandbox/daemon.ts";
import { type BurstResult, udpBurst } from "../../../src/sandbox/probe.ts";
import { allowPorts, ETH0 } from "./documents.ts";
import { FAMILIES, type Lab } from "./lab.ts";
import { reload } from "./reload.ts";

const PORT = 8080;
const FIRST_SOURCE_PORT = 20_000;
const GRACE_MS = 5000;

interface ReloadLoad {
  readonly seconds: number;
  /** Of all hooks and families together. */
  readonly packetsPerSecond: number;
  readonly reloadEveryMs: number;
  /** It takes longer on a machine that cannot reload so often. */
  readonly leastReloads: number;
}

interface ReloadLoss {
  readonly sent: number;
  readonly lost: readonly (BurstResult["lost"][number] & { readonly from: string; readonly to: string })[];
  /** Packets that went through the queue meanwhile, as the daemon counts them. */
  readonly queued: number;
  /** By CLOCK_MONOTONIC, when each reload began and returned. */
  readonly reloads: readonly { readonly beganMs: number; readonly endedMs: number }[];
  readonly kernelDropped: number;
}

/** In and out, over IPv4 and IPv6, at once. */
export async function reloadUnderLoad(
  lab: Lab,
  { seconds, packetsPerSecond, reloadEveryMs, leastReloads }: ReloadLoad,
): Promise<ReloadLoss> {
  const rampart = await startRampart(lab.shield, {
    policies: { "policy.yaml": ETH0 + allowPorts("in", "ingress", PORT) + allowPorts("out", "egress", PORT) },
    settings: { policy: { watch: false } },
  });
  try {
    const queuedBefore = await rampart.metric("rampart_queue_packets_total");
    const ways = FAMILIES.flatMap(({ shield, client }) => [
      { from: lab.client, to: shield },
      { from: lab.shield, to: client },
    ]);
    const perSecond = Math.ceil(packetsPerSecond / ways.length);
    const reloads: { beganMs: number; endedMs: number }[] = [];
    const load = Promise.all(
      ways.map(async ({ from, to }, way) => {
        const bursts: (BurstResult & { from: string; to: string })[] = [];
        while (bursts.length < seconds || reloads.length < leastReloads) {
          // Both families are sent from the same host.
          const firstSourcePort = FIRST_SOURCE_PORT + (2 * bursts.length + (way >> 1)) * perSecond;
          const burst = { address: to, port: PORT, firstSourcePort, count: perSecond, perSecond, graceMs: GRACE_MS };
          bursts.push({ ...(await udpBurst(from, burst)), from: from.name, to });
        }
        return bursts;
      }),
    );
    const ended = load.then(() => true);
    for (let over = false; !over; ) {
      rampart.writePolicy("other.yaml", allowPorts("other", "ingress", 10_000 + reloads.length));
      const beganMs = monotonicMs();
      await reload(rampart);
      const endedMs = monotonicMs();
      reloads.push({ beganMs, endedMs });
      over = await Promise.race([ended, pause(Math.max(0, beganMs + reloadEveryMs - endedMs), false)]);
    }
    const bursts = (await load).flat();
    const sent = bursts.reduce((sum, burst) => sum + burst.sent, 0);
    let queued = 0;
    const counted = async (): Promise<number> => {
      queued = (await rampart.metric("rampart_queue_packets_total")) - queuedBefore;
      return queued;
    };
    // The worker publishes its counters a few times a second.
    await expect.poll(counted, { timeout: 5000 }).toBeGreaterThanOrEqual(sent);
    const kernelDropped =
      (await rampart.metric("rampart_queue_kernel_dropped_total")) +
      (await rampart.metric("rampart_queue_user_dropped_total"));
    const lost = bursts.flatMap(({ lost: each, from, to }) => each.map((packet) => ({ ...packet, from, to })));
    return { sent, lost, queued, reloads, kernelDropped };
  } finally {
    await rampart.uninstall();
  }
}

/** CLOCK_MONOTONIC in milliseconds, as the traffic agents tell it. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
