/** The 37 examples of SEMANTICS 0.3: each is found in its article and has the meaning of its row. */
import { describe, expect, it } from "vitest";
import { article, codes, named, specs } from "./seed-documents.ts";

const KNP = "KubernetesNetworkPolicy";
const GNP = "GlobalNetworkPolicy";
const introduction = article("000");
const collection = article("001");
const hosts = article("002");
const colours = article("003");
const deathstar = article("004");

const tcp = (port: number | string) => ({ protocol: "TCP", port });
const pods = (labels: Record<string, string>) => ({ podSelector: { matchLabels: labels } });
const namespaces = (labels: Record<string, string>) => ({ namespaceSelector: { matchLabels: labels } });

describe("the introduction, with its indentation lost or all on one line", () => {
  it("S1 denies all ingress", () => {
    expect(specs(introduction, KNP, "default-deny-ingress")).toEqual([{ podSelector: {}, policyTypes: ["Ingress"] }]);
  });

  it("S2 allows all ingress by a rule without criteria", () => {
    const spec = { podSelector: {}, ingress: [{}], policyTypes: ["Ingress"] };
    expect(specs(introduction, KNP, "allow-all-ingress")).toEqual([spec]);
  });

  it("S3 allows all egress and does not govern ingress", () => {
    const spec = { podSelector: {}, egress: [{}], policyTypes: ["Egress"] };
    expect(specs(introduction, KNP, "allow-all-egress")).toEqual([spec]);
  });

  it("S4 denies both directions", () => {
    const spec = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };
    expect(specs(introduction, KNP, "default-deny-all")).toEqual([spec]);
  });

  it("S5 has no policyTypes, and the command after it is not part of the selector", () => {
    const [document] = named(introduction, KNP, "default-deny");
    expect(document?.value["metadata"]).toEqual({ name: "default-deny", namespace: "calico-demo" });
    expect(document?.value["spec"]).toEqual({ podSelector: {} });
    const leftOut = document?.repairs.filter(({ code }) => code === "RAMPART_W_REPAIR_LEFT_OUT");
    expect(leftOut?.map(({ message }) => message)).toEqual([
      '"cat networkpolicy.yaml" is no YAML; left out',
      '"k apply -f networkpolicy.yaml" is no YAML; left out',
    ]);
  });

  it("S6 allows two kinds of ping; the comment in the middle swallows no rule", () => {
    const ping = (protocol: string, type: number) => ({
      action: "Allow",
      protocol,
      source: { selector: "all()" },
      icmp: { type },
    });
    expect(specs(introduction, GNP, "allow-ping-in-cluster")).toEqual([
      { selector: "all()", types: ["Ingress"], ingress: [ping("ICMP", 8), ping("ICMPv6", 128)] },
    ]);
  });

  it("S7 allows HTTP from one namespace", () => {
    const from = [namespaces({ "kubernetes.io/metadata.name": "default" })];
    const [document] = named(introduction, KNP, "allow-http");
    expect(document?.value["metadata"]).toEqual({ name: "allow-http", namespace: "calico-demo" });
    expect(document?.value["spec"]).toEqual({ podSelector: {}, ingress: [{ from, ports: [tcp(80)] }] });
  });

  it("its namespace is written, its Deployments are named and left out, nothing else is", () => {
    expect(introduction.documents).toHaveLength(8);
    expect(named(introduction, "Namespace", "calico-demo")).toHaveLength(1);
    expect(introduction.skipped.map(({ code }) => code)).toEqual(["RAMPART_W_KIND_IGNORED", "RAMPART_W_KIND_IGNORED"]);
  });
});

describe("the collection: well indented, flat, and with line numbers", () => {
  it("S8 denies by default, with three exceptions", () => {
    const system = { namespaceSelector: "name == 'kube-system'" };
    expect(specs(collection, GNP, "global-deny-all")).toEqual([
      {
        order: 2000,
        types: ["Ingress", "Egress"],
        egress: [
          { action: "Allow", destination: {}, source: system },
          { action: "Allow", protocol: "UDP", destination: { nets: ["0.0.0.0/0"], ports: [53] } },
        ],
        ingress: [{ action: "Allow", destination: system, source: {} }],
      },
    ]);
  });

  it("S9 allows port 80 from any peer", () => {
    const [document] = named(collection, KNP, "team-netpol");
    expect(document?.value["metadata"]).toEqual({ name: "team-netpol", namespace: "org-1" });
    expect(document?.value["spec"]).toEqual({
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ from: null, ports: [tcp(80)] }],
    });
  });

  it("S10 denies both directions with empty rules", () => {
    const spec = { podSelector: {}, ingress: null, egress: null, policyTypes: ["Egress", "Ingress"] };
    expect(specs(collection, KNP, "deny-all-egress")).toEqual([spec]);
  });

  it("S11 allows both directions", () => {
    const spec = { podSelector: {}, ingress: [{}], egress: [{}], policyTypes: ["Egress", "Ingress"] };
    expect(specs(collection, KNP, "allow-all-egress")).toEqual([spec]);
  });

  it("S12 and S13 have the same name: one isolates labelled pods, one allows a block of addresses", () => {
    const [labelled, block] = named(collection, KNP, "deny-all");
    expect(labelled?.value["spec"]).toEqual({
      podSelector: { matchLabels: { access: "true" } },
      policyTypes: ["Ingress", "Egress"],
      ingress: null,
      egress: null,
    });
    expect(block?.value["spec"]).toEqual({
      podSelector: {},
      policyTypes: ["Egress", "Ingress"],
      ingress: null,
      egress: [{ to: [{ ipBlock: { cidr: "192.168.0.0/16", except: ["192.168.94.134/32"] } }] }],
    });
  });

  it("S14, S15 and S16 have the same name and three different peers", () => {
    const expressions = [{ key: "name", operator: "In", values: ["cs1", "cs2"] }];
    const from = (peer: object) => ({ podSelector: {}, ingress: [{ from: [peer] }] });
    expect(specs(collection, KNP, "namespace-allow")).toEqual([
      { policyTypes: ["Ingress"], ...from(namespaces({ name: "cs1" })) },
      { policyTypes: ["Ingress", "Egress"], ...from({ namespaceSelector: { matchExpressions: expressions } }) },
      { policyTypes: ["Ingress"], ...from(pods({ access: "true" })) },
    ]);
  });

  it("S17 is four specs without a document, each a policy of its own", () => {
    const fragments = collection.documents.filter((one) => codes(one).includes("RAMPART_W_REPAIR_FRAGMENT"));
    expect(fragments.map(({ line }) => line)).toEqual([252, 259, 267, 273]);
    expect(fragments.map(({ value }) => value["spec"])).toEqual([
      { podSelector: {}, ingress: [], policyTypes: ["Ingress"] },
      { podSelector: {}, ingress: [{}], policyTypes: ["Ingress"] },
      { podSelector: {}, policyTypes: ["Egress"] },
      { podSelector: {}, egress: [{}], policyTypes: ["Egress"] },
    ]);
    for (const { value } of fragments) {
      expect(value).toMatchObject({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" });
    }
  });

  it("S18 allows Redis from nodejs only", () => {
    expect(specs(collection, KNP, "allow-redis-nodejs")).toEqual([
      { ...pods({ service: "redis" }), ingress: [{ from: [pods({ service: "nodejs" })], ports: [tcp(6379)] }] },
    ]);
  });

  it("S19 is the same in Calico's words", () => {
    expect(specs(collection, "NetworkPolicy", "allow-redis-nodejs")).toEqual([
      {
        selector: "service == 'redis'",
        ingress: [
          {
            action: "Allow",
            protocol: "TCP",
            source: { selector: "service == 'nodejs'" },
            destination: { ports: [6379] },
          },
        ],
      },
    ]);
  });

  it("S20 is a namespace whose name is no label, and a policy for it in both languages", () => {
    const [namespace] = named(collection, "Namespace", "kube-prometheus");
    expect(namespace?.value["metadata"]).toEqual({ labels: { module: "prometheus" }, name: "kube-prometheus" });
    expect(namespace === undefined ? [] : codes(namespace)).toContain("RAMPART_W_REPAIR_LABEL");
    const from = [namespaces({ module: "prometheus" })];
    expect(specs(collection, KNP, "allow-metrics-prom")).toEqual([
      { podSelector: {}, ingress: [{ from, ports: [tcp(9100)] }] },
    ]);
    expect(specs(collection, "NetworkPolicy", "allow-metrics-prom")).toEqual([
      {
        ingress: [
          {
            action: "Allow",
            protocol: "TCP",
            source: { namespaceSelector: "module == 'prometheus'" },
            destination: { ports: [9100] },
          },
        ],
      },
    ]);
  });

  it("S21 denies ICMP both ways", () => {
    const rules = [{ action: "Deny", protocol: "ICMP" }];
    expect(specs(collection, GNP, "block-icmp")).toEqual([
      { order: 200, selector: "all()", types: ["Ingress", "Egress"], ingress: rules, egress: rules },
    ]);
  });

  it("S22 allows ICMP on one host endpoint, whatever it is called", () => {
    const rules = [{ action: "Allow", protocol: "ICMP" }];
    expect(specs(collection, GNP, "deny-icmp-kube-02")).toEqual([
      { selector: "role == 'k8s-node'", order: 0, ingress: rules, egress: rules },
    ]);
    const [endpoint] = named(collection, "HostEndpoint", "kube-02-eth0");
    expect(endpoint?.value["metadata"]).toEqual({ name: "kube-02-eth0", labels: { role: "k8s-node" } });
    expect(endpoint?.value["spec"]).toEqual({ interfaceName: "eth0", node: "kube-02", expectedIPs: ["192.168.2.2"] });
  });

  it("S23 is a preDNAT policy for forwarded traffic and a wildcard endpoint", () => {
    expect(specs(collection, "HostEndpoint", "vpnclient-eth0")).toEqual([
      { interfaceName: "*", node: "kube-02", expectedIPs: ["172.176.176.2"] },
    ]);
    expect(specs(collection, GNP, "vpn-rules")).toEqual([
      {
        selector: "role == 'vpnclient'",
        order: 0,
        applyOnForward: true,
        preDNAT: true,
        ingress: [
          { action: "Deny", protocol: "TCP", destination: { ports: [6379] } },
          { action: "Allow", protocol: "UDP", destination: { ports: [53, 67] } },
        ],
      },
    ]);
  });

  it("S24 has mappings where lists belong: each is a rule without criteria", () => {
    const [document] = named(collection, KNP, "allow-all");
    expect(document?.value["spec"]).toEqual({
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
      ingress: [{}],
      egress: [{}],
    });
    expect(document?.repairs.map(({ code, line }) => [code, line])).toEqual([
      ["RAMPART_W_REPAIR_LINE_NUMBERS", 524],
      ["RAMPART_W_OBJECT_AS_LIST", 534],
      ["RAMPART_W_OBJECT_AS_LIST", 535],
    ]);
  });

  it("S25 isolates a namespace, both ways", () => {
    const peer = [namespaces({ nsname: "default" })];
    expect(specs(collection, KNP, "isolate-namespace")).toEqual([
      { podSelector: {}, policyTypes: ["Ingress", "Egress"], ingress: [{ from: peer }], egress: [{ to: peer }] },
    ]);
  });

  it("S26 is put together from eight numbered pieces: three peers, any of which will do, and one port", () => {
    const [document] = named(collection, KNP, "db-connection");
    expect(document?.value["spec"]).toEqual({
      ...pods({ role: "db" }),
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        {
          from: [
            { ipBlock: { cidr: "172.17.0.0/16", except: ["172.17.1.0/24"] } },
            namespaces({ nsname: "allowedns" }),
            pods({ role: "frontend" }),
          ],
          ports: [tcp(3360)],
        },
      ],
      egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/24" } }], ports: [tcp(8000)] }],
    });
    expect(document?.repairs.map(({ message }) => message)).toEqual([
      expect.stringContaining("its 8 pieces were joined"),
    ]);
  });

  it("S27 allows from one label and to another", () => {
    expect(specs(collection, KNP, "allow-out-to-in")).toEqual([
      {
        podSelector: {},
        ingress: [{ from: [pods({ test: "out" })] }],
        egress: [{ to: [pods({ test: "in" })] }],
        policyTypes: ["Ingress", "Egress"],
      },
    ]);
  });

  it("S28 is three policies with two peers each, and the pods and services they are about", () => {
    const admin = namespaces({ role: "admin" });
    const policy = (role: string, peer: object, port: number) => [
      { ...pods({ role }), ingress: [{ from: [peer, admin], ports: [tcp(port)] }], policyTypes: ["Ingress"] },
    ];
    expect(specs(collection, KNP, "staging.db")).toEqual(policy("db", pods({ role: "backend" }), 5432));
    expect(specs(collection, KNP, "staging.backend")).toEqual(policy("backend", pods({ role: "frontend" }), 80));
    expect(specs(collection, KNP, "staging.frontend")).toEqual(policy("frontend", { podSelector: {} }, 80));
    for (const name of ["frontend", "backend", "db"]) {
      expect(named(collection, "Pod", name)).toHaveLength(1);
      expect(named(collection, "Service", name)).toHaveLength(1);
    }
    expect(named(collection, "Namespace", "admin")).toHaveLength(1);
  });

  it("nothing of it is left out: 35 documents and the four fragments", () => {
    expect(collection.documents).toHaveLength(35 + 4);
    expect(collection.skipped).toEqual([]);
  });
});

describe("hosts: flat, between prose that quotes fields", () => {
  const subject = {
    selector: "node-endpoint == 'home'",
    order: 20,
    preDNAT: true,
    applyOnForward: true,
    types: ["Ingress"],
  };
  const pods16 = { action: "Allow", source: { nets: ["10.233.0.0/16"] } };
  const deny = { action: "Deny" };

  it("S29 lists eight failsafe ports", () => {
    expect(specs(hosts, "FelixConfiguration", "default")).toEqual([
      {
        bpfLogLevel: "",
        floatingIPs: "Disabled",
        healthPort: 9099,
        logSeverityScreen: "Info",
        reportingInterval: "0s",
        failsafeInboundHostPorts: [
          "tcp:22",
          "udp:68",
          "tcp:179",
          "tcp:2379",
          "tcp:2380",
          "tcp:6443",
          "tcp:6666",
          "tcp:6667",
        ],
      },
    ]);
  });

  it("S30 has an endpoint with and without addresses, and four versions of its rules, loopback before the Deny", () => {
    const interfaceOf = { interfaceName: "ens160", node: "control1.kryukov.local" };
    const withAddress = { ...interfaceOf, expectedIPs: ["192.168.218.171"] };
    expect(specs(hosts, "HostEndpoint", "control1-ens160")).toEqual([withAddress, interfaceOf, withAddress]);
    const nodes = [171, 174, 175, 176, 177].map((host) => `192.168.218.${host}/32`);
    const peers = { action: "Allow", source: { selector: "node-endpoint == 'home'" } };
    const loopback = { action: "Allow", destination: { nets: ["127.0.0.0/8"] } };
    expect(specs(hosts, GNP, "default-rules")).toEqual([
      { ...subject, ingress: [pods16, deny] },
      { ...subject, ingress: [{ action: "Allow", source: { nets: ["10.233.0.0/16", ...nodes] } }, deny] },
      { ...subject, ingress: [pods16, peers, deny] },
      { ...subject, ingress: [pods16, peers, loopback, deny] },
    ]);
  });

  it("S30: the explanation after the first version repeats a field of it, and is not read as policy", () => {
    const [first] = named(hosts, GNP, "default-rules");
    expect(first?.repairs.find(({ code }) => code === "RAMPART_W_REPAIR_END")?.line).toBe(146);
  });

  it("S31 allows all egress", () => {
    expect(specs(hosts, GNP, "allow-outbound-external")).toEqual([
      { order: 20, selector: subject.selector, types: ["Egress"], egress: [{ action: "Allow" }] },
    ]);
  });

  it("S32: the protocol after the ports is the rule's, not the destination's", () => {
    const rule = (net: string, ports: number[]) => ({
      action: "Allow",
      destination: { nets: [net], ports },
      protocol: "TCP",
    });
    expect(specs(hosts, GNP, "allow-rules")).toEqual([
      {
        ...subject,
        order: 10,
        ingress: [rule("192.168.218.180/32", [80, 443]), rule("192.168.218.189/32", [7443])],
      },
    ]);
  });

  it("the endpoint with placeholders is refused, at both of them, and nothing else is", () => {
    expect(hosts.skipped).toEqual([
      { code: "RAMPART_E_PLACEHOLDER", line: 50, message: expect.stringContaining("<name of endpoint>") },
      { code: "RAMPART_E_PLACEHOLDER", line: 56, message: expect.stringContaining("<node name or hostname>") },
    ]);
    expect(hosts.documents).toHaveLength(10);
  });
});

describe("colours and the death star", () => {
  it("S33 has match expressions in flow style, both ways", () => {
    const peer = (colour: string) => ({
      podSelector: {
        matchExpressions: [
          { key: "environment", operator: "In", values: ["dev"] },
          { key: "app", operator: "In", values: [colour] },
        ],
      },
    });
    expect(specs(colours, KNP, "allow-tcp-80-from-blue-to-green")).toEqual([
      {
        ...pods({ app: "red", environment: "dev" }),
        policyTypes: ["Ingress", "Egress"],
        ingress: [{ from: [peer("blue")], ports: [tcp(80)] }],
        egress: [{ to: [peer("green")], ports: [tcp(80)] }],
      },
    ]);
  });

  it("S34 needs namespace and pod of one peer", () => {
    const both = {
      ...namespaces({ project: "kube-system" }),
      ...pods({ app: "nginx-ingress", component: "controller" }),
    };
    const [document] = named(colours, KNP, "allow-ingresscontroller-traffic");
    expect(document?.value["metadata"]).toMatchObject({ namespace: "prod" });
    expect(document?.value["spec"]).toMatchObject({ ingress: [{ from: [both], ports: [tcp(80)] }] });
    expect([colours.documents.length, colours.skipped]).toEqual([2, []]);
  });

  it("S35 lets the empire's ships land", () => {
    expect(specs(deathstar, KNP, "policy")).toEqual([
      {
        ...pods({ org: "empire", class: "deathstar" }),
        policyTypes: ["Ingress"],
        ingress: [{ from: [pods({ org: "empire" })], ports: [tcp(80)] }],
      },
    ]);
  });

  it("S36 and S37 have the same name: with the HTTP rule beside the ports, and without", () => {
    const policy = (rules: object) => ({
      description: "L7 policy to restrict access to specific HTTP call",
      endpointSelector: { matchLabels: { org: "empire", class: "deathstar" } },
      ingress: [
        {
          fromEndpoints: [{ matchLabels: { org: "empire" } }],
          toPorts: [{ ports: [{ port: "80", protocol: "TCP" }], ...rules }],
        },
      ],
    });
    expect(specs(deathstar, "CiliumNetworkPolicy", "rule1")).toEqual([
      policy({}),
      policy({ rules: { http: [{ method: "POST", path: "/v1/request-landing" }] } }),
    ]);
  });

  it("the service's selector and the pods' labels are theirs", () => {
    expect(specs(deathstar, "Service", "deathstar")).toEqual([
      { type: "ClusterIP", ports: [{ port: 80 }], selector: { org: "empire", class: "deathstar" } },
    ]);
    expect(named(deathstar, "Pod", "xwing")[0]?.value["metadata"]).toEqual({
      name: "xwing",
      labels: { "app.kubernetes.io/name": "xwing", org: "alliance", class: "xwing" },
    });
    expect(deathstar.documents).toHaveLength(6);
    expect(deathstar.skipped.map(({ code }) => code)).toEqual(["RAMPART_W_KIND_IGNORED"]);
  });
});

describe("every flat example", () => {
  it("says that its nesting was rebuilt", () => {
    const silent = [...hosts.documents, ...deathstar.documents].filter(
      (document) => !codes(document).includes("RAMPART_W_REPAIR_INDENTATION"),
    );
    expect(silent).toEqual([]);
  });
});
