/** Policy documents for the daemon under test. JSON is YAML, so no writer is needed. */

const SELECTOR = "role == 'bench'";

/** A HostEndpoint for each interface of `node`. */
export function endpoints(node, interfaces) {
  return interfaces.map((interfaceName) =>
    document("HostEndpoint", `${node}-${interfaceName}`, { node, interfaceName }, { role: "bench" }),
  );
}

/** Allows the port and nothing else, both ways; comes after everything of `fillers`. */
export function allowPolicy(protocol, port, applyOnForward = false) {
  const rules = [{ action: "Allow", protocol, destination: { ports: [port] } }];
  return document("GlobalNetworkPolicy", "the-one-that-allows", {
    order: 1_000_000,
    selector: SELECTOR,
    types: ["Ingress", "Egress"],
    applyOnForward,
    ingress: rules,
    egress: rules,
  });
}

/**
 * `count` policies that are asked first and match no packet of a benchmark:
 * each has networks and ports of its own, all in 198.18.0.0/15, which RFC 2544
 * keeps for benchmarks. Every other one denies.
 */
export function fillerPolicies(count, applyOnForward = false) {
  return Array.from({ length: count }, (_, n) => {
    const nets = [`198.${18 + ((n >> 14) & 1)}.${(n >> 6) & 255}.${(n << 2) & 255}/30`];
    const ports = [1024 + (n % 60000), `${1025 + (n % 60000)}:${1030 + (n % 60000)}`];
    const action = n % 2 === 0 ? "Allow" : "Deny";
    const protocol = n % 3 === 0 ? "UDP" : "TCP";
    return document("GlobalNetworkPolicy", `filler-${n}`, {
      order: n,
      selector: SELECTOR,
      types: ["Ingress", "Egress"],
      applyOnForward,
      ingress: [{ action, protocol, source: { nets }, destination: { ports } }],
      egress: [{ action, protocol, destination: { nets, ports } }],
    });
  });
}

function document(kind, name, spec, labels = {}) {
  return JSON.stringify({ apiVersion: "projectcalico.org/v3", kind, metadata: { name, labels }, spec });
}
