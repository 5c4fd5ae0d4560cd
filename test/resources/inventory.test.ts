import { describe, expect, it } from "vitest";
import { formatCidr } from "../../src/address/address.ts";
import type { WorkloadEndpoint } from "../../src/resources/types.ts";
import {
  addressesOf,
  calico,
  document,
  endpointNamed,
  load,
  loadGood,
  namespace,
  pod,
  service,
  slice,
} from "./inventory-documents.ts";

const loadPod = (metadata: string, spec?: string, status?: string): WorkloadEndpoint =>
  endpointNamed(loadGood(pod(metadata, spec, status)), "a");

describe("documents of a cluster", () => {
  it("are read without a warning, whatever else they hold", () => {
    const { errors, warnings } = load(
      document("v1", "Namespace", "{ name: a }", "spec: { finalizers: [kubernetes] }\nstatus: { phase: Active }"),
      document("v1", "ServiceAccount", "{ name: a }", "secrets: [{ name: x }]\nautomountServiceAccountToken: false"),
      document("v1", "Node", "{ name: a }", "spec: { podCIDR: 10.0.0.0/24 }\nstatus: { addresses: [], images: [] }"),
      pod("{ name: a }", "{ nodeName: n, tolerations: [{ operator: Exists }] }", "{ qosClass: BestEffort }"),
      service("{ name: a }", "{ clusterIP: 10.96.0.1, ports: [{ name: x, port: 80 }], sessionAffinity: None }"),
      slice("a", "a", "[{ addresses: [10.0.0.1], nodeName: n, targetRef: {} }]", "[{ port: 80, appProtocol: x }]"),
    );
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
  });

  it("may be items of a list", () => {
    const items = ["a", "b"].map((name) => `  - { metadata: { name: ${name} }, spec: { nodeName: n } }\n`);
    const { workloadEndpoints } = loadGood(`apiVersion: v1\nkind: PodList\nitems:\n${items.join("")}`);
    expect(workloadEndpoints.map(({ name }) => name)).toEqual(["a", "b"]);
  });

  it("may hold text in angle brackets where nobody looks", () => {
    expect(loadPod("{ name: a }", '{ nodeName: n, containers: [{ args: ["<html>"] }] }').node).toBe("n");
  });

  it("without a namespace are in `default`", () => {
    expect(loadPod("{ name: a }").namespace).toBe("default");
    expect(loadPod("{ name: a, namespace: b }").namespace).toBe("b");
  });
});

describe("a pod's addresses", () => {
  it.each([
    ["podIPs", "{}", "{ podIP: 10.0.0.9, podIPs: [{ ip: 10.0.0.1 }, { ip: 'fd00::1' }] }", ["10.0.0.1", "fd00::1"]],
    ["podIP, where there is no list", "{}", "{ podIP: 10.0.0.9 }", ["10.0.0.9"]],
    [
      "Calico's annotation, where the status has none yet",
      '{ cni.projectcalico.org/podIPs: "10.0.0.1/32,fd00::1/128" }',
      "{ phase: Pending }",
      ["10.0.0.1", "fd00::1"],
    ],
    ["Calico's annotation of one", '{ cni.projectcalico.org/podIP: "10.0.0.1/32" }', "{}", ["10.0.0.1"]],
    [
      "the status before the annotation",
      '{ cni.projectcalico.org/podIPs: "10.0.0.1/32" }',
      "{ podIP: 10.0.0.2 }",
      ["10.0.0.2"],
    ],
    ["none, with empty fields", '{ cni.projectcalico.org/podIPs: "" }', "{ podIP: '', podIPs: [] }", []],
  ])("are those of %s", (_what, annotations, status, expected) => {
    expect(addressesOf(loadPod(`{ name: a, annotations: ${annotations} }`, undefined, status))).toEqual(expected);
  });

  it.each(["Pending", "Running", "Unknown", "''"])("count in phase %s", (phase) => {
    const endpoint = loadPod("{ name: a }", undefined, `{ phase: ${phase}, podIP: 10.0.0.1 }`);
    expect(addressesOf(endpoint)).toEqual(["10.0.0.1"]);
  });

  it.each(["Succeeded", "Failed"])("are nobody's in phase %s: another pod may have them", (phase) => {
    const { workloadEndpoints } = loadGood(pod("{ name: a }", undefined, `{ phase: ${phase}, podIP: 10.0.0.1 }`));
    expect(workloadEndpoints).toEqual([]);
  });

  it("are the node's in its network, so that it is no endpoint", () => {
    const spec = "{ nodeName: n, hostNetwork: true }";
    expect(loadGood(pod("{ name: a }", spec, "{ podIP: 192.0.2.1 }")).workloadEndpoints).toEqual([]);
  });

  it("may be missing on a node: its interface is governed before it is known", () => {
    expect(loadPod("{ name: a }", "{ nodeName: n }")).toMatchObject({ node: "n", addresses: [] });
  });

  it("without a node still match selectors, on no host of ours", () => {
    expect(loadPod("{ name: a }", "{}", "{ podIP: 10.0.0.1 }").node).toBe("");
  });

  it("and a node are both missing: warned about, for no rule can meet it", () => {
    const { resources, errors, warnings } = load(pod("{ name: a }", "{}"));
    expect(resources.workloadEndpoints).toEqual([]);
    expect({ errors, warnings }).toEqual({ errors: [], warnings: ["RAMPART_W_POD_UNPLACED"] });
  });
});

describe("a pod's ports", () => {
  it("are the named ones of all containers and sidecars, TCP where it does not say", () => {
    const spec = `{ nodeName: n,
      containers: [
        { ports: [{ name: http, containerPort: 8080 }, { containerPort: 9 }] },
        { ports: [{ name: dns, containerPort: 53, protocol: UDP }, { name: dns, containerPort: 53, protocol: TCP }] }],
      initContainers: [
        { ports: [{ name: setup, containerPort: 1 }] },
        { restartPolicy: Always, ports: [{ name: mesh, containerPort: 2, protocol: SCTP }] }] }`;
    expect(loadPod("{ name: a }", spec).ports).toEqual([
      { name: "http", protocol: 6, port: 8080 },
      { name: "dns", protocol: 17, port: 53 },
      { name: "dns", protocol: 6, port: 53 },
      { name: "mesh", protocol: 132, port: 2 },
    ]);
  });
});

describe("a pod's interface", () => {
  // From `printf default.a | sha1sum`.
  const HASH = "acd53aa4120";

  it("is called as Calico calls it: cali and 11 digits of the hash of namespace.name", () => {
    expect(loadPod("{ name: a }").interfaceName).toBe(`cali${HASH}`);
  });

  it("begins with the first prefix of the node's FelixConfiguration, else of `default`", () => {
    const felix = (name: string, prefix: string): string =>
      calico("FelixConfiguration", `{ name: ${name} }`, `{ interfacePrefix: "${prefix}" }`);
    const set = loadGood(
      felix("default", "tap, cali"),
      felix("node.n2", "vet"),
      pod("{ name: a }", "{ nodeName: n1 }"),
      pod("{ name: a, namespace: b }", "{ nodeName: n2 }"),
    );
    expect(set.workloadEndpoints.map(({ interfaceName }) => interfaceName.slice(0, 3))).toEqual(["vet", "tap"]);
    expect(set.workloadEndpoints[1]?.interfaceName).toBe(`tap${HASH}`);
  });

  it("is what the annotation says", () => {
    const endpoint = loadPod("{ name: a, annotations: { rampart.io/interface: veth-a } }");
    expect(endpoint.interfaceName).toBe("veth-a");
  });
});

describe("a WorkloadEndpoint document", () => {
  const SPEC = `{ orchestrator: k8s, workload: w, node: n1, containerID: c, pod: a, endpoint: eth0,
    serviceAccountName: robot, ipNetworks: [10.0.0.1/32, "fd00::1/128", 10.0.0.2], ipNATs: [],
    ipv4Gateway: "", mac: "ee:ee:ee:ee:ee:ee", profiles: [kns.default, ksa.default.robot], interfaceName: cali1,
    ports: [{ name: http, protocol: TCP, port: 80 }, { protocol: UDP, port: 53, hostPort: 5353, hostIP: 192.0.2.1 }],
    allowSpoofedSourcePrefixes: [10.9.0.0/16] }`;

  it("says all of its endpoint", () => {
    const { resources, warnings } = load(calico("WorkloadEndpoint", "{ name: w, labels: { app: x } }", SPEC));
    expect(warnings).toEqual([]);
    const [endpoint] = resources.workloadEndpoints as [WorkloadEndpoint];
    expect(endpoint).toMatchObject({
      kind: "WorkloadEndpoint",
      name: "w",
      namespace: "default",
      node: "n1",
      interfaceName: "cali1",
      profiles: ["kns.default", "ksa.default.robot"],
      ports: [{ name: "http", protocol: 6, port: 80 }],
    });
    expect(addressesOf(endpoint)).toEqual(["10.0.0.1", "fd00::1", "10.0.0.2"]);
    expect(endpoint.allowedSources.map(formatCidr)).toEqual(["10.9.0.0/16"]);
    expect(endpoint).not.toHaveProperty("pod");
    expect(endpoint).not.toHaveProperty("serviceAccount");
  });

  it("stands for the Pod it is about", () => {
    const { workloadEndpoints } = loadGood(
      calico("WorkloadEndpoint", "{ name: w }", SPEC),
      pod("{ name: a }", "{ nodeName: n1 }", "{ podIP: 10.0.0.7 }"),
      pod("{ name: a, namespace: b }", "{ nodeName: n1 }"),
    );
    expect(workloadEndpoints.map(({ namespace: inside, name }) => `${inside}/${name}`)).toEqual(["b/a", "default/w"]);
  });

  it("has no profile it does not list", () => {
    const { workloadEndpoints } = loadGood(calico("WorkloadEndpoint", "{ name: w }", "{ node: n, interfaceName: c }"));
    expect(workloadEndpoints[0]?.profiles).toEqual([]);
  });
});

describe("a HostEndpoint's ports", () => {
  it("have a name, a protocol and a number", () => {
    const spec = "{ node: n, interfaceName: eth0, ports: [{ name: ssh, protocol: tcp, port: 22 }] }";
    const { hostEndpoints } = loadGood(calico("HostEndpoint", "{ name: a }", spec));
    expect(hostEndpoints[0]?.ports).toEqual([{ name: "ssh", protocol: 6, port: 22 }]);
  });
});

describe("a FelixConfiguration", () => {
  it("says the prefixes of workload interfaces, and where packets from workloads to their host go", () => {
    const spec = "{ interfacePrefix: 'cali, tap', DefaultEndpointToHostAction: RETURN }";
    const { felixConfigurations } = loadGood(calico("FelixConfiguration", "{ name: default }", spec));
    expect(felixConfigurations[0]).toMatchObject({
      interfacePrefixes: ["cali", "tap"],
      defaultEndpointToHostAction: "Return",
    });
  });

  it("that says neither leaves both to the defaults", () => {
    const silent = calico("FelixConfiguration", "{ name: default }", "{ interfacePrefix: '' }");
    const { felixConfigurations } = loadGood(silent);
    expect(felixConfigurations[0]).toMatchObject({
      interfacePrefixes: undefined,
      defaultEndpointToHostAction: undefined,
    });
  });
});

describe("names given twice", () => {
  it("are an error in one kind and namespace only", () => {
    const other = pod("{ name: a, namespace: b }", "{ nodeName: n2 }");
    const once = [pod("{ name: a }"), other, namespace("a"), service("{ name: a }", "{}")];
    expect(load(...once).errors).toEqual([]);
    expect(load(...once, other).errors).toEqual(["RAMPART_E_DUPLICATE"]);
    expect(load(...once, namespace("a")).errors).toEqual(["RAMPART_E_DUPLICATE"]);
  });

  it("are an error where a document and a pod become the same endpoint", () => {
    const workload = calico("WorkloadEndpoint", "{ name: a }", "{ node: n, interfaceName: c }");
    const { errors } = load(pod("{ name: a }"), workload);
    expect(errors).toEqual(["RAMPART_E_DUPLICATE"]);
  });

  it("are no error for a staged policy and the one it is to replace", () => {
    const { resources, errors } = load(
      calico("GlobalNetworkPolicy", "{ name: a }", "{ order: 1 }"),
      calico("StagedGlobalNetworkPolicy", "{ name: a }", "{ order: 2 }"),
    );
    expect(errors).toEqual([]);
    expect(resources.policies.map(({ staged }) => staged).toSorted()).toEqual([false, true]);
  });

  it("of interfaces on one node are an error, on two nodes they are not", () => {
    const with1 = (name: string, node: string): string =>
      pod(`{ name: ${name}, annotations: { rampart.io/interface: veth1 } }`, `{ nodeName: ${node} }`);
    expect(load(with1("a", "n1"), with1("b", "n2")).errors).toEqual([]);
    expect(load(with1("a", "n1"), with1("b", "n1")).errors).toEqual(["RAMPART_E_DUPLICATE"]);
    const unplaced = '{ name: c, annotations: { rampart.io/interface: veth1 } }';
    expect(load(with1("a", "n1"), pod(unplaced, "{}", "{ podIP: 10.0.0.2 }")).errors).toEqual([]);
  });
});
