/**
 * The validated resources, as the policy path hands them on: defaults filled
 * in (SEMANTICS 1), every value checked, nothing left as raw YAML.
 */
import type { Address, Cidr, Family } from "../address/address.ts";
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { Selector } from "../selector/ast.ts";
import type { GivenFelixSettings } from "./felix-settings.ts";

export type Labels = Readonly<Record<string, string>>;
export type Direction = "ingress" | "egress";
export type Action = "Allow" | "Deny" | "Log" | "Pass";

export interface ResourceMeta {
  readonly name: string;
  readonly labels: Labels;
  readonly location: SourceLocation;
  /** Milliseconds since the Unix epoch, where the document says it. */
  readonly created?: number;
}

/** Inclusive; a single port has min === max. */
export interface PortRange {
  readonly min: number;
  readonly max: number;
}

export interface IcmpMatch {
  /** undefined: any type. */
  readonly type: number | undefined;
  /** undefined: any code of the type. */
  readonly code: number | undefined;
}

/** A backend of a Service: SEMANTICS 1.4 `services`. */
export interface ServiceBackend {
  readonly address: Address;
  /** IP protocol number. */
  readonly protocol: number;
  readonly port: number;
}

/**
 * SEMANTICS 1.4. An empty positive list means no constraint. The selectors are
 * the effective ones of 1.9 (own namespace, namespaceSelector and service
 * accounts folded in), so they apply to effective labels as they stand.
 */
export interface EntityRule {
  readonly nets: readonly Cidr[];
  readonly notNets: readonly Cidr[];
  readonly selector: Selector | undefined;
  readonly notSelector: Selector | undefined;
  readonly ports: readonly PortRange[];
  readonly notPorts: readonly PortRange[];
  /** Port names; with `ports` they are one list: a packet matches if any of either does. */
  readonly namedPorts: readonly string[];
  readonly notNamedPorts: readonly string[];
  /**
   * Backends of the named service, found when all files were read; undefined: no `services`. As a destination,
   * address, protocol and port must match one backend; as a source only the address. Empty matches nothing.
   */
  readonly service: readonly ServiceBackend[] | undefined;
}

/** SEMANTICS 1.3. All criteria are ANDed, each list is ORed. */
export interface Rule {
  readonly action: Action;
  readonly ipVersion: Family | undefined;
  /** IP protocol number, 1 to 255. */
  readonly protocol: number | undefined;
  readonly notProtocol: number | undefined;
  readonly icmp: IcmpMatch | undefined;
  readonly notIcmp: IcmpMatch | undefined;
  readonly source: EntityRule;
  readonly destination: EntityRule;
  readonly location: SourceLocation;
}

export type PolicyKind = "GlobalNetworkPolicy" | "NetworkPolicy" | "KubernetesNetworkPolicy";

/**
 * A policy of any kind, in Calico's terms (SEMANTICS 1.2, 4): `order` undefined
 * sorts last; `types` is already defaulted (1.5); `selector` is the effective
 * subject (1.9), matched against an endpoint's effective labels.
 */
export interface Policy extends ResourceMeta {
  readonly kind: PolicyKind;
  /** undefined for global policies. */
  readonly namespace: string | undefined;
  readonly tier: string;
  readonly order: number | undefined;
  readonly selector: Selector;
  readonly types: readonly Direction[];
  readonly ingress: readonly Rule[];
  readonly egress: readonly Rule[];
  readonly applyOnForward: boolean;
  readonly preDNAT: boolean;
  readonly doNotTrack: boolean;
  /** A Staged* kind: never enforced and never a reason for an end-of-tier deny (SEMANTICS 1.14). */
  readonly staged: boolean;
  /** Of a staged policy only; unset is Set. Delete: without content, it would take out the enforced one of its name. */
  readonly stagedAction?: "Set" | "Delete";
}

/** A named port of an endpoint. */
export interface EndpointPort {
  readonly name: string;
  /** IP protocol number. */
  readonly protocol: number;
  readonly port: number;
}

/** SEMANTICS 1.10. `labels` are effective: with those its profiles apply. */
export interface HostEndpoint extends ResourceMeta {
  readonly kind: "HostEndpoint";
  readonly node: string;
  /** undefined: by expectedIPs; "*": every interface without an endpoint of its own. */
  readonly interfaceName: string | undefined;
  readonly expectedIPs: readonly Address[];
  /** Profile names in order (SEMANTICS 1.8). */
  readonly profiles: readonly string[];
  readonly ports: readonly EndpointPort[];
}

/** SEMANTICS 1.11, from a WorkloadEndpoint document or a Pod of the inventory (1.12). `labels` are effective. */
export interface WorkloadEndpoint extends ResourceMeta {
  readonly kind: "WorkloadEndpoint";
  readonly namespace: string;
  readonly node: string;
  /** The host's side of its veth pair. */
  readonly interfaceName: string;
  readonly addresses: readonly Address[];
  readonly profiles: readonly string[];
  readonly ports: readonly EndpointPort[];
  /** Source prefixes it may send from besides its own addresses, where FelixConfiguration lets workloads. */
  readonly allowedSources: readonly Cidr[];
}

export type Endpoint = HostEndpoint | WorkloadEndpoint;

/** GlobalNetworkSet, or NetworkSet with its namespace; `labels` are effective. */
export interface NetworkSet extends ResourceMeta {
  readonly kind: "GlobalNetworkSet" | "NetworkSet";
  readonly namespace: string | undefined;
  readonly nets: readonly Cidr[];
}

/** SEMANTICS 1.6. */
export interface Tier extends ResourceMeta {
  readonly kind: "Tier";
  readonly order: number | undefined;
  readonly defaultAction: "Deny" | "Pass";
}

/** SEMANTICS 1.8; also the implicit kns.* and ksa.* and the built-in projectcalico-default-allow. */
export interface Profile extends ResourceMeta {
  readonly kind: "Profile";
  readonly ingress: readonly Rule[];
  readonly egress: readonly Rule[];
}

export type { FailsafePort } from "./felix-settings.ts";

/** What its document sets of the FelixSettings. */
export interface FelixConfiguration extends ResourceMeta, GivenFelixSettings {
  readonly kind: "FelixConfiguration";
  /** Nodes it was chosen for by its nodeSelector; `default` and `node.<host>` have none and go by their names. */
  readonly nodes?: readonly string[];
}

/** A machine of the cluster, and the addresses its tunnels end at. */
export interface ClusterNode {
  readonly name: string;
  readonly addresses: readonly Address[];
}

export type Resource = Policy | HostEndpoint | WorkloadEndpoint | NetworkSet | Tier | Profile | FelixConfiguration;

/** Every resource of one load, each list sorted by namespace and name, built-in and implicit ones included. */
export interface ResourceSet {
  readonly policies: readonly Policy[];
  readonly hostEndpoints: readonly HostEndpoint[];
  readonly workloadEndpoints: readonly WorkloadEndpoint[];
  readonly networkSets: readonly NetworkSet[];
  readonly tiers: readonly Tier[];
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly felixConfigurations: readonly FelixConfiguration[];
  /** Of Node documents. */
  readonly nodes?: readonly ClusterNode[];
  /** Prefixes that services have their addresses of, as BGPConfiguration `default` lists them. */
  readonly serviceNets?: readonly Cidr[];
}
