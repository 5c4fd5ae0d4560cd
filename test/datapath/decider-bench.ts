/** A decider with tables in force, and packets handed to it as the kernel would. */
import { WorkerCounters } from "../../src/datapath/counters.ts";
import { PacketDecider } from "../../src/datapath/decider.ts";
import { hitPlaces } from "../../src/datapath/hit-counts.ts";
import { buildInterfaceMap, NO_ENDPOINT, type InterfaceMap, type InterfaceRoles } from "../../src/datapath/interface-map.ts";
import { outcomeReasons } from "../../src/datapath/outcome.ts";
import { HostAction, type Offload } from "../../src/datapath/published.ts";
import { allocateRing, Field, RecordRing } from "../../src/datapath/record-ring.ts";
import { allocateConnections } from "../../src/flow/connection-memory.ts";
import { MarkLayout, PacketVerdict } from "../../src/hooks/marks.ts";
import { Hook, Verdict, type PacketBatch } from "../../src/native/binding.ts";
import type { ResourceSet } from "../../src/resources/types.ts";
import { compileTables } from "../../src/tables/compile.ts";
import type { Compilation } from "../../src/tables/compiled.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../packet/build.ts";
import { NODE } from "../policy/build.ts";

/** Interface index 2 has the endpoint, as have loopback (1) and another one (4); 3 has none, 9 is unknown. */
export const LOOPBACK = 1;
export const GOVERNED = 2;
export const ALSO_GOVERNED = 4;
export const UNGOVERNED = 3;
export const UNKNOWN = 9;

function hostRoles(endpoint: number, { classes }: Compilation): InterfaceRoles {
  return {
    host: endpoint,
    workload: NO_ENDPOINT,
    preDNAT: classes[endpoint].preDNAT ? endpoint : NO_ENDPOINT,
    untracked: classes[endpoint].untrackedIngress || classes[endpoint].untrackedEgress ? endpoint : NO_ENDPOINT,
  };
}

const CAPACITY = 1024;

export interface Answer {
  readonly verdict: "accept" | "drop" | "reject" | "return";
  /** What netfilter was told: DROP, ACCEPT outright, or REPEAT to let the chain carry it out. */
  readonly code: number;
  readonly mark: number;
}

export interface PacketOptions {
  readonly hook?: keyof typeof Hook;
  readonly inInterface?: number;
  readonly outInterface?: number;
  readonly reply?: boolean;
  readonly mark?: number;
  /** Bytes copied; all by default. */
  readonly copied?: number;
}

export class DeciderBench {
  readonly marks = new MarkLayout();
  readonly counters = new WorkerCounters();
  readonly events = new RecordRing(allocateRing(1024, 0));
  readonly decider: PacketDecider;
  readonly batch: PacketBatch;
  /** Of a bench without offload; other workers read it. */
  readonly connections = allocateConnections(CAPACITY);
  readonly unknownInterfaces: number[] = [];
  compilation!: Compilation;
  ruleHits!: Float64Array;
  interfaces!: InterfaceMap;
  /** For what is published from now on. */
  keepEstablished = false;
  #clock = 0;

  constructor(
    set: ResourceSet,
    slabBytes = 65536,
    recordAccepted = true,
    offload: Offload = "connmark",
    others: DeciderBench[] = [],
  ) {
    this.decider = new PacketDecider({
      marks: this.marks,
      connections: offload === "none" ? { own: this.connections, others: others.map((each) => each.connections) } : undefined,
      flowCapacity: CAPACITY,
      counters: this.counters,
      events: this.events,
      recordAccepted,
    });
    this.decider.onUnknownInterface = (index) => this.unknownInterfaces.push(index);
    const numbers = (): Uint32Array => new Uint32Array(1);
    this.batch = {
      slab: new Uint8Array(slabBytes),
      id: numbers(),
      hook: new Uint8Array(1),
      inInterface: numbers(),
      outInterface: numbers(),
      mark: numbers(),
      hardwareProtocol: new Uint16Array(1),
      offset: numbers(),
      length: numbers(),
      originalLength: numbers(),
      skbInfo: numbers(),
      uid: numbers(),
      verdict: new Uint8Array(1),
      verdictMark: numbers(),
    };
    this.publish(set, 1);
  }

  publish(set: ResourceSet, generation: number, adoptOlder = false): void {
    this.compilation = compileTables(set, [...set.hostEndpoints, ...set.workloadEndpoints], NODE, generation);
    this.ruleHits = new Float64Array(hitPlaces(this.compilation.tables));
    this.interfaces = buildInterfaceMap(
      new Map([
        [GOVERNED, hostRoles(0, this.compilation)],
        [ALSO_GOVERNED, hostRoles(0, this.compilation)],
        [LOOPBACK, hostRoles(0, this.compilation)],
        [UNGOVERNED, { host: NO_ENDPOINT, workload: NO_ENDPOINT, preDNAT: NO_ENDPOINT, untracked: NO_ENDPOINT }],
      ]),
    );
    this.decider.publish({
      tables: this.compilation.tables,
      interfaces: this.interfaces,
      hostAction: HostAction.DROP,
      adoptOlder,
      keepEstablished: this.keepEstablished,
      deniedTunnels: { ipip: true, vxlanPort: 4789 },
      ruleReasons: Uint8Array.from(this.compilation.rules, (info) => outcomeReasons.indexOf(info.reason)),
      ruleHits: this.ruleHits,
    });
  }

  judge(packet: Uint8Array, options: PacketOptions = {}): Answer {
    const { batch, marks } = this;
    const hook = options.hook ?? "INPUT";
    const length = options.copied ?? packet.length;
    batch.slab.set(packet.subarray(0, length), 16);
    batch.offset[0] = 16;
    batch.length[0] = length;
    batch.originalLength[0] = packet.length;
    batch.hook[0] = Hook[hook];
    batch.hardwareProtocol[0] = packet[0] >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
    batch.inInterface[0] = options.inInterface ?? (hook === "OUTPUT" ? 0 : GOVERNED);
    batch.outInterface[0] = options.outInterface ?? (hook === "INPUT" ? 0 : GOVERNED);
    batch.mark[0] = ((options.mark ?? 0) | (options.reply === true ? marks.replyBit : 0)) >>> 0;
    batch.verdict[0] = 99;
    this.decider.beginBatch(1_000_000 + this.#clock, this.#clock++);
    this.decider.decide(batch, 0);
    return { verdict: this.#meaning(), code: batch.verdict[0], mark: batch.verdictMark[0] };
  }

  /** Events so far, oldest first, as (kind, rule name or reason). */
  drainEvents(): { kind: number; reason: string; policy: string | undefined }[] {
    const events: { kind: number; reason: string; policy: string | undefined }[] = [];
    this.events.drain(1024, (at) => {
      const rule = this.events.words[at + Field.RULE];
      const info = rule === 0 ? undefined : this.compilation.rules[rule - 1];
      events.push({
        kind: this.events.words[at + Field.KIND],
        reason: outcomeReasons[this.events.words[at + Field.REASON]],
        policy: info?.rule?.policy,
      });
    });
    return events;
  }

  #meaning(): Answer["verdict"] {
    const code = this.batch.verdict[0];
    if (code === Verdict.DROP) return "drop";
    if (code === Verdict.ACCEPT) return "accept";
    if (code !== Verdict.REPEAT) throw new Error(`unexpected verdict ${code}`);
    switch (this.marks.verdictOf(this.batch.verdictMark[0])) {
      case PacketVerdict.ALLOW:
        return "accept";
      case PacketVerdict.REJECT:
        return "reject";
      case PacketVerdict.RETURN:
        return "return";
      default:
        throw new Error("REPEAT without a verdict in the mark");
    }
  }
}
