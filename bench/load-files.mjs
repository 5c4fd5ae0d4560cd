/**
 * Policies and inventory of a large cluster, as one would write them by hand:
 * 10,000 policies (half Kubernetes', half Calico's), 10,000 pods in 100
 * namespaces on 100 nodes, and 100,000 prefixes in 1,000 network sets.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const POLICIES = 10_000;
const PODS = 10_000;
const SETS = 1000;
const NETS_A_SET = 100;
const NAMESPACES = 100;
const DOCUMENTS_A_FILE = 1000;
const SETS_A_FILE = 100;

/** A node that has a hundredth of the pods. */
export const NODE = "node-1";
/** Holds pods; a label `app: app-1` is in its first document. */
export const POD_FILE = "pods-0.yaml";

export function writeLoadFiles(folder) {
  write(folder, "namespaces", repeat(NAMESPACES, namespace), NAMESPACES);
  write(folder, "policies", repeat(POLICIES, policy), DOCUMENTS_A_FILE);
  write(folder, "pods", repeat(PODS, pod), DOCUMENTS_A_FILE);
  write(folder, "sets", repeat(SETS, networkSet), SETS_A_FILE);
}

function repeat(count, make) {
  return Array.from({ length: count }, (_, n) => make(n));
}

function write(folder, name, documents, documentsAFile) {
  for (let at = 0; at < documents.length; at += documentsAFile) {
    const text = documents.slice(at, at + documentsAFile).join("---\n");
    writeFileSync(join(folder, `${name}-${at / documentsAFile}.yaml`), text);
  }
}

function namespace(n) {
  return `apiVersion: v1
kind: Namespace
metadata:
  name: ns-${n}
  labels:
    team: team-${n % 10}
`;
}

function policy(n) {
  return n % 2 === 0 ? calicoPolicy(n) : kubernetesPolicy(n);
}

function kubernetesPolicy(n) {
  return `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: p-${n}
  namespace: ns-${n % NAMESPACES}
spec:
  podSelector:
    matchLabels:
      app: app-${n % 500}
  policyTypes:
    - Ingress
    - Egress
  ingress:
    - from:
        - podSelector:
            matchLabels:
              app: app-${(n * 7) % 500}
        - namespaceSelector:
            matchLabels:
              team: team-${n % 10}
      ports:
        - protocol: TCP
          port: ${80 + (n % 1000)}
  egress:
    - to:
        - ipBlock:
            cidr: 10.${n % 250}.0.0/16
            except:
              - 10.${n % 250}.3.0/24
`;
}

function calicoPolicy(n) {
  return `apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: g-${n}
spec:
  order: ${n}
  selector: app == 'app-${n % 500}' && team == 'team-${n % 10}'
  types:
    - Ingress
    - Egress
  ingress:
    - action: Allow
      protocol: TCP
      source:
        selector: set == 'set-${n % SETS}'
      destination:
        ports: [${1 + (n % 60_000)}, "${1000 + (n % 5000)}:${7000 + (n % 5000)}"]
    - action: Deny
      protocol: UDP
      source:
        nets:
          - 192.168.${n % 250}.0/24
  egress:
    - action: Allow
      destination:
        notNets: ["172.16.0.0/12"]
`;
}

function pod(n) {
  return `apiVersion: v1
kind: Pod
metadata:
  name: pod-${n}
  namespace: ns-${n % NAMESPACES}
  labels:
    app: app-${(n + 1) % 500}
    tier: t${n % 3}
spec:
  nodeName: node-${n % 100}
  serviceAccountName: sa-${n % 5}
  containers:
    - name: main
      image: registry.example/app:1.${n % 10}
      ports:
        - name: http
          containerPort: 8080
          protocol: TCP
status:
  phase: Running
  podIPs:
    - ip: 10.0.${n >> 8}.${n & 255}
`;
}

function networkSet(n) {
  const net = (at) => `    - ${11 + (n >> 5)}.${(n & 31) * 8 + (at >> 5)}.${(at & 31) * 8}.0/29`;
  return `apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata:
  name: set-${n}
  labels:
    set: set-${n}
spec:
  nets:
${repeat(NETS_A_SET, net).join("\n")}
`;
}
