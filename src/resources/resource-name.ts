/** Names, label keys and label values as Kubernetes and Calico accept them (SEMANTICS 1.1). */

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

export interface NameRule {
  readonly pattern: RegExp;
  readonly expected: string;
}

export const MAX_NAME_LENGTH = 253;

export const SUBDOMAIN_NAME: NameRule = {
  pattern: new RegExp(`^${LABEL}(\\.${LABEL})*$`),
  expected: "lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit",
};

export const POLICY_NAME: NameRule = {
  pattern: new RegExp(`^(${LABEL}\\.)?${LABEL}$`),
  expected: "lower-case letters, digits and `-`, with at most one `.` (`tier.name`)",
};

export const TIER_NAME: NameRule = {
  pattern: new RegExp(`^${LABEL}$`),
  expected: "lower-case letters, digits and `-`, without `.`",
};

export const NETWORK_POLICY_NAME: NameRule = {
  pattern: new RegExp(`^(${LABEL}(\\.${LABEL})?|(knp|ossg)\\.default\\.${LABEL}(\\.${LABEL})*)$`),
  expected: POLICY_NAME.expected,
};

/** A DNS label: what a namespace and a service are called. */
export const NAMESPACE_NAME: NameRule = {
  pattern: new RegExp(`^(?!.{64})${LABEL}$`),
  expected: "at most 63 lower-case letters, digits and `-`, beginning and ending with a letter or digit",
};

/** A label key: `name` or `prefix/name`. */
export function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  if (name.length > 63 || !QUALIFIED.test(name)) return false;
  if (slash < 0) return true;
  const prefix = key.slice(0, slash);
  return prefix.length <= MAX_NAME_LENGTH && SUBDOMAIN_NAME.pattern.test(prefix);
}

export function isLabelValue(value: string): boolean {
  return value === "" || (value.length <= 63 && QUALIFIED.test(value));
}

/** An endpoint's port name: at most 15 of `[a-z0-9-]`, a letter among them (RFC 6335 5.1). */
export function isPortName(name: string): boolean {
  return name.length <= 15 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) && /[a-z]/.test(name);
}
