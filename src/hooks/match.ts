/** Matches and marks that the chains of several hooks share, so that what one writes another one reads. */
import type { HookConfig } from "./hook-config.ts";
import { hex, rule } from "./rule.ts";

/** The connection's mark holds `value`: a generation, or marks.rejected. */
export function connectionMatch({ marks }: HookConfig, value: number): string {
  return `-m connmark --mark ${hex(marks.connectionMark(value))}/${hex(marks.masks.connection)}`;
}

/** The packet came back with this verdict, decided under this generation. */
export function verdictMatch({ marks }: HookConfig, verdict: number, generation: number): string {
  return `-m mark --mark ${hex(marks.verdictMark(verdict, generation))}/${hex(marks.verdictMask)}`;
}

/** The packet came back with this verdict, whatever generation decided: it is carried out and saved nowhere. */
export function anyVerdictMatch({ marks }: HookConfig, verdict: number): string {
  return `-m mark --mark ${hex((verdict << marks.packetShift) >>> 0)}/${hex(marks.verdictBits)}`;
}

/** The packet carries no verdict of any generation. */
export function undecidedMatch({ marks }: HookConfig): string {
  return `-m mark --mark 0x0/${hex(marks.verdictBits)}`;
}

/** The packet carries a verdict of some generation. */
export function judgedMatch({ marks }: HookConfig): string {
  return `-m mark ! --mark 0x0/${hex(marks.verdictBits)}`;
}

/**
 * The fast path's match. A verdict that came back is left for its own rule, which clears it, also when the
 * connection is allowed by now.
 */
export function fastPathMatch(config: HookConfig): string {
  return `${connectionMatch(config, config.generation)} ${undecidedMatch(config)}`;
}

/** Takes every bit of ours out of the packet's mark. */
export function clearPacketMark({ marks }: HookConfig): string {
  return rule("clear", "", `MARK --set-xmark 0x0/${hex(marks.masks.packet)}`);
}

/** Hands the packet to userspace. */
export function queueRule(config: HookConfig): string {
  return rule("queued", "", queueTarget(config, config.queue.bypass));
}

/** The target that does; with `bypass` the packet passes while nobody reads the queue. */
export function queueTarget({ queue }: Pick<HookConfig, "queue">, bypass: boolean): string {
  const last = queue.first + queue.count - 1;
  const numbers = queue.count === 1 ? `--queue-num ${queue.first}` : `--queue-balance ${queue.first}:${last}`;
  return `NFQUEUE ${numbers}${bypass ? " --queue-bypass" : ""}`;
}

/** The same in PREROUTING and POSTROUTING, which may have a queue of their own. */
export function aroundRoutingQueueRule(config: HookConfig): string {
  const { aroundRouting, bypass } = config.queue;
  return aroundRouting === undefined ? queueRule(config) : queueRule({ ...config, queue: { first: aroundRouting, count: 1, bypass } });
}
