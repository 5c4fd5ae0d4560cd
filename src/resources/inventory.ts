/**
 * What Kubernetes knows about who is where (SEMANTICS 1.12), as read from
 * files. These say nothing about which packets pass: linking turns them into
 * endpoints, labels and backends, and only that reaches a ResourceSet.
 */
import type { Address, Cidr, Family } from "../address/address.ts";
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { NamespacedMeta } from "./resource-meta.ts";
import type { Selector } from "../selector/ast.ts";
import type { EndpointPort, FelixConfiguration, Labels, Resource, ResourceMeta, WorkloadEndpoint } from "./types.ts";

export interface Namespace extends ResourceMeta {
  readonly kind: "Namespace";
}

export interface ServiceAccount extends NamespacedMeta {
  readonly kind: "ServiceAccount";
}

/** Its labels choose FelixConfigurations; tunnels end at its addresses. */
export interface Node extends ResourceMeta {
  readonly kind: "Node";
  readonly addresses: readonly Address[];
}

/** Of BGPConfiguration, only where services have their addresses. */
export interface ServiceNets extends ResourceMeta {
  readonly kind: "BGPConfiguration";
  readonly nets: readonly Cidr[];
}

export interface Pod extends NamespacedMeta {
  readonly kind: "Pod";
  /** undefined: not scheduled, or a manifest that does not say. */
  readonly node: string | undefined;
  /** It has its node's addresses, and is no endpoint of its own. */
  readonly hostNetwork: boolean;
  /** Phase Succeeded or Failed: its addresses may belong to another pod by now. */
  readonly finished: boolean;
  /** False only where its Ready condition says so. */
  readonly ready: boolean;
  readonly serviceAccount: string;
  readonly addresses: readonly Address[];
  /** The named ports of its containers. */
  readonly ports: readonly EndpointPort[];
  /** The host's side of its veth pair, where the pod says it. */
  readonly interfaceName: string | undefined;
  /** Source prefixes it may send from besides its own addresses. */
  readonly allowedSources: readonly Cidr[];
}

export interface ServicePort {
  /** IP protocol number. */
  readonly protocol: number;
  /** Port of the pods, by number or by name. */
  readonly target: number | string;
}

export interface Service extends NamespacedMeta {
  readonly kind: "Service";
  /** undefined: its backends are not found by labels. */
  readonly selector: Labels | undefined;
  readonly ports: readonly ServicePort[];
  /** Empty: both. */
  readonly families: readonly Family[];
  readonly publishNotReadyAddresses: boolean;
}

export interface EndpointSlice extends NamespacedMeta {
  readonly kind: "EndpointSlice";
  /** The Service it belongs to. */
  readonly service: string | undefined;
  /** Addresses of its ready endpoints. */
  readonly addresses: readonly Address[];
  readonly ports: readonly SlicePort[];
  /** Its endpoints are names, whose addresses are not known. */
  readonly namesOnly: boolean;
}

export interface SlicePort {
  /** IP protocol number. */
  readonly protocol: number;
  /** undefined: every port. */
  readonly port: number | undefined;
}

/** A WorkloadEndpoint as its document has it: labels without those of its profiles, and whom it is about. */
export interface WorkloadDocument extends WorkloadEndpoint {
  /** Calico writes a WorkloadEndpoint for each pod: the document then stands for the Pod. */
  readonly pod: string | undefined;
  readonly serviceAccount: string | undefined;
}

/** A FelixConfiguration that may not have found its nodes yet. */
export interface FelixDocument extends FelixConfiguration {
  readonly nodeSelector: Selector | undefined;
}

export type InventoryResource =
  | Namespace
  | ServiceAccount
  | Node
  | Pod
  | Service
  | EndpointSlice
  | WorkloadDocument
  | ServiceNets;

/** Everything a document can become. */
export type LoadedResource = Exclude<Resource, WorkloadEndpoint | FelixConfiguration> | FelixDocument | InventoryResource;

/** Where something stands that no document says but that follows from others. */
export const IMPLIED_LOCATION: SourceLocation = { file: "(implied)", line: 1, column: 1 };
