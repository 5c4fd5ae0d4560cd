/** Policy documents for the daemon under test. JSON is YAML, so no writer is needed. */

const SELECTOR = "role == 'bench'";

/** A HostEndpoint for each interface of `node`. */
export function endpoints(node, interfaces) {
  return interfaces.map((interfaceName) =>
    document("HostEndpoint", `${node}-${interfaceName}`, { node, interfaceName }, { role: "bench" }),
  );
}

/** Allows the port and nothing else, both ways; comes after everything of `fillers`. */
export function allowPolicy(protocol, port, applyOnForward = false, name = "the-one-that-allows") {
  const rules = [{ action: "Allow", protocol, destination: { ports: [port] } }];
  return document("GlobalNetworkPolicy", name, {
    order: 1_000_000,
    selector: SELECTOR,
    types: ["Ingress", "Egress"],
    applyOnForward,
    ingress: rules,
    egress: rules,
  });
}

/** Allows the protocol from these networks, to any port. */
export function allowFrom(protocol, nets) {
  return document("GlobalNetworkPolicy", "the-one-for-others", {
    order: 1_000_000,
    selector: SELECTOR,
    types: ["Ingress"],
    ingress: [{ action: "Allow", protocol, source: { nets } }],
  });
}

/** Denies the port to these networks, before everything else. */
export function denyPolicy(protocol, port, nets) {
  return document("GlobalNetworkPolicy", "the-one-that-denies", {
    order: 0,
    selector: SELECTOR,
    types: ["Ingress"],
    ingress: [{ action: "Deny", protocol, source: { nets }, destination: { ports: [port] } }],
  });
}

/**
 * What `count` rules ask for that come first and match no packet of a benchmark: each has a network and ports of its
 * own, all in 198.18.0.0/15, which RFC 2544 keeps for benchmarks. Every other one denies.
 */
export function fillerRules(count) {
  return Array.from({ length: count }, (_, n) => ({
    net: `198.${18 + ((n >> 14) & 1)}.${(n >> 6) & 255}.${(n << 2) & 255}/30`,
    ports: [1024 + (n % 60000), `${1025 + (n % 60000)}:${1030 + (n % 60000)}`],
    action: n % 2 === 0 ? "Allow" : "Deny",
    protocol: n % 3 === 0 ? "UDP" : "TCP",
  }));
}

/** A policy for each of `fillerRules`, asked first. */
export function fillerPolicies(count, applyOnForward = false) {
  return fillerRules(count).map(({ net, ports, action, protocol }, n) =>
    document("GlobalNetworkPolicy", `filler-${n}`, {
      order: n,
      selector: SELECTOR,
      types: ["Ingress", "Egress"],
      applyOnForward,
      ingress: [{ action, protocol, source: { nets: [net] }, destination: { ports } }],
      egress: [{ action, protocol, destination: { nets: [net], ports } }],
    }),
  );
}

/** The address space of the sets' networks: reserved (RFC 1112), so no packet of a benchmark is in one. */
const SET_SPACE = 0xf0000000;

/**
 * `sets` GlobalNetworkSets with `size` networks each, of several lengths, none inside another, and a policy for each
 * set that denies what comes from it.
 */
export function setsAndPolicies(sets, size) {
  return Array.from({ length: sets }, (_, set) => [
    networkSet(set, size),
    setPolicy(set),
  ]).flat();
}

/** Denies what comes from a set. */
export function setPolicy(set) {
  return document("GlobalNetworkPolicy", `set-${set}`, {
    order: 500_000 + set,
    selector: SELECTOR,
    types: ["Ingress"],
    ingress: [{ action: "Deny", source: { selector: `set == '${set}'` } }],
  });
}

/** 9,999 policies and 100,000 networks in 100 sets, none of which any packet of a benchmark meets. */
export function largePolicy() {
  const sets = setsAndPolicies(100, 1000);
  return [...fillerPolicies(9999 - 100), ...sets];
}

/** One more policy that no packet meets, with another port each `turn`. */
export function changingPolicy(turn) {
  const source = { nets: ["198.19.255.0/24"] };
  const destination = { ports: [1 + (turn % 60000)] };
  return document("GlobalNetworkPolicy", "changing", {
    order: 600_000,
    selector: SELECTOR,
    types: ["Ingress"],
    ingress: [{ action: "Deny", protocol: "TCP", source, destination }],
  });
}

/** Number `set` of these sets; `shift` moves its networks, for a change of addresses. */
export function networkSet(set, size, shift = 0) {
  const nets = Array.from({ length: size }, (_, n) => {
    const address = SET_SPACE + (set * size + n + shift) * 256;
    return `${[24, 16, 8, 0].map((bits) => (address >>> bits) & 255).join(".")}/${24 + (n % 5)}`;
  });
  return document("GlobalNetworkSet", `set-${set}`, { nets }, { set: String(set) });
}

function document(kind, name, spec, labels = {}) {
  return JSON.stringify({ apiVersion: "projectcalico.org/v3", kind, metadata: { name, labels }, spec });
}
