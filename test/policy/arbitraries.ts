/**
 * Resource sets that are valid, small and full of overlaps, for comparing two
 * ways of deciding the same thing. Generate one set and many packets for it;
 * everything shrinks.
 */
import * as fc from "fast-check";
import type { Family } from "../../src/address/address.ts";
import type {
  EntityRule,
  FailsafePort,
  FelixConfiguration,
  HostEndpoint,
  NetworkSet,
  Policy,
  Profile,
  ResourceSet,
  Rule,
  Tier,
  WorkloadEndpoint,
} from "../../src/resources/types.ts";
import type { Selector } from "../../src/selector/ast.ts";
import {
  arbitraryAddress,
  arbitraryCidr,
  arbitraryEndpointPorts,
  arbitraryFamilyCidr,
  arbitraryIcmp,
  arbitraryLabels,
  arbitraryPortName,
  arbitraryPorts,
  arbitraryService,
  COMMON_PROTOCOLS,
  family,
  few,
  NAMESPACED_SELECTORS,
  NAMESPACE_LABELS,
  NAMESPACES,
  NUMBERED_PORT_PROTOCOLS,
  once,
  RULE_PROTOCOLS,
  SELECTORS,
  unlessOnce,
} from "./arbitrary-values.ts";
import {
  address,
  felix,
  hostEndpoint,
  networkSet,
  NODE,
  policy,
  profile,
  PROTOCOL,
  resourceSet,
  rule,
  tier,
  workloadEndpoint,
} from "./build.ts";

export { arbitraryPacketFor } from "./arbitrary-packets.ts";

// The order of names is part of the test: `-` and `.` sort before `/` in the tie-breaker, digits after.
const NAMES = ["b", "a", "a-b", "a.b", "a1", "ab", "c", "c-0"];
// 1000 is also the order of every Kubernetes policy, so kinds interleave by name.
const ORDERS = [undefined, undefined, 0, 0.5, 10, 10, 1000, 1000, -1];
const MAX_POLICIES = 10;
const OWN_PROFILES = ["custom-0", "custom-1"];

/** A set with at least one HostEndpoint of `NODE`, valid by SEMANTICS 1 but for `notNets` that cover everything. */
export function arbitraryResourceSet(): fc.Arbitrary<ResourceSet> {
  return arbitraryTiers().chain((tiers) =>
    fc
      .record({
        policies: arbitraryPolicies(["default", "kube-admin", ...tiers.map(({ name }) => name)]),
        hostEndpoints: fc
          .tuple(arbitraryHostEndpoint(fc.constant(NODE)), fc.array(arbitraryHostEndpoint(), { maxLength: 3 }))
          .map(([own, others]) => [own, ...others]),
        workloadEndpoints: fc.array(arbitraryWorkloadEndpoint(), { maxLength: 4 }),
        networkSets: fc.array(arbitraryNetworkSet(), { maxLength: 4 }),
        profiles: fc.subarray(OWN_PROFILES).chain((names) => fc.tuple(...names.map(arbitraryProfile))),
        felixConfigurations: arbitraryFelix(),
      })
      .map(({ hostEndpoints, workloadEndpoints, networkSets, ...others }) =>
        resourceSet({
          ...others,
          tiers,
          hostEndpoints: hostEndpoints.map(named),
          workloadEndpoints: workloadEndpoints.map(named).map((each, i) => ({ ...each, interfaceName: `cali${i}` })),
          networkSets: networkSets.map(named),
        }),
      ),
  );
}

function named<T>(resource: T, i: number): T & { readonly name: string } {
  return { ...resource, name: NAMES[i] as string };
}

function arbitraryTiers(): fc.Arbitrary<Tier[]> {
  const each = fc.tuple(
    fc.constantFrom(undefined, 10, 10, 2_000_000),
    fc.constantFrom<Tier["defaultAction"]>("Deny", "Pass"),
  );
  return fc
    .array(each, { maxLength: 3 })
    .map((list) => list.map(([order, defaultAction], i) => tier(`tier-${i}`, order, defaultAction)));
}

/** A name may return in another kind or namespace, or staged: then the rest of the tie-breaker decides. */
function arbitraryPolicies(tiers: readonly string[]): fc.Arbitrary<Policy[]> {
  const each = fc.oneof(
    { weight: 5, arbitrary: arbitraryGlobalPolicy(tiers) },
    { weight: 2, arbitrary: arbitraryNetworkPolicy(tiers) },
    { weight: 2, arbitrary: arbitraryKubernetesPolicy() },
  );
  const action = fc.constantFrom<NonNullable<Policy["stagedAction"]>>("Set", "Set", "Delete");
  const withAction = fc
    .tuple(each, action)
    .map(([written, stagedAction]): Policy => (written.staged ? { ...written, stagedAction } : written));
  return fc.uniqueArray(withAction, {
    minLength: 1,
    maxLength: MAX_POLICIES,
    size: "max",
    selector: ({ name, namespace, kind, staged }) => `${name}/${namespace}/${kind}/${staged}`,
  });
}

const common = {
  name: fc.constantFrom(...NAMES),
  types: fc.constantFrom<Policy["types"]>(["ingress"], ["egress"], ["ingress", "egress"]),
  staged: fc.noBias(fc.nat({ max: 7 })).map((n) => n === 7),
};

function arbitraryGlobalPolicy(tiers: readonly string[]): fc.Arbitrary<Policy> {
  return fc
    .record({
      ...common,
      tier: fc.constantFrom(...tiers),
      order: fc.constantFrom(...ORDERS),
      selector: fc.oneof(fc.constant(SELECTORS[0] as Selector), fc.constantFrom(...SELECTORS)),
      ingress: arbitraryRules(),
      egress: arbitraryRules(),
      flags: fc.constantFrom(
        {},
        {},
        { applyOnForward: true },
        { applyOnForward: true },
        { applyOnForward: true, preDNAT: true },
        { applyOnForward: true, doNotTrack: true },
      ),
    })
    .map(({ flags, ...fields }): Policy => {
      const all = { ...policy(), ...fields, ...flags };
      return all.preDNAT ? { ...all, types: ["ingress"], egress: [] } : all;
    });
}

function arbitraryNetworkPolicy(tiers: readonly string[]): fc.Arbitrary<Policy> {
  return fc.constantFrom(...NAMESPACES).chain((namespace) =>
    fc
      .record({
        ...common,
        tier: fc.constantFrom(...tiers),
        order: fc.constantFrom(...ORDERS),
        selector: fc.constantFrom(...NAMESPACED_SELECTORS[namespace]),
        ingress: arbitraryRules(),
        egress: arbitraryRules(),
      })
      .map((fields) => ({ ...policy({ namespace }), ...fields })),
  );
}

function arbitraryKubernetesPolicy(): fc.Arbitrary<Policy> {
  const rules = arbitraryRules().map((list): Rule[] => list.map((each) => ({ ...each, action: "Allow" })));
  return fc.constantFrom(...NAMESPACES).chain((namespace) =>
    fc
      .record({
        ...common,
        selector: fc.constantFrom(...NAMESPACED_SELECTORS[namespace]),
        ingress: rules,
        egress: rules,
      })
      .map((fields) => ({ ...policy({ namespace, kind: "KubernetesNetworkPolicy", order: 1000 }), ...fields })),
  );
}

function arbitraryProfile(name: string): fc.Arbitrary<Profile> {
  return fc
    .record({ ingress: arbitraryRules(), egress: arbitraryRules() })
    .map((fields) => ({ ...profile(name), ...fields }));
}

function arbitraryRules(): fc.Arbitrary<Rule[]> {
  return fc.array(arbitraryRule(), { maxLength: 5, size: "max" });
}

/** All nets of a rule have one IP version, which agrees with the rule's; numbered ports come with a protocol. */
function arbitraryRule(): fc.Arbitrary<Rule> {
  return family.chain((version) =>
    fc
      .record({
        action: fc.constantFrom<Rule["action"]>("Allow", "Allow", "Allow", "Deny", "Deny", "Log", "Pass"),
        ipVersion: once(3, fc.constant(version)),
        protocol: unlessOnce(3, fc.constantFrom(...COMMON_PROTOCOLS, ...RULE_PROTOCOLS)),
        notProtocol: once(6, fc.constantFrom(...RULE_PROTOCOLS)),
        icmp: once(2, arbitraryIcmp()),
        notIcmp: once(6, arbitraryIcmp()),
        source: fc.oneof(
          { weight: 9, arbitrary: arbitraryEntity(version) },
          { weight: 1, arbitrary: arbitraryServiceEntity().map((entity) => ({ ...rule().source, ...entity })) },
        ),
        destination: fc.oneof(
          { weight: 9, arbitrary: arbitraryEntity(version) },
          { weight: 1, arbitrary: arbitraryService().map((service) => ({ ...rule().destination, service })) },
        ),
      })
      .map((fields): Rule => {
        const { protocol } = fields;
        const isIcmp = protocol === PROTOCOL.icmp || protocol === PROTOCOL.icmpv6;
        const icmpVersion = protocol === PROTOCOL.icmp ? 4 : 6;
        return {
          ...rule(),
          ...fields,
          ipVersion: isIcmp && version !== icmpVersion ? undefined : fields.ipVersion,
          icmp: isIcmp ? fields.icmp : undefined,
          source: withPortsOf(protocol, fields.source),
          destination: withPortsOf(protocol, fields.destination),
        };
      }),
  );
}

function arbitraryEntity(version: Family): fc.Arbitrary<EntityRule> {
  const selector = fc.constantFrom(...SELECTORS, ...NAMESPACED_SELECTORS.blue);
  return fc.record({
    nets: few(3, arbitraryCidr(version)),
    // A prefix of length 0 makes the whole rule vanish: allowed in third place only, so that it stays rare.
    notNets: few(5, arbitraryCidr(version)).map((nets) => nets.filter((net, i) => net.prefix !== 0 || i === 2)),
    selector: once(5, selector),
    notSelector: once(6, selector),
    ports: few(3, arbitraryPorts()),
    notPorts: few(6, arbitraryPorts()),
    namedPorts: few(5, arbitraryPortName()),
    notNamedPorts: few(7, arbitraryPortName()),
    service: fc.constant(undefined),
  });
}

/** A service as a source leaves room for ports. */
function arbitraryServiceEntity(): fc.Arbitrary<Pick<EntityRule, "service" | "ports" | "notPorts">> {
  return fc.record({
    service: arbitraryService(),
    ports: few(4, arbitraryPorts()),
    notPorts: few(6, arbitraryPorts()),
  });
}

/** Port numbers need TCP, UDP or SCTP; names alone may do without a protocol. */
function withPortsOf(protocol: number | undefined, entity: EntityRule): EntityRule {
  if (protocol !== undefined && NUMBERED_PORT_PROTOCOLS.includes(protocol)) return entity;
  const numberless = { ...entity, ports: [], notPorts: [] };
  return protocol === undefined ? numberless : { ...numberless, namedPorts: [], notNamedPorts: [] };
}

function arbitraryProfiles(...implicit: readonly string[]): fc.Arbitrary<readonly string[]> {
  return fc.constantFrom<readonly string[]>(implicit, implicit, [], OWN_PROFILES, ["custom-1", ...implicit], ["gone"]);
}

function arbitraryHostEndpoint(node = fc.constantFrom(NODE, NODE, "other-node")): fc.Arbitrary<HostEndpoint> {
  return fc
    .record({
      node,
      interfaceName: fc.constantFrom("eth0", "eth1", "*", undefined),
      expectedIPs: few(2, arbitraryAddress()),
      profiles: fc.oneof(fc.constant([]), arbitraryProfiles("projectcalico-default-allow")),
      labels: arbitraryLabels(),
      ports: arbitraryEndpointPorts(),
    })
    .map((fields) => ({
      ...hostEndpoint(),
      ...fields,
      expectedIPs:
        fields.interfaceName === undefined && fields.expectedIPs.length === 0
          ? [address("10.1.2.3")]
          : fields.expectedIPs,
    }));
}

function arbitraryWorkloadEndpoint(): fc.Arbitrary<WorkloadEndpoint> {
  return fc.constantFrom(...NAMESPACES).chain((namespace) =>
    fc
      .record({
        node: fc.constantFrom(NODE, NODE, "other-node"),
        addresses: fc.array(arbitraryAddress(), { maxLength: 3 }),
        profiles: arbitraryProfiles(`kns.${namespace}`),
        labels: arbitraryLabels(),
        ports: arbitraryEndpointPorts(),
      })
      .map(({ labels, ...fields }) => ({
        ...workloadEndpoint({ namespace, labels: { ...NAMESPACE_LABELS[namespace], ...labels } }),
        ...fields,
      })),
  );
}

function arbitraryNetworkSet(): fc.Arbitrary<NetworkSet> {
  return fc
    .tuple(arbitraryLabels(), few(1, arbitraryFamilyCidr()), once(2, fc.constantFrom(...NAMESPACES)))
    .map(([labels, nets, namespace]) => {
      const implicit = namespace === undefined ? {} : NAMESPACE_LABELS[namespace];
      return { ...networkSet("", { ...implicit, ...labels }, [], namespace), nets };
    });
}

/** A FelixConfiguration that is on the node by its nodeSelector. */
const CHOSEN = "chosen";

function arbitraryFelix(): fc.Arbitrary<FelixConfiguration[]> {
  const port: fc.Arbitrary<FailsafePort> = fc.record({
    protocol: fc.constantFrom<FailsafePort["protocol"]>("tcp", "udp", "sctp"),
    port: fc.constantFrom(22, 53, 80, 443, 65_535),
    net: once(2, arbitraryFamilyCidr()),
  });
  const configuration = (name: string): fc.Arbitrary<FelixConfiguration> =>
    fc
      .record({
        failsafeInbound: once(2, few(2, port)),
        failsafeOutbound: once(2, few(2, port)),
        defaultEndpointToHostAction: once(2, fc.constantFrom("Drop" as const, "Accept" as const, "Return" as const)),
        allowVxlanFromWorkloads: once(2, fc.boolean()),
        allowIpipFromWorkloads: once(2, fc.boolean()),
        vxlanPort: once(2, fc.constantFrom(53, 4789)),
      })
      .map((fields) => felix({ name, ...fields, ...(name === CHOSEN ? { nodes: [NODE] } : {}) }));
  const names = fc.subarray(["default", `node.${NODE}`, "node.other-node", CHOSEN]);
  return names.chain((list) => fc.tuple(...list.map(configuration)));
}
