/** Policy documents as YAML text, for tests that are not about YAML. */

type Spec = Readonly<Record<string, unknown>>;

function document(kind: string, name: string, spec: Spec, labels: Readonly<Record<string, string>> = {}): string {
  const metadata = JSON.stringify({ name, labels });
  // JSON is YAML in flow style.
  return `apiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: ${metadata}\nspec: ${JSON.stringify(spec)}\n---\n`;
}

/** A HostEndpoint of the shield with the label `role: shield`. */
export function hostEndpoint(name: string, spec: Spec): string {
  return document("HostEndpoint", name, { node: "shield", ...spec }, { role: "shield" });
}

/** A GlobalNetworkPolicy for the shield's endpoints. */
export function policy(name: string, spec: Spec): string {
  return document("GlobalNetworkPolicy", name, { selector: "role == 'shield'", ...spec });
}

export function felixConfiguration(spec: Spec): string {
  return document("FelixConfiguration", "default", spec);
}

export function globalNetworkSet(name: string, nets: readonly string[], labels: Readonly<Record<string, string>>): string {
  return document("GlobalNetworkSet", name, { nets }, labels);
}

export const ETH0 = hostEndpoint("shield-eth0", { interfaceName: "eth0" });

/** Both families' rules for a port: a rule without nets holds for both. */
export function allowPort(protocol: "TCP" | "UDP", ...ports: readonly number[]): Spec {
  return { action: "Allow", protocol, destination: { ports } };
}

/** TCP and UDP to the ports and nothing else, in the given direction. */
export function allowPorts(name: string, direction: "ingress" | "egress", ...ports: readonly number[]): string {
  return policy(name, {
    order: 100,
    types: [direction === "ingress" ? "Ingress" : "Egress"],
    [direction]: [allowPort("TCP", ...ports), allowPort("UDP", ...ports)],
  });
}
