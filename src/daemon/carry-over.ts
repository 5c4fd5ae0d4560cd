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

/** Bits of enum ip_conntrack_status: the tuple was or is to be translated. */
const NAT_STATUS = (1 << 4) | (1 << 5);

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
    if (this.#hosts === undefined || (batch.status[i] & NAT_STATUS) !== 0) return false;
    this.#load(batch, i);
    const source = this.#address(0);
    const destination = this.#address(4);
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

  /** The address in words[word .. word + 4) as the sets have it. */
  #address(word: number): string {
    const { words, family } = this.#view;
    let value = 0n;
    for (let w = word; w < word + 4; w++) value = (value << 32n) | BigInt(words[w]);
    return `${family}:${value}`;
  }

  #load(batch: ConntrackBatch, i: number): void {
    const view = this.#view;
    view.clear();
    view.family = batch.family[i];
    view.protocol = batch.protocol[i];
    loadAddress(view.words, 0, batch.source, i, view.family);
    loadAddress(view.words, 4, batch.destination, i, view.family);
    switch (view.protocol) {
      case Protocol.TCP:
      case Protocol.UDP:
      case Protocol.UDPLITE:
      case Protocol.SCTP:
        view.hasPorts = 1;
        view.sourcePort = batch.sourcePort[i];
        view.destinationPort = batch.destinationPort[i];
        break;
      case Protocol.ICMP:
      case Protocol.ICMPV6:
        view.hasIcmp = 1;
        view.icmpType = batch.icmpType[i];
        view.icmpCode = batch.icmpCode[i];
        view.icmpId = batch.icmpId[i];
        break;
    }
  }
}

/** Entry i's 16 bytes, network order, an IPv4 address in the first four. */
function loadAddress(words: Uint32Array, at: number, bytes: Uint8Array, i: number, family: number): void {
  const word = (offset: number): number =>
    ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]) >>> 0;
  if (family === 4) words[at + 3] = word(i * 16);
  else for (let w = 0; w < 4; w++) words[at + w] = word(i * 16 + w * 4);
}
