import { describe, expect, it } from "vitest";
import { calico, document, namespace, pod, service, slice } from "./inventory-documents.ts";
import { loadText, marked } from "./temporary-folder.ts";

/** What is wrong, its code, and the document with `@@` where the error must point. */
type BadDocument = readonly [what: string, code: string, text: string];

function hostEndpoint(spec: string, labels = "{}"): string {
  return calico("HostEndpoint", `{ name: a, labels: ${labels} }`, spec);
}

function workload(spec: string): string {
  return calico("WorkloadEndpoint", "{ name: a }", spec);
}

function felix(spec: string): string {
  return calico("FelixConfiguration", "{ name: default }", spec);
}

const portOf = (port: string): string => workload(`{ node: h, interfaceName: cali1, ports: [${port}] }`);
const containerPort = (port: string): string => pod("{ name: a }", `{ containers: [{ ports: [${port}] }] }`);
const servicePort = (port: string): string => service("{ name: a }", `{ ports: [${port}] }`);
const NOTED = "cni.projectcalico.org/podIPs";

const hosts: BadDocument[] = [
  ["a profile nobody defined", "PROFILE_MISSING", hostEndpoint("{ node: h, interfaceName: e, profiles: [@@mine] }")],
  [
    "the implicit profile of a namespace nobody lives in",
    "PROFILE_MISSING",
    hostEndpoint("{ node: h, interfaceName: e, profiles: [@@kns.nowhere] }"),
  ],
  ["a workload's interface", "VALUE", `@@${hostEndpoint("{ node: h, interfaceName: cali1234 }")}`],
  [
    "Calico's namespace label",
    "VALUE",
    hostEndpoint("{ node: h, interfaceName: e }", "{ @@projectcalico.org/namespace: a }"),
  ],
  [
    "a UDPLite port",
    "VALUE",
    hostEndpoint("{ node: h, interfaceName: e, ports: [{ name: a, protocol: @@UDPLite, port: 1 }] }"),
  ],
];

const workloads: BadDocument[] = [
  ["no node", "FIELD_MISSING", workload("@@{ interfaceName: cali1 }")],
  ["an empty node", "VALUE", workload('{ node: @@"", interfaceName: cali1 }')],
  ["no interface", "FIELD_MISSING", workload("@@{ node: h }")],
  ["an empty interface", "VALUE", workload('{ node: h, interfaceName: @@"" }')],
  ["every interface", "VALUE", workload('{ node: h, interfaceName: @@"*" }')],
  ["an interface of 16 characters", "VALUE", workload("{ node: h, interfaceName: @@abcdefghijklmnop }")],
  ["a network of two addresses", "CIDR", workload("{ node: h, interfaceName: cali1, ipNetworks: [@@10.0.0.0/31] }")],
  [
    "an IPv6 network of two addresses",
    "CIDR",
    workload('{ node: h, interfaceName: cali1, ipNetworks: [10.0.0.1/32, @@"fd00::/127"] }'),
  ],
  ["an address that is none", "CIDR", workload("{ node: h, interfaceName: cali1, ipNetworks: [@@10.0.0] }")],
  ["a profile nobody defined", "PROFILE_MISSING", workload("{ node: h, interfaceName: cali1, profiles: [@@mine] }")],
  [
    "a service account in capitals",
    "NAME",
    workload("{ node: h, interfaceName: cali1, serviceAccountName: @@Robot }"),
  ],
  [
    "a source prefix that is none",
    "CIDR",
    workload("{ node: h, interfaceName: cali1, allowSpoofedSourcePrefixes: [@@10.0.0.0/33] }"),
  ],
  ["a port without name and hostPort", "FIELD_MISSING", portOf("@@{ protocol: TCP, port: 80 }")],
  ["a port without a protocol", "VALUE", portOf("@@{ name: http, port: 80 }")],
  ["a port of ICMP", "VALUE", portOf("{ name: http, protocol: @@ICMP, port: 80 }")],
  ["port 0", "PORT", portOf("{ name: http, protocol: TCP, port: @@0 }")],
  ["port 65536 without a name", "PORT", portOf("{ hostPort: 80, protocol: TCP, port: @@65536 }")],
  ["host port 65536", "PORT", portOf("{ hostPort: @@65536, protocol: TCP, port: 80 }")],
  ["a port name in capitals", "NAME", portOf("{ name: @@HTTP, protocol: TCP, port: 80 }")],
  [
    "a namespace in capitals",
    "NAME",
    calico("WorkloadEndpoint", "{ name: a, namespace: @@B }", "{ node: h, interfaceName: cali1 }"),
  ],
];

const pods: BadDocument[] = [
  ["a phase nobody knows", "VALUE", pod("{ name: a }", "{}", "{ phase: @@succeeded }")],
  ["an address in podIPs", "CIDR", pod("{ name: a }", "{}", "{ podIPs: [{ ip: 10.0.0.1 }, { ip: @@10.0.0.1/32 }] }")],
  ["the podIP", "CIDR", pod("{ name: a }", "{}", "{ podIP: @@somewhere }")],
  [
    "the annotation with a network",
    "CIDR",
    pod(`{ name: a, annotations: { ${NOTED}: @@"10.0.0.1/32,10.1.0.0/16" } }`),
  ],
  [
    "an interface name of 16 characters",
    "VALUE",
    pod("{ name: a, annotations: { rampart.io/interface: @@abcdefghijklmnop } }"),
  ],
  ["a service account in capitals", "NAME", pod("{ name: a }", "{ nodeName: n, serviceAccountName: @@Robot }")],
  ["container port 0", "PORT", containerPort("{ name: http, containerPort: @@0 }")],
  ["a container port of ICMP", "VALUE", containerPort("{ name: http, protocol: @@ICMP, containerPort: 1 }")],
  ["a port name of 16 characters", "NAME", containerPort("{ name: @@abcdefghijklmnop, containerPort: 1 }")],
  ["hostNetwork that is text", "TYPE", pod("{ name: a }", '{ hostNetwork: @@"true" }')],
  ["a name in capitals", "NAME", pod("{ name: @@A }")],
  ["no name", "NAME", pod("@@{ labels: { a: b } }")],
  ["a label value with a space", "VALUE", pod("{ name: a, labels: { v: @@a b } }")],
  ["a placeholder for its node", "PLACEHOLDER", pod("{ name: a }", "{ nodeName: @@<node> }")],
];

const services: BadDocument[] = [
  ["port 0", "PORT", servicePort("{ port: @@0 }")],
  ["target port 65536", "PORT", servicePort("{ port: 80, targetPort: @@65536 }")],
  ["a target port name in capitals", "NAME", servicePort("{ port: 80, targetPort: @@HTTP }")],
  ["a port of ICMP", "VALUE", servicePort("{ port: 80, protocol: @@ICMP }")],
  ["a selector value that is a number", "TYPE", service("{ name: a }", "{ selector: { app: @@1 } }")],
  ["an IP family", "VALUE", service("{ name: a }", "{ ipFamilies: [@@IPv5] }")],
  ["a name with a dot", "NAME", service("{ name: @@a.b }", "{}")],
  ["a slice's address type", "VALUE", slice("a", "s", "[]", "[]", "@@MAC")],
  ["a slice's address", "CIDR", slice("a", "s", "[{ addresses: [@@10.0.0.300] }]", "[]")],
  ["a slice's address of the other IP version", "CIDR", slice("a", "s", '[{ addresses: [@@"fd00::1"] }]', "[]")],
  ["a slice's port 0", "PORT", slice("a", "s", "[]", "[{ port: @@0 }]")],
  ["a slice's protocol", "VALUE", slice("a", "s", "[]", "[{ protocol: @@GRE, port: 1 }]")],
  ["a slice's readiness", "TYPE", slice("a", "s", "[{ addresses: [], conditions: { ready: @@1 } }]", "[]")],
  [
    "an old EndpointSlice",
    "KIND_UNKNOWN",
    "apiVersion: discovery.k8s.io/v1beta1\nkind: @@EndpointSlice\nmetadata: { name: a }\n",
  ],
];

const others: BadDocument[] = [
  ["a namespace with a dot", "NAME", namespace("@@a.b")],
  ["a namespace of 64 characters", "NAME", namespace(`@@${"a".repeat(64)}`)],
  ["a namespace that says another name", "VALUE", namespace("a", "{ kubernetes.io/metadata.name: @@b }")],
  [
    "a node's address",
    "CIDR",
    document("v1", "Node", "{ name: a }", "status: { addresses: [{ type: InternalIP, address: @@10.0.0 }] }"),
  ],
  ["a service account's name", "NAME", document("v1", "ServiceAccount", "{ name: @@a_b }")],
  [
    "Calico's namespace label on a network set",
    "VALUE",
    calico("NetworkSet", "{ name: a, labels: { @@projectcalico.org/namespace: default } }", "{}"),
  ],
  ["an address in a network set", "CIDR", calico("NetworkSet", "{ name: a }", "{ nets: [@@10.0.0.0/40] }")],
  ["a bad rule of a profile", "FIELD_MISSING", calico("Profile", "{ name: a }", "{ ingress: [@@{ protocol: TCP }] }")],
  ["a bad label of a profile", "NAME", calico("Profile", "{ name: a }", "{ labelsToApply: { @@a/b/c: d } }")],
  ["a bad label value of a profile", "VALUE", calico("Profile", "{ name: a }", "{ labelsToApply: { a: @@b c } }")],
  [
    "another meaning for the built-in profile",
    "VALUE",
    calico("Profile", "{ name: @@projectcalico-default-allow }", "{ ingress: [{ action: Deny }] }"),
  ],
  ["an empty interface prefix", "VALUE", felix('{ interfacePrefix: @@"cali," }')],
  ["an interface prefix that leaves no room for more", "VALUE", felix('{ interfacePrefix: @@"cali,abcdefghijklmno" }')],
  ["an interface prefix that looks like an option", "VALUE", felix('{ interfacePrefix: @@"-i" }')],
  ["an interface prefix that is a list", "VALUE", felix("{ interfacePrefix: @@[cali] }")],
  ["an action of endpoint to host", "VALUE", felix("{ defaultEndpointToHostAction: @@Allow }")],
];

describe("a bad document is refused with a code, at its place, and yields no endpoint", () => {
  describe.each([
    ["in a host endpoint", hosts],
    ["in a workload endpoint", workloads],
    ["in a pod", pods],
    ["in a service", services],
    ["in another kind", others],
  ])("%s", (_where, table) => {
    it.each(table)("%s: RAMPART_E_%s", (_what, code, source) => {
      const { text, line, column } = marked(source);
      const { errors, resources } = loadText(text);
      const found = errors.map((error) => `${error.code} ${error.location?.line}:${error.location?.column}`);
      expect(found).toEqual([`RAMPART_E_${code} ${line}:${column}`]);
      expect(errors[0]?.hint).toMatch(/\w/);
      // What is wrong only beside other documents is read whole.
      const whole = code === "PROFILE_MISSING" || source.startsWith("@@");
      expect(resources.hostEndpoints.length + resources.workloadEndpoints.length).toBe(whole ? 1 : 0);
    });
  });
});
