/**
 * The small pools that generated resources and packets draw from, chosen to
 * collide: prefixes nest, labels repeat, addresses have several owners.
 */
import * as fc from "fast-check";
import { maskAddress } from "../../src/address/address.ts";
import type { Address, Cidr, Family } from "../../src/address/address.ts";
import type { EndpointPort, Labels, PortRange, Rule, ServiceBackend } from "../../src/resources/types.ts";
import type { Selector } from "../../src/selector/ast.ts";
import { parseSelector } from "../../src/selector/parse.ts";
import { address, inNamespace, PORT_PROTOCOLS, PROTOCOL } from "./build.ts";

export const NAMESPACES = ["blue", "red"] as const;
export type Namespace = (typeof NAMESPACES)[number];

/** Labels a namespace gives what lives in it. */
export const NAMESPACE_LABELS: Readonly<Record<Namespace, Labels>> = {
  blue: { "pcns.projectcalico.org/name": "blue", "pcns.team": "a" },
  red: { "pcns.projectcalico.org/name": "red" },
};

const SUBJECTS = [
  "",
  "all()",
  "role == 'web'",
  "role != 'web'",
  "has(env)",
  "!has(env)",
  "env in {'prod', 'dev'}",
  "env not in {'prod'}",
  "role == 'web' && env == 'prod' || role == 'db'",
  "!(role starts with 'w')",
  "role in {}",
  "has(constructor)",
];

/** Effective selectors of global policies and of rules: all that SEMANTICS 1.9 makes of namespaceSelectors. */
export const SELECTORS: readonly Selector[] = [
  ...SUBJECTS,
  "has(projectcalico.org/namespace)",
  "!has(projectcalico.org/namespace)",
  "projectcalico.org/namespace == 'blue'",
  "pcns.team == 'a' && role == 'web'",
  "pcns.team != 'a'",
  "projectcalico.org/orchestrator == 'k8s' && pcns.projectcalico.org/name in {'blue', 'red'}",
].map(parseSelector);

export const NAMESPACED_SELECTORS: Readonly<Record<Namespace, readonly Selector[]>> = {
  blue: SUBJECTS.map((text) => parseSelector(inNamespace(text, "blue"))),
  red: SUBJECTS.map((text) => parseSelector(inNamespace(text, "red"))),
};

export const SEED_ADDRESSES: Readonly<Record<Family, readonly Address[]>> = {
  4: ["0.0.0.0", "10.1.2.3", "10.1.2.4", "10.1.200.3", "192.168.0.1", "255.255.255.255"].map(address),
  6: ["::", "2001:db8::1", "2001:db8::2", "2001:db8:1::1", "fe80::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"].map(
    address,
  ),
};

export const RULE_PROTOCOLS = [...PORT_PROTOCOLS, PROTOCOL.icmp, PROTOCOL.icmpv6, 4, 253];
export const COMMON_PROTOCOLS = [PROTOCOL.tcp, PROTOCOL.tcp, PROTOCOL.udp];
/** Protocols a rule with port numbers may have. */
export const NUMBERED_PORT_PROTOCOLS: readonly number[] = [PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.sctp];

const PREFIXES: Readonly<Record<Family, readonly number[]>> = {
  4: [0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 30, 31, 32, 32],
  6: [0, 1, 8, 10, 31, 32, 33, 47, 48, 63, 64, 65, 127, 128, 128],
};

export const family = fc.constantFrom<Family>(4, 6);

/** Unset one time in `per`. */
export function unlessOnce<T>(per: number, value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined, freq: per - 1 });
}

/** Set one time in `per`. */
export function once<T>(per: number, value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: per - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
}

/** One to three, one time in `per`; else none. */
export function few<T>(per: number, value: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> {
  return fc.oneof(
    { weight: per - 1, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(value, { minLength: 1, maxLength: 3 }) },
  );
}

export function arbitraryAddress(): fc.Arbitrary<Address> {
  return family.chain((version) => fc.constantFrom(...SEED_ADDRESSES[version]));
}

export function arbitraryFamilyCidr(): fc.Arbitrary<Cidr> {
  return family.chain(arbitraryCidr);
}

export function arbitraryCidr(version: Family): fc.Arbitrary<Cidr> {
  return fc
    .tuple(fc.constantFrom(...SEED_ADDRESSES[version]), fc.constantFrom(...PREFIXES[version]))
    .map(([{ value }, prefix]) => ({ family: version, value: maskAddress(value, version, prefix), prefix }));
}

export function arbitraryLabels(): fc.Arbitrary<Labels> {
  const entry = fc.constantFrom<[string, string]>(
    ["role", "web"],
    ["role", "web"],
    ["role", "db"],
    ["env", "prod"],
    ["env", "dev"],
    ["constructor", "x"],
  );
  return fc.array(entry, { maxLength: 3 }).map((entries) => Object.fromEntries(entries));
}

const port = fc.constantFrom(1, 22, 53, 80, 81, 443, 1024, 32_768, 65_534, 65_535);

export function arbitraryPorts(): fc.Arbitrary<PortRange> {
  return fc.oneof(
    port.map((each) => ({ min: each, max: each })),
    fc.tuple(port, port).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) })),
  );
}

/** `nobody` is declared by no endpoint. */
export function arbitraryPortName(): fc.Arbitrary<string> {
  return fc.constantFrom("http", "http", "dns", "nobody");
}

/** What endpoints declare: one name for several ports and protocols, one port under several names. */
export function arbitraryEndpointPorts(): fc.Arbitrary<readonly EndpointPort[]> {
  const each = fc.record({
    name: fc.constantFrom("http", "http", "dns"),
    protocol: fc.constantFrom(PROTOCOL.tcp, PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.sctp),
    port: fc.constantFrom(53, 80, 81, 8080),
  });
  return fc.array(each, { maxLength: 3 });
}

export function arbitraryService(): fc.Arbitrary<readonly ServiceBackend[]> {
  const each = fc.record({
    address: arbitraryAddress(),
    protocol: fc.constantFrom(PROTOCOL.tcp, PROTOCOL.udp),
    port: fc.constantFrom(53, 80, 8080),
  });
  return fc.array(each, { maxLength: 4 });
}

export function arbitraryIcmp(): fc.Arbitrary<Rule["icmp"]> {
  const type = fc.constantFrom(0, 3, 8, 128, 129, 254);
  return fc.oneof(
    fc.constant({ type: undefined, code: undefined }),
    type.map((each) => ({ type: each, code: undefined })),
    fc.tuple(type, fc.constantFrom(0, 1, 255)).map(([each, code]) => ({ type: each, code })),
  );
}
