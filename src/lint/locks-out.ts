/**
 * Would the set, once in force on this host, deny the SSH session the check is
 * run from? Asked as a new connection, as the daemon asks when policies change.
 * Where it is not known which endpoint governs the session, only what all that
 * could govern it deny is reported.
 */
import type { Address } from "../address/address.ts";
import { formatAddress } from "../address/address.ts";
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { Decision, PolicyPacket } from "../policy/decision.ts";
import { chooseEndpoints } from "../policy/endpoint-choice.ts";
import type { Interface } from "../policy/endpoint-choice.ts";
import { walkPacket } from "../policy/journey.ts";
import type { Judgement } from "../policy/judgement.ts";
import { policyLabel } from "../policy/policy-label.ts";
import { judgeUntracked } from "../policy/walk.ts";
import { IMPLIED_LOCATION } from "../resources/inventory.ts";
import { TCP } from "../resources/protocol.ts";
import type { ResourceSet } from "../resources/types.ts";
import type { LintWarning } from "./lint-warning.ts";
import type { SshSession } from "./ssh-session.ts";

/** The host the set is for. */
export interface Host {
  readonly node: string;
  /** Interfaces as they are; empty if they are not known. */
  readonly interfaces: readonly Interface[];
  /** undefined: nobody can be locked out. */
  readonly session: SshSession | undefined;
}

/** SEMANTICS 3.4: what a packet for this host passes, from raw PREROUTING to INPUT. */
export function lintLocksOut(set: ResourceSet, { node, interfaces, session }: Host): LintWarning[] {
  if (session === undefined || !set.hostEndpoints.some((endpoint) => endpoint.node === node)) return [];
  const packet: PolicyPacket = {
    family: session.server.family,
    protocol: TCP,
    source: session.client.value,
    destination: session.server.value,
    sourcePort: session.clientPort,
    destinationPort: session.serverPort,
    icmpType: undefined,
    icmpCode: undefined,
  };
  const walks = arrivals(set, node, interfaces, session.server)
    .map(({ name, all, known }) => {
      const choice = chooseEndpoints(set, node, all);
      const walk = walkPacket(set, node, choice, { packet, inInterface: name, outInterface: undefined });
      // Untracked policy knows no connections: it judges the answers, too.
      const answer = judgeUntracked(set, node, choice, name, "egress", answerTo(packet));
      if (walk.verdict === "deny" || answer.verdict !== "deny") return { known, ...walk };
      return { known, verdict: answer.verdict, hooks: [{ judgement: answer }] };
    })
    .filter(({ known, hooks }) => known || hooks.some(({ judgement }) => judgement.steps.length > 0));
  if (walks.length === 0 || !walks.every(({ verdict }) => verdict === "deny")) return [];
  const judgement = walks[0]?.hooks.at(-1)?.judgement;
  return judgement === undefined ? [] : [warning(set, session, node, judgement)];
}

function answerTo(packet: PolicyPacket): PolicyPacket {
  const { source, destination, sourcePort, destinationPort } = packet;
  return { ...packet, source: destination, destination: source, sourcePort: destinationPort, destinationPort: sourcePort };
}

interface Arrival {
  readonly name: string;
  /** Every interface there then is. */
  readonly all: readonly Interface[];
  /** The machine says so; else only an endpoint does, which must then govern it to count. */
  readonly known: boolean;
}

/** The name of an interface that no endpoint names. */
const UNNAMED = "?";
const WILDCARD = "*";

/**
 * Ways the session may come in: the interface that has the server's address;
 * if none is known to, what the endpoints with that address among their
 * expectedIPs stand for; if none has it, what any endpoint of the node does.
 */
function arrivals(set: ResourceSet, node: string, interfaces: readonly Interface[], server: Address): Arrival[] {
  const own = interfaces.filter(({ addresses }) => includes(addresses, server));
  if (own.length > 0) return own.map(({ name }) => ({ name, all: interfaces, known: true }));
  const local = set.hostEndpoints.filter((endpoint) => endpoint.node === node);
  const owners = local.filter(({ expectedIPs }) => includes(expectedIPs, server));
  return (owners.length > 0 ? owners : local).map(({ interfaceName, expectedIPs }) => {
    const name = interfaceName === undefined || interfaceName === WILDCARD ? UNNAMED : interfaceName;
    const addresses = interfaceName === undefined ? expectedIPs : [server];
    return { name, all: [{ name, addresses }], known: false };
  });
}

function includes(addresses: readonly Address[], address: Address): boolean {
  return addresses.some((each) => each.family === address.family && each.value === address.value);
}

function warning(set: ResourceSet, session: SshSession, node: string, judgement: Judgement): LintWarning {
  const { client, clientPort, server, serverPort } = session;
  const endpoint = judgement.steps.at(-1)?.endpoint;
  const { text, location } = cause(set, judgement.decision);
  const where = endpoint === undefined ? "an interface of workloads" : `${endpoint.kind} ${endpoint.name}`;
  return {
    code: "RAMPART_W_LOCKS_OUT",
    message:
      `THESE POLICIES WOULD LOCK YOU OUT OF ${node}: your SSH session from ${formatAddress(client)} port ` +
      `${clientPort} to ${formatAddress(server)} port ${serverPort} is denied on ${where} by ${text}`,
    hint: `add tcp:${serverPort} to failsafeInboundHostPorts, or allow the session by a policy, before you apply them`,
    location: location ?? endpoint?.location ?? IMPLIED_LOCATION,
  };
}

function cause(
  set: ResourceSet,
  decision: Decision | undefined,
): { readonly text: string; readonly location?: SourceLocation } {
  const reference = decision?.rule;
  if (reference === undefined) {
    const atEndOfTier = decision?.reason === "end-of-tier";
    return { text: atEndOfTier ? `the end of tier ${decision.tier}` : "default, as no policy allows it" };
  }
  const policy = set.policies.find((each) => each.tier === reference.tier && policyLabel(each) === reference.policy);
  const location = policy?.[reference.direction][reference.index]?.location;
  const text = `rule ${reference.index + 1} of policy ${reference.policy}`;
  return location === undefined ? { text } : { text, location };
}
