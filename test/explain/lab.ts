/** A small world for questions: two nodes, pods on each, a policy of every kind, loaded from YAML as a user's is. */
import { join } from "node:path";
import { connect, planCourse } from "../../src/explain/connection.ts";
import type { Scope } from "../../src/explain/course.ts";
import { CoursePlanner } from "../../src/explain/course.ts";
import { EndpointDirectory } from "../../src/explain/endpoint-directory.ts";
import { explainConnection } from "../../src/explain/explain-connection.ts";
import type { Explanation } from "../../src/explain/explanation.ts";
import type { QuestionSource } from "../../src/explain/question.ts";
import { readQuestion } from "../../src/explain/question.ts";
import { loadResources } from "../../src/resources/load.ts";
import type { ResourceSet } from "../../src/resources/types.ts";
import { temporaryFolder } from "../resources/temporary-folder.ts";

const pod = (namespace: string, name: string, node: string, ips: readonly string[], app = name): string => `---
apiVersion: v1
kind: Pod
metadata: { namespace: ${namespace}, name: ${name}, labels: { app: ${app} } }
spec:
  nodeName: ${node}
  containers: [{ name: main, ports: [{ name: http, containerPort: 8080 }] }]
status: { phase: Running, podIPs: [${ips.map((ip) => `{ ip: "${ip}" }`).join(", ")}] }
`;

export const INVENTORY = `
apiVersion: v1
kind: Namespace
metadata: { name: prod, labels: { stage: prod } }
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: { name: one-eth0, labels: { host: one } }
spec: { node: one, interfaceName: eth0, expectedIPs: [192.0.2.1], profiles: [projectcalico-default-allow] }
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: { name: two-eth0, labels: { host: two } }
spec: { node: two, interfaceName: eth0, expectedIPs: [192.0.2.2] }
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: { name: office, labels: { place: office } }
spec: { nets: [198.51.100.0/24] }
${pod("prod", "web", "one", ["10.1.0.1", "fd00:1::1"])}
${pod("prod", "db", "two", ["10.2.0.1", "fd00:2::1"])}
${pod("prod", "v6only", "two", ["fd00:2::2"])}
${pod("dev", "shell", "one", ["10.1.0.2"])}
`;

/** Lines are counted by tests: `policy.yaml` starts with this text. */
export const POLICIES = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: prod, name: db }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app: web } } }]
      ports: [{ protocol: TCP, port: 5432 }]
    - from: [{ ipBlock: { cidr: 198.51.100.0/24, except: [198.51.100.7/32] } }]
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: hosts }
spec:
  selector: has(host)
  ingress:
    - action: Allow
      protocol: TCP
      source: { selector: place == "office" }
      destination: { ports: [443, 8000:8999] }
`;

export function loadLab(policies: string = POLICIES): { set: ResourceSet; folder: string } {
  const folder = temporaryFolder({ "policy.yaml": policies, "inventory.yaml": INVENTORY });
  const { resources, errors } = loadResources([folder]);
  if (errors.length > 0) throw new Error(errors.map(String).join("\n"));
  return { set: resources, folder: join(folder, "/") };
}

const EVERYWHERE: Scope = { node: undefined, hook: undefined };

export function explain(set: ResourceSet, question: QuestionSource, scope: Partial<Scope> = {}): Explanation {
  const connection = connect(readQuestion(question), new EndpointDirectory(set));
  const planner = new CoursePlanner(set, { ...EVERYWHERE, ...scope });
  return explainConnection(set, connection, planCourse(planner, connection));
}

/** A TCP question. */
export function tcp(from: string, to: string, port: number | string): QuestionSource {
  return { from, to, protocol: "tcp", port };
}
