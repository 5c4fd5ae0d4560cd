/**
 * What is enforced at a start with broken policy files and no last good set,
 * written as any policy is.
 *
 * closed: every interface, workloads' too, is the "*" HostEndpoint's, and no
 * policy allows anything: failsafe ports, loopback, neighbour discovery, and
 * what the enforcer spares (open connections). Forwarded packets as well,
 * because the policies that would have kept some of them out are not known.
 * open: nothing is governed, so nothing is hooked.
 */
import { type LoadResult, ResourceLoader } from "../resources/load.ts";

export type StartupMode = "closed" | "open";

/** A name no interface has: every interface is the host's, and the "*" HostEndpoint's. */
const NO_WORKLOADS = "startup-closed";

/** Loads the set of `mode` for this node; without `exemptLoopback` loopback has an endpoint that allows it. */
export function startupSet(mode: StartupMode, node: string, exemptLoopback: boolean): LoadResult {
  const documents = mode === "open" ? [] : closedDocuments(node, exemptLoopback);
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  return new ResourceLoader().loadTexts([{ file: `startup-${mode}`, text }]);
}

function closedDocuments(node: string, exemptLoopback: boolean): unknown[] {
  const loopback = { node, interfaceName: "lo", profiles: ["projectcalico-default-allow"] };
  return [
    document("FelixConfiguration", "default", { interfacePrefix: NO_WORKLOADS }),
    document("HostEndpoint", "startup-closed", { node, interfaceName: "*" }, { startup: "closed" }),
    ...(exemptLoopback ? [] : [document("HostEndpoint", "startup-loopback", loopback)]),
    document("GlobalNetworkPolicy", "startup-closed", {
      selector: "startup == 'closed'",
      types: ["Ingress", "Egress"],
      applyOnForward: true,
    }),
  ];
}

function document(kind: string, name: string, spec: object, labels: Readonly<Record<string, string>> = {}): unknown {
  return { apiVersion: "projectcalico.org/v3", kind, metadata: { name, labels }, spec };
}
