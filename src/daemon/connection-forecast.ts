/**
 * What another policy set would say of live connections: which of those that
 * the set in force allows would be denied. Nothing is changed by asking.
 *
 * Connections are those of the kernel's connection tracking, or without
 * offload those of the workers' own tables. Conntrack does not say by which
 * interfaces a connection came: the one that has the local address counts, and
 * for forwarded connections every pair of interfaces. A connection is cut where
 * every way denies it, and unsure where only some do. What NAT has translated
 * is not judged, because a set is asked about other addresses in each hook.
 */
import { setImmediate as yieldToEvents } from "node:timers/promises";
import { formatAddress, parseAddress } from "../address/address.ts";
import type { CutConnection, Forecast } from "../control/plan.ts";
import { hitPlaces } from "../datapath/hit-counts.ts";
import { OutcomeVerdict, outcomeReasons } from "../datapath/outcome.ts";
import { PacketWalk, WalkStep } from "../datapath/packet-walk.ts";
import type { WalkSettings } from "../datapath/published.ts";
import { Domain } from "../flow/connection-key.ts";
import { ConnectionListing } from "../flow/connection-listing.ts";
import type { NativeBinding, NativeInterface } from "../native/binding.ts";
import { reverse } from "../packet/reverse.ts";
import { PacketView } from "../packet/view.ts";
import { describeLabel } from "../policy/policy-label.ts";
import type { Compilation } from "../tables/compiled.ts";
import { addressKey, addressValue, isOver, isTranslated, loadConntrackEntry } from "./conntrack-entry.ts";
import type { EndpointScope } from "./endpoint-scope.ts";
import { endpointLabel } from "./packet-record.ts";

/** Connections told one by one; of the others there is the count. */
const LISTED = 50;
/** More host interfaces than this make too many pairs to try for a forwarded connection. */
const MAX_WAYS_INTERFACES = 16;
const YIELD_EVERY = 256;
const LOOPBACK = "lo";
const PROTOCOLS: Readonly<Record<number, string>> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp", 136: "udplite" };

/** A policy set as the packet path would have it. */
export interface JudgedSet {
  readonly compilation: Compilation;
  readonly scope: EndpointScope;
  readonly walk: WalkSettings;
}

export interface ForecastQuestion {
  readonly current: JudgedSet;
  readonly candidate: JudgedSet;
  readonly links: readonly NativeInterface[];
  readonly native: NativeBinding;
  /** Of WorkerPool; with any, conntrack is not asked. */
  readonly connectionMemory: readonly SharedArrayBuffer[];
}

/** Asks about every live connection; lets other work go on in between. */
export async function forecastConnections(question: ForecastQuestion): Promise<Forecast> {
  const forecast = new ForecastCount(question);
  if (question.connectionMemory.length > 0) await forecast.ofTables(question.connectionMemory);
  else await forecast.ofConntrack(question.native);
  return forecast.result();
}

interface Way {
  readonly step: number;
  readonly from: number;
  readonly to: number;
}

class ForecastCount {
  readonly #view = new PacketView();
  readonly #current: SetWalk;
  readonly #candidate: SetWalk;
  readonly #ways: Ways;
  readonly #cut: CutConnection[] = [];
  #cutCount = 0;
  #live = 0;
  #unsure = 0;
  #translated = 0;

  constructor({ current, candidate, links }: ForecastQuestion) {
    this.#current = new SetWalk(current);
    this.#candidate = new SetWalk(candidate);
    this.#ways = new Ways(links, [...current.compilation.endpoints, ...candidate.compilation.endpoints]);
  }

  async ofConntrack(native: NativeBinding): Promise<void> {
    const conntrack = native.openConntrack();
    try {
      conntrack.dumpStart(0, 0, 0);
      for (;;) {
        const count = conntrack.dumpNext();
        if (count === 0) return;
        for (let i = 0; i < count; i++) {
          if (isOver(conntrack.batch, i)) continue;
          loadConntrackEntry(this.#view, conntrack.batch, i);
          if (isTranslated(conntrack.batch, i)) this.#translated++;
          else this.#judge(this.#ways.of(this.#view));
        }
        await yieldToEvents();
      }
    } finally {
      conntrack.close();
    }
  }

  async ofTables(blocks: readonly SharedArrayBuffer[]): Promise<void> {
    let read = 0;
    for (const memory of blocks) {
      for (const { domain, from, to } of new ConnectionListing(memory).allowed(this.#view)) {
        const local = from === 0 ? WalkStep.OUTPUT : WalkStep.INPUT;
        this.#judge([{ step: domain === Domain.FORWARD ? WalkStep.FORWARD : local, from, to }]);
        if (++read % YIELD_EVERY === 0) await yieldToEvents();
      }
    }
  }

  result(): Forecast {
    return {
      connections: this.#live,
      cut: this.#cutCount,
      unsure: this.#unsure,
      translated: this.#translated,
      listed: this.#cut,
    };
  }

  #judge(ways: readonly Way[] | undefined): void {
    this.#live++;
    if (ways === undefined) {
      this.#unsure++;
      return;
    }
    let allowed = 0;
    let denied = 0;
    for (const way of ways) {
      if (!this.#current.allows(way, this.#view)) continue;
      allowed++;
      if (!this.#candidate.allows(way, this.#view)) denied++;
    }
    if (denied === 0) return;
    if (denied < allowed) {
      this.#unsure++;
      return;
    }
    this.#cutCount++;
    if (this.#cut.length < LISTED) this.#cut.push({ ...describe(this.#view), ...this.#candidate.cause() });
  }
}

/** One set's word on a connection, by the same walk as in the packet path. */
class SetWalk {
  readonly #walk: PacketWalk;
  readonly #compilation: Compilation;

  constructor({ compilation, scope, walk }: JudgedSet) {
    const { tables, rules } = compilation;
    const ruleReasons = Uint8Array.from(rules, ({ reason }) => outcomeReasons.indexOf(reason));
    const ruleHits = new Float64Array(hitPlaces(tables));
    this.#walk = new PacketWalk({ ...walk, tables, interfaces: scope.interfaces, ruleReasons, ruleHits });
    this.#compilation = compilation;
  }

  allows({ step, from, to }: Way, view: PacketView): boolean {
    const walk = this.#walk;
    const untracked = step === WalkStep.OUTPUT ? WalkStep.UNTRACKED_OUT : WalkStep.UNTRACKED_IN;
    walk.walk(untracked, view, from, to, false, false);
    if (this.#denies()) return false;
    const accepted = walk.verdict === OutcomeVerdict.ACCEPT;
    // As a reply's walk, because that one asks the preDNAT hook itself.
    walk.walk(step, view, from, to, accepted, !accepted);
    return !this.#denies() && this.#answered({ step, from, to }, view);
  }

  /** Untracked policy knows no connections: it judges the answers, too. */
  #answered({ step, from, to }: Way, view: PacketView): boolean {
    const back = step === WalkStep.INPUT ? WalkStep.UNTRACKED_OUT : WalkStep.UNTRACKED_IN;
    reverse(view);
    this.#walk.walk(back, view, to, from, false, false);
    reverse(view);
    return !this.#denies();
  }

  /** Of the denial just found. */
  cause(): Pick<CutConnection, "endpoint" | "by"> {
    const { rule, endpoint, reason } = this.#walk;
    const info = rule < 0 ? undefined : this.#compilation.rules[rule];
    const label = endpoint < 0 ? undefined : endpointLabel(this.#compilation.endpoints[endpoint]);
    const at = label === undefined ? {} : { endpoint: label };
    if (info?.rule !== undefined) {
      const { policy, direction, index } = info.rule;
      return { ...at, by: `${describeLabel(policy)} ${direction}[${index}]` };
    }
    if (info?.reason === "end-of-tier") return { ...at, by: `end of tier ${info.tier}` };
    return { ...at, by: info?.reason ?? outcomeReasons[reason] };
  }

  #denies(): boolean {
    const { verdict } = this.#walk;
    return verdict === OutcomeVerdict.DROP || verdict === OutcomeVerdict.REJECT;
  }
}

/** The ways that a connection of this host may take, by its addresses. */
class Ways {
  readonly #owners = new Map<string, number[]>();
  /** Host sides of workloads, by the workload's addresses. */
  readonly #workloads = new Map<string, number>();
  readonly #hosts: readonly number[];

  constructor(links: readonly NativeInterface[], endpoints: Compilation["endpoints"]) {
    const byName = new Map(links.map((link) => [link.name, link.index]));
    const workloadLinks = new Set<number>();
    for (const endpoint of endpoints) {
      if (endpoint.kind !== "WorkloadEndpoint") continue;
      const index = byName.get(endpoint.interfaceName);
      if (index === undefined) continue;
      workloadLinks.add(index);
      for (const { family, value } of endpoint.addresses) this.#workloads.set(`${family}:${value}`, index);
    }
    for (const { index, addresses } of links) {
      for (const text of addresses) {
        const address = parseAddress(text);
        if (address === undefined) continue;
        const key = `${address.family}:${address.value}`;
        this.#owners.set(key, [...(this.#owners.get(key) ?? []), index]);
      }
    }
    this.#hosts = links.filter(({ index, name }) => name !== LOOPBACK && !workloadLinks.has(index)).map(({ index }) => index);
  }

  /** Empty where no policy has a say; undefined where the ways are too many. */
  of(view: PacketView): readonly Way[] | undefined {
    const source = addressKey(view, 0);
    const destination = addressKey(view, 4);
    const sourceOwners = this.#owners.get(source);
    const destinationOwners = this.#owners.get(destination);
    const from = this.#workloads.get(source);
    const to = this.#workloads.get(destination);
    // Between two processes of this host.
    if (sourceOwners !== undefined && destinationOwners !== undefined) return [];
    if (destinationOwners !== undefined) {
      const arrivals = from === undefined ? destinationOwners : [from];
      return arrivals.map((index) => ({ step: WalkStep.INPUT, from: index, to: 0 }));
    }
    if (sourceOwners !== undefined) {
      const exits = to === undefined ? sourceOwners : [to];
      return exits.map((index) => ({ step: WalkStep.OUTPUT, from: 0, to: index }));
    }
    return this.#forwarded(from, to);
  }

  #forwarded(from: number | undefined, to: number | undefined): readonly Way[] | undefined {
    const hosts = this.#hosts;
    if ((from === undefined || to === undefined) && hosts.length > MAX_WAYS_INTERFACES) return undefined;
    const pairs = (from === undefined ? hosts : [from]).flatMap((source) =>
      (to === undefined ? hosts : [to]).map((target) => ({ step: WalkStep.FORWARD, from: source, to: target })),
    );
    const through = pairs.filter((way) => way.from !== way.to);
    return through.length > 0 ? through : pairs;
  }
}

function describe(view: PacketView): Omit<CutConnection, "endpoint" | "by"> {
  const family = view.family === 6 ? 6 : 4;
  const { protocol, hasPorts, sourcePort, destinationPort } = view;
  return {
    protocol: PROTOCOLS[protocol] ?? String(protocol),
    source: formatAddress({ family, value: addressValue(view, 0) }),
    destination: formatAddress({ family, value: addressValue(view, 4) }),
    ...(hasPorts === 1 ? { sourcePort, destinationPort } : {}),
    ...(view.hasIcmp === 1 ? { icmpType: view.icmpType } : {}),
  };
}
