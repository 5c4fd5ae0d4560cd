/**
 * Which endpoints judge a connection, in which class and direction, in the
 * order of SEMANTICS 3.4. A course has a passage for each machine the packet
 * passes: an allow before DNAT or before conntrack spares the packet later
 * stages of the same passage, never of the next one.
 *
 * Without a node both ends are judged wherever they are: the source's egress,
 * then the destination's ingress. With a node it is what that node sees of
 * the connection, HostEndpoints on the way included.
 */
import { RampartError } from "../errors/rampart-error.ts";
import type { PolicyClass } from "../policy/decision.ts";
import { effectiveFelix } from "../policy/failsafe.ts";
import { hasPolicies } from "../policy/order.ts";
import type { Direction, Endpoint, HostEndpoint, ResourceSet, WorkloadEndpoint } from "../resources/types.ts";
import { endpointName } from "./endpoint-directory.ts";

export const HOOKS = ["raw", "prerouting", "input", "forward", "output"] as const;
export type Hook = (typeof HOOKS)[number];

export interface Stage {
  readonly endpoint: Endpoint;
  readonly policyClass: PolicyClass;
  readonly direction: Direction;
  readonly hook: Hook;
  /** A packet that was accepted before this stage, in the same passage, is not judged here. */
  readonly skippedIfAccepted: boolean;
}

export type HostAction = "Drop" | "Accept" | "Return";

export interface Passage<S extends Stage = Stage> {
  readonly stages: readonly S[];
  /** From a workload to its own host, what happens to a packet its stages allow (SEMANTICS 3.4, I2). */
  readonly hostAction: HostAction | undefined;
}

export interface Course<S extends Stage = Stage> {
  readonly passages: readonly Passage<S>[];
  /** Why nothing, or less than one may expect, is judged. */
  readonly remarks: readonly string[];
}

export interface Scope {
  readonly node: string | undefined;
  /** undefined: every hook the packet passes. */
  readonly hook: Hook | undefined;
}

export class CoursePlanner {
  readonly #set: ResourceSet;
  readonly #node: string | undefined;
  readonly #hook: Hook | undefined;
  readonly #withPreDNAT = new Map<HostEndpoint, boolean>();
  /** Each endpoint has one passage out and one in, however many connections it takes part in. */
  readonly #out = new Map<Endpoint, Passage>();
  readonly #in = new Map<Endpoint, Passage>();

  /** @throws RampartError RAMPART_E_NODE_UNKNOWN: no endpoint is on the node, or a hook has no node and several fit. */
  constructor(set: ResourceSet, scope: Scope) {
    this.#set = set;
    this.#hook = scope.hook;
    this.#node = scope.node ?? (scope.hook === undefined ? undefined : onlyNode(set));
    if (this.#node !== undefined && !nodesOf(set).includes(this.#node)) {
      throw new RampartError("RAMPART_E_NODE_UNKNOWN", `no endpoint is on node ${this.#node}`, {
        hint: `the files name ${nodesOf(set).slice(0, 5).join(", ") || "no node"}`,
      });
    }
  }

  /**
   * `sameAddress`: the packet goes to the address it comes from. An endpoint that reaches itself by another one, such
   * as a service's, does leave.
   *
   * @throws RampartError RAMPART_E_END_AMBIGUOUS where several HostEndpoints of the node may see the connection.
   */
  plan(source: Endpoint | undefined, destination: Endpoint | undefined, sameAddress: boolean): Course {
    if (source !== undefined && source === destination && sameAddress && this.#hook !== "forward") {
      return nothing(`${endpointName(source)} and itself: the packet does not leave it`);
    }
    if (source?.kind === "HostEndpoint" && sameNode(source, destination) && this.#hook !== "forward") {
      const what = destination?.kind === "WorkloadEndpoint" ? "a pod of the same node" : "the same host";
      return nothing(`from a host to ${what}: never policed`);
    }
    if (this.#node === undefined) return this.#bothEnds(source, destination);
    return this.#onNode(this.#node, source, destination);
  }

  #bothEnds(source: Endpoint | undefined, destination: Endpoint | undefined): Course {
    if (source === undefined && destination === undefined) return nothing("neither address belongs to an endpoint");
    if (source === undefined) {
      const remark = "the source belongs to no endpoint: only the destination judges";
      return { passages: [this.#passageIn(destination as Endpoint)], remarks: [remark] };
    }
    if (destination === undefined) {
      const remark = "the destination belongs to no endpoint: only the source judges";
      return { passages: [this.#passageOut(source)], remarks: [remark] };
    }
    if (source.kind === "WorkloadEndpoint" && destination.kind === "HostEndpoint" && sameNode(source, destination)) {
      return this.#toOwnHost(source);
    }
    return { passages: [this.#passageOut(source), this.#passageIn(destination)], remarks: [] };
  }

  #onNode(node: string, source: Endpoint | undefined, destination: Endpoint | undefined): Course {
    const from = source?.node === node ? source : undefined;
    const to = destination?.node === node ? destination : undefined;
    const route = this.#route(from, to);
    if (route === "output") {
      const out = from?.kind === "HostEndpoint" ? from : this.#hostEndpoint(node, "leaves");
      return this.#course(out === undefined ? [] : this.#leaving(out), undefined);
    }
    if (route === "input") {
      if (from?.kind === "WorkloadEndpoint") return this.#toOwnHost(from);
      const into = to?.kind === "HostEndpoint" ? to : this.#hostEndpoint(node, "enters");
      return this.#course(into === undefined ? [] : this.#arriving(into), undefined);
    }
    return this.#course(this.#forwarded(node, from, to), undefined);
  }

  #route(from: Endpoint | undefined, to: Endpoint | undefined): "input" | "output" | "forward" {
    if (this.#hook === "input" || this.#hook === "output" || this.#hook === "forward") return this.#hook;
    if (from?.kind === "HostEndpoint") return "output";
    return to?.kind === "HostEndpoint" ? "input" : "forward";
  }

  /** Steps R2, M3 and F1 to F4; where an end is a HostEndpoint, the packet enters or leaves by its interface. */
  #forwarded(node: string, from: Endpoint | undefined, to: Endpoint | undefined): Stage[] {
    const wildcard = this.#wildcard(node);
    const hostIn = from?.kind === "WorkloadEndpoint" ? wildcard : (from ?? this.#hostEndpoint(node, "enters"));
    const hostOut = to?.kind === "WorkloadEndpoint" ? wildcard : (to ?? this.#hostEndpoint(node, "leaves"));
    const stages = this.#early(hostIn, node);
    if (hostIn !== undefined) stages.push(stage(hostIn, "forward", "ingress", "forward", true));
    if (from?.kind === "WorkloadEndpoint") stages.push(stage(from, "normal", "egress", "forward"));
    if (to?.kind === "WorkloadEndpoint") stages.push(stage(to, "normal", "ingress", "forward"));
    if (hostOut !== undefined) stages.push(stage(hostOut, "forward", "egress", "forward"));
    return stages;
  }

  /** Step I2: the HostEndpoint is not asked, but the wildcard's preDNAT policies see workload interfaces too. */
  #toOwnHost(source: WorkloadEndpoint): Course {
    const stages = this.#early(this.#wildcard(source.node), source.node);
    const hostAction = effectiveFelix(this.#set, source.node).defaultEndpointToHostAction;
    return this.#course([...stages, stage(source, "normal", "egress", "input")], hostAction);
  }

  #passageOut(endpoint: Endpoint): Passage {
    let passage = this.#out.get(endpoint);
    if (passage === undefined) this.#out.set(endpoint, (passage = passageOf(this.#leaving(endpoint))));
    return passage;
  }

  #passageIn(endpoint: Endpoint): Passage {
    let passage = this.#in.get(endpoint);
    if (passage === undefined) this.#in.set(endpoint, (passage = passageOf(this.#arriving(endpoint))));
    return passage;
  }

  #leaving(endpoint: Endpoint): Stage[] {
    if (endpoint.kind === "WorkloadEndpoint") return [stage(endpoint, "normal", "egress", "forward")];
    const normal = stage(endpoint, "normal", "egress", "output", true);
    return isWildcard(endpoint) ? [normal] : [stage(endpoint, "untracked", "egress", "raw"), normal];
  }

  #arriving(endpoint: Endpoint): Stage[] {
    if (endpoint.kind === "WorkloadEndpoint") return [stage(endpoint, "normal", "ingress", "forward")];
    return [...this.#early(endpoint, endpoint.node), stage(endpoint, "normal", "ingress", "input", true)];
  }

  /** Before conntrack and before DNAT. An endpoint without preDNAT policies leaves its interface to the wildcard's. */
  #early(host: HostEndpoint | undefined, node: string): Stage[] {
    const stages: Stage[] = [];
    if (host !== undefined && !isWildcard(host)) stages.push(stage(host, "untracked", "ingress", "raw"));
    const preDNAT = [host, this.#wildcard(node)].find((each) => each !== undefined && this.#hasPreDNAT(each));
    if (preDNAT !== undefined) stages.push(stage(preDNAT, "preDNAT", "ingress", "prerouting", true));
    return stages;
  }

  #course(stages: readonly Stage[], hostAction: HostAction | undefined): Course {
    const judged = this.#hook === undefined ? stages : stages.filter(({ hook }) => hook === this.#hook);
    const action = this.#hook === undefined || this.#hook === "input" ? hostAction : undefined;
    if (judged.length === 0) return nothing("no endpoint of the node judges this packet there");
    return { passages: [{ stages: judged, hostAction: action }], remarks: [] };
  }

  /** The endpoint of the interface that the other machine is behind, if only one comes into question. */
  #hostEndpoint(node: string, verb: "enters" | "leaves"): HostEndpoint | undefined {
    const candidates = this.#set.hostEndpoints.filter((endpoint) => endpoint.node === node);
    if (candidates.length <= 1) return candidates[0];
    const names = candidates.slice(0, 5).map((endpoint) => endpoint.name);
    const message = `it is not clear by which interface the packet ${verb} node ${node}`;
    throw new RampartError("RAMPART_E_END_AMBIGUOUS", message, {
      hint: `write NAME@ADDRESS with the HostEndpoint of that interface as NAME: ${names.join(", ")}`,
    });
  }

  /** Of several the smallest name: the others are inactive (SEMANTICS 3.3). */
  #wildcard(node: string): HostEndpoint | undefined {
    return this.#set.hostEndpoints
      .filter((endpoint) => endpoint.node === node && isWildcard(endpoint))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))[0];
  }

  #hasPreDNAT(endpoint: HostEndpoint): boolean {
    let has = this.#withPreDNAT.get(endpoint);
    if (has === undefined) {
      has = hasPolicies(this.#set, endpoint, "preDNAT");
      this.#withPreDNAT.set(endpoint, has);
    }
    return has;
  }
}

function stage(
  endpoint: Endpoint,
  policyClass: PolicyClass,
  direction: Direction,
  hook: Hook,
  skippedIfAccepted = false,
): Stage {
  return { endpoint, policyClass, direction, hook, skippedIfAccepted };
}

function passageOf(stages: readonly Stage[]): Passage {
  return { stages, hostAction: undefined };
}

function nothing(remark: string): Course {
  return { passages: [], remarks: [remark] };
}

function isWildcard(endpoint: HostEndpoint): boolean {
  return endpoint.interfaceName === "*";
}

/** Pods that no node has taken are on none, not together on one. */
function sameNode(a: Endpoint, b: Endpoint | undefined): boolean {
  return b !== undefined && a.node === b.node && a.node !== "";
}

function nodesOf(set: ResourceSet): string[] {
  const nodes = [...set.hostEndpoints, ...set.workloadEndpoints].map(({ node }) => node);
  return [...new Set(nodes)].filter((node) => node !== "").toSorted();
}

function onlyNode(set: ResourceSet): string {
  const nodes = nodesOf(set);
  if (nodes.length === 1) return nodes[0] as string;
  const known = nodes.slice(0, 5).join(", ");
  throw new RampartError("RAMPART_E_NODE_UNKNOWN", "a hook is one of a node, and it is not clear which node is meant", {
    hint: nodes.length === 0 ? "no endpoint in the files has a node" : `name it with --node: ${known}`,
  });
}
