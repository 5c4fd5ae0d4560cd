import { describe, expect, it } from "vitest";
import { formatAddress } from "../../src/address/address.ts";
import type { ResourceSet, ServiceBackend } from "../../src/resources/types.ts";
import { calico, load, loadGood, pod, service, slice } from "./inventory-documents.ts";

const TO_SERVICE = calico(
  "NetworkPolicy",
  "{ name: out }",
  "{ egress: [{ action: Allow, destination: { services: { name: web } } }] }",
);
const FROM_SERVICE = calico(
  "NetworkPolicy",
  "{ name: in }",
  "{ ingress: [{ action: Allow, source: { services: { name: web } } }] }",
);
const PORT_80 = "[{ port: 80 }]";

const shown = (backends: readonly ServiceBackend[] | undefined): string[] | undefined =>
  backends?.map(({ address, protocol, port }) => `${formatAddress(address)} ${protocol} ${port}`).toSorted();

function destinations(set: ResourceSet): string[] | undefined {
  return shown(set.policies.find(({ name }) => name === "out")?.egress[0]?.destination.service);
}

function sources(set: ResourceSet): string[] | undefined {
  const backends = set.policies.find(({ name }) => name === "in")?.ingress[0]?.source.service;
  return backends?.map(({ address }) => formatAddress(address)).toSorted();
}

function web(name: string, labels: string, status: string, ports = "[]"): string {
  return pod(`{ name: ${name}, labels: ${labels} }`, `{ nodeName: n, containers: [{ ports: ${ports} }] }`, status);
}

describe("a service's backends, as its EndpointSlices have them", () => {
  it("are every address with every port, of all its slices, each once", () => {
    const set = loadGood(
      TO_SERVICE,
      slice("a", "web", "[{ addresses: [10.0.0.1, 10.0.0.2] }]", "[{ port: 80 }, { port: 53, protocol: UDP }]"),
      slice("b", "web", "[{ addresses: [10.0.0.2] }]", PORT_80),
      slice("c", "web", '[{ addresses: ["fd00::1"] }]', "[{ port: 80, protocol: SCTP }]", "IPv6"),
      slice("d", "other", "[{ addresses: [10.0.0.9] }]", PORT_80),
    );
    expect(destinations(set)).toEqual([
      "10.0.0.1 17 53",
      "10.0.0.1 6 80",
      "10.0.0.2 17 53",
      "10.0.0.2 6 80",
      "fd00::1 132 80",
    ]);
  });

  it("are ready; what is not said is ready", () => {
    const endpoints = `[{ addresses: [10.0.0.1], conditions: { ready: true } },
      { addresses: [10.0.0.2], conditions: { ready: false, serving: true } },
      { addresses: [10.0.0.3], conditions: {} }]`;
    const set = loadGood(TO_SERVICE, slice("a", "web", endpoints, PORT_80));
    expect(destinations(set)).toEqual(["10.0.0.1 6 80", "10.0.0.3 6 80"]);
  });

  it("are addresses alone as a source, with or without ports", () => {
    const set = loadGood(
      FROM_SERVICE,
      slice("a", "web", "[{ addresses: [10.0.0.1] }]", "[{ port: 80 }, { port: 81 }]"),
      slice("b", "web", "[{ addresses: [10.0.0.2] }]", "[]"),
    );
    expect(sources(set)).toEqual(["10.0.0.1", "10.0.0.2"]);
  });

  it("are those of the rule's namespace, which a policy without one must give", () => {
    const here = slice("a", "web", "[{ addresses: [10.0.0.1] }]", PORT_80);
    const elsewhere = here.replace("{ name: a", "{ namespace: b, name: a");
    const other = calico(
      "GlobalNetworkPolicy",
      "{ name: out }",
      "{ egress: [{ action: Allow, destination: { services: { name: web, namespace: b } } }] }",
    );
    expect(destinations(loadGood(other, elsewhere))).toEqual(["10.0.0.1 6 80"]);
    expect(destinations(load(TO_SERVICE, elsewhere).resources)).toEqual([]);
  });

  it("come from slices even where the Service has a selector too", () => {
    const set = loadGood(
      TO_SERVICE,
      service("{ name: web }", "{ selector: { app: web }, ports: [{ port: 80 }] }"),
      slice("a", "web", "[]", PORT_80),
      web("p", "{ app: web }", "{ podIP: 10.0.0.5 }"),
    );
    expect(destinations(set)).toEqual([]);
  });

  it("cannot be names: a rule that needs them is refused, where it stands", () => {
    const names = slice("a", "web", "[{ addresses: [example.com] }]", PORT_80, "FQDN");
    expect(load(names).errors).toEqual([]);
    expect(load(TO_SERVICE, names).errors).toEqual(["RAMPART_E_FEATURE"]);
  });

  it("cannot be on any port there is", () => {
    const everyPort = slice("a", "web", "[{ addresses: [10.0.0.1] }]", "[{ protocol: TCP }]");
    expect(load(everyPort).errors).toEqual([]);
    expect(load(TO_SERVICE, everyPort).errors).toEqual(["RAMPART_E_FEATURE"]);
  });
});

describe("a service's backends, where it has no EndpointSlice", () => {
  const SELECTED = service("{ name: web }", "{ selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }");

  it("are the pods of its namespace that have the labels of its selector", () => {
    const set = loadGood(
      TO_SERVICE,
      FROM_SERVICE,
      SELECTED,
      web("a", "{ app: web, more: x }", "{ podIPs: [{ ip: 10.0.0.1 }, { ip: 'fd00::1' }] }"),
      web("b", "{ app: other }", "{ podIP: 10.0.0.2 }"),
      pod("{ name: c, namespace: other, labels: { app: web } }", "{}", "{ podIP: 10.0.0.3 }"),
    );
    expect(destinations(set)).toEqual(["10.0.0.1 6 8080", "fd00::1 6 8080"]);
    expect(sources(set)).toEqual(["10.0.0.1", "fd00::1"]);
  });

  it.each([
    ["finished ones", "{ phase: Succeeded, podIP: 10.0.0.1 }"],
    ["those that are not ready", "{ podIP: 10.0.0.1, conditions: [{ type: Ready, status: 'False' }] }"],
    ["those without an address", "{ phase: Pending }"],
  ])("are not %s", (_which, status) => {
    expect(destinations(loadGood(TO_SERVICE, SELECTED, web("a", "{ app: web }", status)))).toEqual([]);
  });

  it("are also those that are not ready, where the Service publishes them", () => {
    const status = "{ podIP: 10.0.0.1, conditions: [{ type: Ready, status: 'False' }] }";
    const published = "{ selector: { app: web }, ports: [{ port: 80 }], publishNotReadyAddresses: true }";
    const set = loadGood(TO_SERVICE, service("{ name: web }", published), web("a", "{ app: web }", status));
    expect(destinations(set)).toEqual(["10.0.0.1 6 80"]);
  });

  it("may be pods of the host's network", () => {
    const set = loadGood(
      TO_SERVICE,
      SELECTED,
      pod("{ name: a, labels: { app: web } }", "{ nodeName: n, hostNetwork: true }", "{ podIP: 192.0.2.1 }"),
    );
    expect(destinations(set)).toEqual(["192.0.2.1 6 8080"]);
  });

  it.each([
    ["the port, where no target is given", "{ port: 80 }", ["10.0.0.1 6 80"]],
    ["the target", "{ port: 80, targetPort: '8080', protocol: UDP }", ["10.0.0.1 17 8080"]],
    ["the pod's port of that name and protocol", "{ port: 80, targetPort: http }", ["10.0.0.1 6 8000"]],
    ["none, where the pod has no such port", "{ port: 80, targetPort: http, protocol: SCTP }", []],
  ])("have as port %s", (_what, port, expected) => {
    const set = loadGood(
      TO_SERVICE,
      service("{ name: web }", `{ selector: { app: web }, ports: [${port}] }`),
      web("a", "{ app: web }", "{ podIP: 10.0.0.1 }", "[{ name: http, containerPort: 8000 }]"),
    );
    expect(destinations(set)).toEqual(expected);
  });

  it("are of the Service's IP versions", () => {
    const set = loadGood(
      TO_SERVICE,
      service("{ name: web }", "{ selector: { app: web }, ipFamilies: [IPv6], ports: [{ port: 80 }] }"),
      web("a", "{ app: web }", "{ podIPs: [{ ip: 10.0.0.1 }, { ip: 'fd00::1' }] }"),
    );
    expect(destinations(set)).toEqual(["fd00::1 6 80"]);
  });

  it.each([
    ["without a selector", "{ ports: [{ port: 80 }] }"],
    ["that is a name elsewhere", "{ type: ExternalName, externalName: example.com, selector: { app: web } }"],
  ])("are none, with a warning, of a Service %s", (_what, spec) => {
    const { resources, errors, warnings } = load(
      TO_SERVICE,
      service("{ name: web }", spec),
      web("a", "{ app: web }", "{ podIP: 10.0.0.1 }"),
    );
    expect(destinations(resources)).toEqual([]);
    expect({ errors, warnings }).toEqual({ errors: [], warnings: ["RAMPART_W_SERVICE_MISSING"] });
  });
});

describe("a service that nobody knows", () => {
  it("matches nothing, with a warning at each rule that names it", () => {
    const { resources, errors, warnings } = load(TO_SERVICE, FROM_SERVICE);
    expect(errors).toEqual([]);
    expect(warnings).toEqual(["RAMPART_W_SERVICE_MISSING", "RAMPART_W_SERVICE_MISSING"]);
    expect([destinations(resources), sources(resources)]).toEqual([[], []]);
  });
});
