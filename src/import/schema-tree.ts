/**
 * Which fields each kind has (SEMANTICS 1, 4 and 5), as a table: what lost
 * indentation is rebuilt with, and where a list is required. A kind that is
 * not here is none that Rampart reads.
 */
import type { MapNode, SchemaNode } from "./schema-node.ts";
import { ANNOTATIONS, LABELS, list, map, SELECTOR, TEXT, WORD, words } from "./schema-node.ts";

export interface KindSchema {
  /** What the kind is called where `NetworkPolicy` alone would be ambiguous. */
  readonly name: string;
  readonly namespaced: boolean;
  /** A policy with Calico rules. */
  readonly calicoPolicy: boolean;
  readonly root: MapNode;
}

const METADATA = map({
  ...words("name", "namespace", "generateName", "uid", "resourceVersion", "generation", "creationTimestamp"),
  labels: LABELS,
  annotations: ANNOTATIONS,
});

const LABEL_SELECTOR = map({
  matchLabels: LABELS,
  matchExpressions: list(map({ ...words("key", "operator"), values: list(WORD) })),
});

// Kubernetes NetworkPolicy
const KUBERNETES_PEERS = list(
  map({
    podSelector: LABEL_SELECTOR,
    namespaceSelector: LABEL_SELECTOR,
    ipBlock: map({ cidr: WORD, except: list(WORD) }),
  }),
);
const KUBERNETES_PORTS = list(map(words("protocol", "port", "endPort")));

export const KUBERNETES_POLICY_SPEC = map({
  podSelector: LABEL_SELECTOR,
  policyTypes: list(WORD),
  ingress: list(map({ from: KUBERNETES_PEERS, ports: KUBERNETES_PORTS })),
  egress: list(map({ to: KUBERNETES_PEERS, ports: KUBERNETES_PORTS })),
});

// Calico
const ICMP = map(words("type", "code"));

const ENTITY = map({
  nets: list(WORD),
  notNets: list(WORD),
  selector: SELECTOR,
  notSelector: SELECTOR,
  namespaceSelector: SELECTOR,
  ports: list(WORD),
  notPorts: list(WORD),
  services: map(words("name", "namespace")),
  serviceAccounts: map({ names: list(WORD), selector: SELECTOR }),
});

const RULE = map({
  ...words("action", "ipVersion", "protocol", "notProtocol"),
  icmp: ICMP,
  notICMP: ICMP,
  source: ENTITY,
  destination: ENTITY,
  http: map({ methods: list(WORD), paths: list(map(words("exact", "prefix"))) }),
  metadata: map({ annotations: ANNOTATIONS }),
});

export const CALICO_RULES = list(RULE);

const NETWORK_POLICY_FIELDS = {
  ...words("tier", "order"),
  selector: SELECTOR,
  serviceAccountSelector: SELECTOR,
  types: list(WORD),
  ingress: CALICO_RULES,
  egress: CALICO_RULES,
  performanceHints: list(WORD),
};

const GLOBAL_POLICY_FIELDS = {
  ...NETWORK_POLICY_FIELDS,
  namespaceSelector: SELECTOR,
  ...words("doNotTrack", "preDNAT", "applyOnForward"),
};

const STAGED = words("stagedAction");
const NAMED_PORT = words("name", "protocol", "port");

const FAILSAFE_PORTS: SchemaNode = { type: "list", item: map(words("protocol", "port", "net")), words: true };
const FELIX_SPEC: MapNode = {
  type: "map",
  fields: {
    failsafeInboundHostPorts: FAILSAFE_PORTS,
    failsafeOutboundHostPorts: FAILSAFE_PORTS,
    kubeNodePortRanges: list(WORD),
    externalNodesList: list(WORD),
    nodeSelector: SELECTOR,
  },
  anyField: true,
};

// Cilium
const CIDR_SET = list(map({ ...words("cidr", "cidrGroupRef"), cidrGroupSelector: LABEL_SELECTOR, except: list(WORD) }));
const NAME_MATCHES = list(map(words("matchName", "matchPattern")));

const TO_PORTS = list(
  map({
    ports: list(map(words("port", "endPort", "protocol"))),
    rules: map({
      http: list(
        map({
          ...words("method", "path", "host"),
          headers: list(TEXT),
          headerMatches: list(map(words("name", "value", "mismatch"))),
        }),
      ),
      dns: NAME_MATCHES,
      kafka: list(map(words("role", "apiKey", "apiVersion", "clientID", "topic"))),
      l7proto: WORD,
      l7: list(LABELS),
    }),
  }),
);

const CILIUM_COMMON = {
  toPorts: TO_PORTS,
  icmps: list(map({ fields: list(map(words("family", "type"))) })),
  authentication: map(words("mode")),
};

const CILIUM_INGRESS = list(
  map({
    fromEndpoints: list(LABEL_SELECTOR),
    fromRequires: list(LABEL_SELECTOR),
    fromNodes: list(LABEL_SELECTOR),
    fromCIDR: list(WORD),
    fromCIDRSet: CIDR_SET,
    fromEntities: list(WORD),
    ...CILIUM_COMMON,
  }),
);

const CILIUM_EGRESS = list(
  map({
    toEndpoints: list(LABEL_SELECTOR),
    toRequires: list(LABEL_SELECTOR),
    toNodes: list(LABEL_SELECTOR),
    toCIDR: list(WORD),
    toCIDRSet: CIDR_SET,
    toEntities: list(WORD),
    toFQDNs: NAME_MATCHES,
    toServices: list(
      map({
        k8sService: map(words("serviceName", "namespace")),
        k8sServiceSelector: map({ selector: LABEL_SELECTOR, namespace: WORD }),
      }),
    ),
    ...CILIUM_COMMON,
  }),
);

const CILIUM_SPEC = map({
  description: TEXT,
  endpointSelector: LABEL_SELECTOR,
  nodeSelector: LABEL_SELECTOR,
  enableDefaultDeny: map(words("ingress", "egress")),
  ingress: CILIUM_INGRESS,
  ingressDeny: CILIUM_INGRESS,
  egress: CILIUM_EGRESS,
  egressDeny: CILIUM_EGRESS,
});

// Inventory
const POD_IPS = list(map(words("ip")));

const POD_SPEC = map({
  ...words("nodeName", "hostNetwork", "serviceAccountName", "serviceAccount", "restartPolicy", "hostname"),
  ...words("terminationGracePeriodSeconds", "dnsPolicy"),
  nodeSelector: LABELS,
  containers: list(
    map({
      ...words("name", "image", "imagePullPolicy"),
      command: list(TEXT),
      args: list(TEXT),
      env: list(map({ name: WORD, value: TEXT })),
      ports: list(map(words("name", "containerPort", "protocol", "hostPort", "hostIP"))),
    }),
  ),
});

const SERVICE_SPEC = map({
  ...words("type", "clusterIP", "externalName", "externalTrafficPolicy", "internalTrafficPolicy", "sessionAffinity"),
  ...words("ipFamilyPolicy", "loadBalancerIP"),
  clusterIPs: list(WORD),
  externalIPs: list(WORD),
  ipFamilies: list(WORD),
  ports: list(map({ ...NAMED_PORT, ...words("targetPort", "nodePort", "appProtocol") })),
  selector: LABELS,
});

const ENDPOINT = map({
  addresses: list(WORD),
  conditions: map(words("ready", "serving", "terminating")),
  targetRef: map(words("kind", "name", "namespace", "uid")),
  ...words("nodeName", "hostname", "zone"),
});

function schema(
  name: string,
  scope: "namespaced" | "cluster",
  fields: Readonly<Record<string, SchemaNode>>,
  calicoPolicy = false,
): KindSchema {
  const root = map({ ...words("apiVersion", "kind"), metadata: METADATA, ...fields });
  return { name, namespaced: scope === "namespaced", calicoPolicy, root };
}

function calicoPolicy(name: string, scope: "namespaced" | "cluster", spec: Readonly<Record<string, SchemaNode>>) {
  return schema(name, scope, { spec: map(spec) }, true);
}

const CALICO: readonly KindSchema[] = [
  calicoPolicy("NetworkPolicy", "namespaced", NETWORK_POLICY_FIELDS),
  calicoPolicy("GlobalNetworkPolicy", "cluster", GLOBAL_POLICY_FIELDS),
  calicoPolicy("StagedNetworkPolicy", "namespaced", { ...NETWORK_POLICY_FIELDS, ...STAGED }),
  calicoPolicy("StagedGlobalNetworkPolicy", "cluster", { ...GLOBAL_POLICY_FIELDS, ...STAGED }),
  schema("StagedKubernetesNetworkPolicy", "namespaced", {
    spec: map({ ...KUBERNETES_POLICY_SPEC.fields, ...STAGED }),
  }),
  schema("HostEndpoint", "cluster", {
    spec: map({
      ...words("node", "interfaceName"),
      expectedIPs: list(WORD),
      profiles: list(WORD),
      ports: list(map(NAMED_PORT)),
    }),
  }),
  schema("WorkloadEndpoint", "namespaced", {
    spec: map({
      ...words("orchestrator", "workload", "node", "containerID", "pod", "endpoint", "serviceAccountName"),
      ...words("ipv4Gateway", "ipv6Gateway", "interfaceName", "mac"),
      ipNetworks: list(WORD),
      ipNATs: list(map(words("internalIP", "externalIP"))),
      profiles: list(WORD),
      ports: list(map({ ...NAMED_PORT, ...words("hostPort", "hostIP") })),
      allowSpoofedSourcePrefixes: list(WORD),
    }),
  }),
  schema("NetworkSet", "namespaced", { spec: map({ nets: list(WORD) }) }),
  schema("GlobalNetworkSet", "cluster", { spec: map({ nets: list(WORD) }) }),
  schema("Tier", "cluster", { spec: map(words("order", "defaultAction")) }),
  schema("Profile", "cluster", { spec: map({ ingress: CALICO_RULES, egress: CALICO_RULES, labelsToApply: LABELS }) }),
  schema("FelixConfiguration", "cluster", { spec: FELIX_SPEC }),
];

const CORE: readonly KindSchema[] = [
  schema("Namespace", "cluster", { spec: map({ finalizers: list(WORD) }), status: map(words("phase")) }),
  schema("Pod", "namespaced", {
    spec: POD_SPEC,
    status: map({ ...words("phase", "podIP", "hostIP"), podIPs: POD_IPS, hostIPs: POD_IPS }),
  }),
  schema("Service", "namespaced", { spec: SERVICE_SPEC, status: map({}) }),
  schema("Node", "cluster", {
    spec: map({ ...words("podCIDR", "providerID"), podCIDRs: list(WORD) }),
    status: map({ addresses: list(map(words("type", "address"))) }),
  }),
  schema("ServiceAccount", "namespaced", {
    secrets: list(map(words("name"))),
    imagePullSecrets: list(map(words("name"))),
    automountServiceAccountToken: WORD,
  }),
];

const CILIUM_FIELDS = { spec: CILIUM_SPEC, specs: list(CILIUM_SPEC) };

/** By API group; "" is the core group. */
const GROUPS: ReadonlyMap<string, readonly KindSchema[]> = new Map([
  ["", CORE],
  ["networking.k8s.io", [schema("KubernetesNetworkPolicy", "namespaced", { spec: KUBERNETES_POLICY_SPEC })]],
  [
    "discovery.k8s.io",
    [
      schema("EndpointSlice", "namespaced", {
        addressType: WORD,
        endpoints: list(ENDPOINT),
        ports: list(map({ ...NAMED_PORT, appProtocol: WORD })),
      }),
    ],
  ],
  ["projectcalico.org", CALICO],
  ["crd.projectcalico.org", CALICO],
  [
    "cilium.io",
    [
      schema("CiliumNetworkPolicy", "namespaced", CILIUM_FIELDS),
      schema("CiliumClusterwideNetworkPolicy", "cluster", CILIUM_FIELDS),
    ],
  ],
]);

export function lookUpSchema(apiVersion: string, kind: string): KindSchema | undefined {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const name = group === "networking.k8s.io" && kind === "NetworkPolicy" ? "KubernetesNetworkPolicy" : kind;
  return GROUPS.get(group)?.find((known) => known.name === name);
}
