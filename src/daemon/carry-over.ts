/**
 * After a change: connections that the new policy allows get the new
 * generation at once, instead of with their next packet. Without it, a
 * connection that was idle since the change would need the daemon alive when
 * it speaks again.
 *
 * Only what is certain is carried over: the original tuple without NAT, and
 * only if every endpoint that could govern it allows it. Everything else waits
 * for its next packet, which is judged as ever.
 */
import { setImmediate as yieldToEvents } from "node:timers/promises";
import { parseAddress } from "../address/address.ts";
import type { MarkLayout } from "../hooks/marks.ts";
import type { ConntrackBatch, NativeBinding, NativeInterface } from "../native/binding.ts";
import { Protocol } from "../packet/protocol.ts";
import { PacketView } from "../packet/view.ts";
import { Classifier } from "../tables/classifier.ts";
import { PROGRAM_KINDS, ProgramKind, RuleAction, type Compilation } from "../tables/compiled.ts";
import { addressKey, isTranslated, loadConntrackEntry } from "./conntrack-entry.ts";

export interface CarryOver {
  readonly native: NativeBinding;
  readonly marks: MarkLayout;
  /** In force now. */
  readonly compilation: Compilation;
  readonly links: readonly NativeInterface[];
  /** The generation before. */
  readonly from: number;
  /** True when another change waits: then this work is in vain. */
  readonly superseded: () => boolean;
}

/** Resolves to the number of connections carried over. */
export async function carryConnectionsOver(job: CarryOver): Promise<number> {
  const { native, marks, compilation } = job;
  const mask = marks.masks.connection;
  const next = marks.connectionMark(compilation.tables.generation);
  const judge = new ConnectionJudge(compilation, job.links);
  const conntrack = native.openConntrack();
  let carried = 0;
  try {
    conntrack.dumpStart(0, marks.connectionMark(job.from), mask);
    for (;;) {
      const count = job.superseded() ? 0 : conntrack.dumpNext();
      if (count === 0) return carried;
      for (let i = 0; i < count; i++) {
        if (judge.allows(conntrack.batch, i) && conntrack.setMark(i, next, mask)) carried++;
      }
      await yieldToEvents();
    }
  } finally {
    conntrack.close();
  }
}

class ConnectionJudge {
  readonly #compilation: Compilation;
  readonly #classifier: Classifier;
  /** HostEndpoints by index; undefined where preDNAT or untracked policies make a tuple say too little. */
  readonly #hosts: readonly number[] | undefined;
  readonly #local = new Set<string>();
  /** Addresses of workloads, whose connections are judged on other ways. */
  readonly #workloads = new Set<string>();
  readonly #view = new PacketView();

  constructor(compilation: Compilation, links: readonly NativeInterface[]) {
    this.#compilation = compilation;
    this.#classifier = new Classifier(compilation.tables);
    for (const text of links.flatMap((link) => link.addresses)) {
      const address = parseAddress(text);
      if (address !== undefined) this.#local.add(`${address.family}:${address.value}`);
    }
    const hosts: number[] = [];
    compilation.endpoints.forEach((endpoint, index) => {
      if (endpoint.kind === "HostEndpoint") hosts.push(index);
      else for (const { family, value } of endpoint.addresses) this.#workloads.add(`${family}:${value}`);
    });
    const plain = compilation.classes.every((has) => !has.preDNAT && !has.untrackedIngress && !has.untrackedEgress);
    this.#hosts = plain ? hosts : undefined;
  }

  /** Does every endpoint that could govern the connection allow it? */
  allows(batch: ConntrackBatch, i: number): boolean {
    if (this.#hosts === undefined || isTranslated(batch, i)) return false;
    loadConntrackEntry(this.#view, batch, i);
    const source = addressKey(this.#view, 0);
    const destination = addressKey(this.#view, 4);
    const from = this.#local.has(source);
    const to = this.#local.has(destination);
    if ((from && to) || this.#workloads.has(source) || this.#workloads.has(destination)) return false;
    if (to) return this.#everywhere(ProgramKind.NORMAL_INGRESS, true);
    if (from) return this.#everywhere(ProgramKind.NORMAL_EGRESS, true);
    // Neither end is here: forwarded, or a broadcast or multicast to us, which TCP never is.
    if (this.#view.protocol !== Protocol.TCP) return false;
    return this.#everywhere(ProgramKind.FORWARD_INGRESS, false) && this.#everywhere(ProgramKind.FORWARD_EGRESS, false);
  }

  #everywhere(kind: number, mustAllow: boolean): boolean {
    const { tables } = this.#compilation;
    for (const endpoint of this.#hosts ?? []) {
      const rule = this.#classifier.classify(tables.endpointPrograms[endpoint * PROGRAM_KINDS + kind], this.#view);
      const action = tables.rules.action[rule];
      if (mustAllow ? action !== RuleAction.ALLOW : action === RuleAction.DENY) return false;
    }
    return true;
  }
}
