/** Namespaces, pods and policies for them as YAML text; JSON is YAML in flow style. */

type Fields = Readonly<Record<string, unknown>>;

export interface PodDocument {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly node: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number; readonly protocol: string }[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** Default Running. */
  readonly phase?: string;
}

function document(apiVersion: string, kind: string, metadata: Fields, rest: Fields): string {
  return `${JSON.stringify({ apiVersion, kind, metadata, ...rest })}\n---\n`;
}

function calico(kind: string, metadata: Fields, spec: Fields): string {
  return document("projectcalico.org/v3", kind, metadata, { spec });
}

export function namespace(name: string, labels: Readonly<Record<string, string>> = {}): string {
  return document("v1", "Namespace", { name, labels }, {});
}

export function pod(given: PodDocument): string {
  const { namespace: home, name, addresses, node, labels = {}, ports = [], annotations = {}, phase = "Running" } = given;
  return document(
    "v1",
    "Pod",
    { namespace: home, name, labels: { name, ...labels }, annotations },
    {
      spec: { nodeName: node, containers: [{ name: "server", ports }] },
      status: { phase, podIPs: addresses.map((ip) => ({ ip })) },
    },
  );
}

/** A HostEndpoint with the label `host-endpoint: "true"` and its node's name as `node`. */
export function nodeEndpoint(node: string, name: string, spec: Fields): string {
  return calico("HostEndpoint", { name, labels: { "host-endpoint": "true", node } }, { node, ...spec });
}

export function networkPolicy(name: string, spec: Fields): string {
  return calico("NetworkPolicy", { name, namespace: "default" }, spec);
}

export function kubernetesPolicy(name: string, spec: Fields): string {
  return document("networking.k8s.io/v1", "NetworkPolicy", { name, namespace: "default" }, { spec });
}

export function globalPolicy(name: string, spec: Fields): string {
  return calico("GlobalNetworkPolicy", { name }, spec);
}

export function stagedPolicy(name: string, spec: Fields): string {
  return calico("StagedNetworkPolicy", { name, namespace: "default" }, spec);
}

export function stagedGlobalPolicy(name: string, spec: Fields): string {
  return calico("StagedGlobalNetworkPolicy", { name }, spec);
}

export function stagedKubernetesPolicy(name: string, spec: Fields): string {
  return calico("StagedKubernetesNetworkPolicy", { name, namespace: "default" }, spec);
}

export function tier(name: string, spec: Fields): string {
  return calico("Tier", { name }, spec);
}

/** A profile that gives labels and allows nothing. */
export function profile(name: string, labelsToApply: Readonly<Record<string, string>>): string {
  return calico("Profile", { name }, { labelsToApply });
}

export function felix(spec: Fields): string {
  return calico("FelixConfiguration", { name: "default" }, spec);
}

/** Where services have their addresses. */
export function bgpConfiguration(...cidrs: readonly string[]): string {
  return calico("BGPConfiguration", { name: "default" }, { serviceClusterIPs: cidrs.map((cidr) => ({ cidr })) });
}

export function globalNetworkSet(name: string, nets: readonly string[]): string {
  return calico("GlobalNetworkSet", { name, labels: { set: name } }, { nets });
}

/** A service's backends of one family, at one TCP port. */
export function endpointSlice(service: string, family: 4 | 6, addresses: readonly string[], port: number): string {
  const labels = { "kubernetes.io/service-name": service };
  return document(
    "discovery.k8s.io/v1",
    "EndpointSlice",
    { name: `${service}-ipv${family}`, namespace: "default", labels },
    {
      addressType: `IPv${family}`,
      endpoints: addresses.map((address) => ({ addresses: [address] })),
      ports: [{ name: "web", port, protocol: "TCP" }],
    },
  );
}

export const ALLOW = { action: "Allow" } as const;
export const DENY = { action: "Deny" } as const;

/** The rule for TCP to the ports; a rule of one family where that is given. */
export function tcp(action: "Allow" | "Deny", ...ports: readonly (number | string)[]): Fields {
  return { action, protocol: "TCP", destination: { ports } };
}
