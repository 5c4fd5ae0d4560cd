/**
 * The validated resources, as the policy path hands them on: defaults filled
 * in (SEMANTICS 1), every value checked, nothing left as raw YAML.
 */
import type { Address, Cidr, Family } from "../address/address.ts";
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { Selector } from "../selector/ast.ts";

export type Labels = Readonly<Record<string, string>>;
export type Direction = "ingress" | "egress";
export type Action = "Allow" | "Deny" | "Log" | "Pass";

export interface ResourceMeta {
  readonly name: string;
  readonly labels: Labels;
  readonly location: SourceLocation;
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

/** SEMANTICS 1.4. An empty positive list means no constraint. */
export interface EntityRule {
  readonly nets: readonly Cidr[];
  readonly notNets: readonly Cidr[];
  readonly selector: Selector | undefined;
  readonly notSelector: Selector | undefined;
  readonly ports: readonly PortRange[];
  readonly notPorts: readonly PortRange[];
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

/** SEMANTICS 1.2; `order` undefined sorts last; `types` is already defaulted (1.5). */
export interface GlobalNetworkPolicy extends ResourceMeta {
  readonly kind: "GlobalNetworkPolicy";
  readonly tier: string;
  readonly order: number | undefined;
  readonly selector: Selector;
  readonly types: readonly Direction[];
  readonly ingress: readonly Rule[];
  readonly egress: readonly Rule[];
  readonly applyOnForward: boolean;
}

/** SEMANTICS 1.10. */
export interface HostEndpoint extends ResourceMeta {
  readonly kind: "HostEndpoint";
  readonly node: string;
  /** undefined: by expectedIPs; "*": every interface without an endpoint of its own. */
  readonly interfaceName: string | undefined;
  readonly expectedIPs: readonly Address[];
  /** Profile names in order; `projectcalico-default-allow` is built in (SEMANTICS 1.8). */
  readonly profiles: readonly string[];
}

export interface GlobalNetworkSet extends ResourceMeta {
  readonly kind: "GlobalNetworkSet";
  readonly nets: readonly Cidr[];
}

/** SEMANTICS 1.6. */
export interface Tier extends ResourceMeta {
  readonly kind: "Tier";
  readonly order: number | undefined;
  readonly defaultAction: "Deny" | "Pass";
}

/** SEMANTICS 3.6; `net` limits the peer: the source inbound, the destination outbound. */
export interface FailsafePort {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly port: number;
  readonly net: Cidr | undefined;
}

export interface FelixConfiguration extends ResourceMeta {
  readonly kind: "FelixConfiguration";
  /** undefined: not set here, so the built-in defaults hold; empty: none. */
  readonly failsafeInbound: readonly FailsafePort[] | undefined;
  readonly failsafeOutbound: readonly FailsafePort[] | undefined;
  readonly denyAction: "Drop" | "Reject" | undefined;
}

export type Resource = GlobalNetworkPolicy | HostEndpoint | GlobalNetworkSet | Tier | FelixConfiguration;

/** Every resource of one load, each list sorted by name, built-in tiers included. */
export interface ResourceSet {
  readonly policies: readonly GlobalNetworkPolicy[];
  readonly hostEndpoints: readonly HostEndpoint[];
  readonly networkSets: readonly GlobalNetworkSet[];
  readonly tiers: readonly Tier[];
  readonly felixConfigurations: readonly FelixConfiguration[];
}
