/**
 * A rule of a Kubernetes NetworkPolicy as Allow rules, one for each protocol
 * and peer (SEMANTICS 4). No peers: anyone, known or not. No ports: any packet,
 * ICMP included. A rule with a peer that is none yields nothing, and the policy
 * still isolates.
 */
import { z } from "zod";
import { NO_CONSTRAINT } from "./entity-rule.ts";
import { listOf, warnIfMapping } from "./field-list.ts";
import { peerSchema, readPeer } from "./kubernetes-peer.ts";
import type { ProtocolPorts } from "./kubernetes-port.ts";
import { kubernetesPortsSchema, readKubernetesPorts } from "./kubernetes-port.ts";
import type { ResourceContext } from "./resource-context.ts";
import type { Direction, EntityRule, Rule } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const FIELDS_HINT = {
  from: "an ingress rule has from and ports; an ignored criterion would widen the rule",
  to: "an egress rule has to and ports; an ignored criterion would widen the rule",
};

export const kubernetesIngressSchema = listOf(
  z.strictObject(
    { from: listOf(peerSchema), ports: kubernetesPortsSchema },
    { error: (issue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT.from : undefined) },
  ),
);

export const kubernetesEgressSchema = listOf(
  z.strictObject(
    { to: listOf(peerSchema), ports: kubernetesPortsSchema },
    { error: (issue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT.to : undefined) },
  ),
);

type RawRule = z.output<typeof kubernetesIngressSchema>[number] | z.output<typeof kubernetesEgressSchema>[number];

export function readKubernetesRules(
  rules: readonly RawRule[],
  direction: Direction,
  namespace: string,
  context: ResourceContext,
): Rule[] {
  const path = ["spec", direction];
  if (rules.length > 0) warnIfMapping(path, context);
  return rules.flatMap((rule, index) => readRule(rule, direction, namespace, [...path, index], context));
}

function readRule(
  rule: RawRule,
  direction: Direction,
  namespace: string,
  path: ValuePath,
  context: ResourceContext,
): Rule[] {
  const peersPath = [...path, "from" in rule ? "from" : "to"];
  const peers = readPeers("from" in rule ? rule.from : rule.to, namespace, peersPath, context);
  const ports = readKubernetesPorts(rule.ports, [...path, "ports"], context);
  const location = context.location(path);
  const rules: Rule[] = [];
  for (const match of ports.length === 0 ? [undefined] : ports) {
    for (const peer of peers) {
      const port = direction === "egress" ? withoutNames(match, peer) : match;
      if (port === "none") {
        const message = "a port's name is looked up on pods; towards an ipBlock it matches nothing";
        context.warn("RAMPART_W_NEVER_MATCHES", [...path, "ports"], message);
      } else {
        rules.push(allow(direction, peer, port, location));
      }
    }
  }
  return rules;
}

/** What the rule's peers are; nobody, if one of them is no peer. */
function readPeers(
  raw: readonly z.output<typeof peerSchema>[],
  namespace: string,
  path: ValuePath,
  context: ResourceContext,
): EntityRule[] {
  if (raw.length === 0) return [NO_CONSTRAINT];
  warnIfMapping(path, context);
  const peers = raw.map((peer, index) => readPeer(peer, namespace, [...path, index], context));
  return peers.includes(undefined) ? [] : (peers as EntityRule[]);
}

/** Of ports towards an ipBlock the names, which belong to pods, match nothing; "none" if there is nothing else. */
function withoutNames(match: ProtocolPorts | undefined, peer: EntityRule): ProtocolPorts | undefined | "none" {
  if (match?.ports === undefined || match.ports.names.length === 0 || peer.nets.length === 0) return match;
  if (match.ports.ranges.length === 0) return "none";
  return { ...match, ports: { ranges: match.ports.ranges, names: [] } };
}

function allow(
  direction: Direction,
  peer: EntityRule,
  match: ProtocolPorts | undefined,
  location: Rule["location"],
): Rule {
  const ports = { ports: match?.ports?.ranges ?? [], namedPorts: match?.ports?.names ?? [] };
  const ingress = direction === "ingress";
  return {
    action: "Allow",
    ipVersion: undefined,
    protocol: match?.protocol,
    notProtocol: undefined,
    icmp: undefined,
    notIcmp: undefined,
    source: ingress ? peer : NO_CONSTRAINT,
    destination: ingress ? { ...NO_CONSTRAINT, ...ports } : { ...peer, ...ports },
    location,
  };
}
