/**
 * Profiles nobody writes (SEMANTICS 1.8): kns.<namespace> lets everything
 * through and hands on the namespace's labels, ksa.<namespace>.<account> hands
 * on those of the service account and has no rules.
 */
import { NO_CONSTRAINT } from "./entity-rule.ts";
import { namespaceLabel, serviceAccountLabel } from "./implicit-label.ts";
import type { Namespace, ServiceAccount } from "./inventory.ts";
import type { Labels, Profile, Rule } from "./types.ts";

/** What Calico adds to the labels of a namespace or service account: its name. */
const NAME_LABEL = "projectcalico.org/name";

const BUILT_IN_LOCATION = { file: "(built in)", line: 1, column: 1 };

const ALLOW_ALL: readonly Rule[] = [
  {
    action: "Allow",
    ipVersion: undefined,
    protocol: undefined,
    notProtocol: undefined,
    icmp: undefined,
    notIcmp: undefined,
    source: NO_CONSTRAINT,
    destination: NO_CONSTRAINT,
    location: BUILT_IN_LOCATION,
  },
];

export const BUILT_IN_PROFILE: Profile = {
  kind: "Profile",
  name: "projectcalico-default-allow",
  labels: {},
  location: BUILT_IN_LOCATION,
  ingress: ALLOW_ALL,
  egress: ALLOW_ALL,
};

export function namespaceProfileName(namespace: string): string {
  return `kns.${namespace}`;
}

export function serviceAccountProfileName(namespace: string, serviceAccount: string): string {
  return `ksa.${namespace}.${serviceAccount}`;
}

export function namespaceProfile({ name, labels, location }: Namespace): Profile {
  return {
    kind: "Profile",
    name: namespaceProfileName(name),
    labels: prefixed(labels, name, namespaceLabel),
    location,
    ingress: ALLOW_ALL,
    egress: ALLOW_ALL,
  };
}

export function serviceAccountProfile({ namespace, name, labels, location }: ServiceAccount): Profile {
  return {
    kind: "Profile",
    name: serviceAccountProfileName(namespace, name),
    labels: prefixed(labels, name, serviceAccountLabel),
    location,
    ingress: [],
    egress: [],
  };
}

function prefixed(labels: Labels, name: string, prefix: (key: string) => string): Labels {
  const given: Record<string, string> = {};
  for (const [key, value] of Object.entries(labels)) given[prefix(key)] = value;
  given[prefix(NAME_LABEL)] = name;
  return given;
}
