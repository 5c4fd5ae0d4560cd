/**
 * A question with its names looked up: the two ends, and the packet that
 * begins the connection, addresses and ports as the initiator sends them.
 */
import type { Address, Family } from "../address/address.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { PolicyPacket } from "../policy/decision.ts";
import type { Course, CoursePlanner } from "./course.ts";
import type { ConnectionEnd, EndpointDirectory } from "./endpoint-directory.ts";
import { endpointName } from "./endpoint-directory.ts";
import type { Question } from "./question.ts";
import { protocolName } from "./question.ts";

export interface Connection {
  readonly source: ConnectionEnd;
  readonly destination: ConnectionEnd;
  readonly packet: PolicyPacket;
}

/**
 * @throws RampartError RAMPART_E_END_UNKNOWN, RAMPART_E_END_ADDRESS, RAMPART_E_END_AMBIGUOUS; RAMPART_E_PORT_UNKNOWN
 * where the destination declares no such port.
 */
export function connect(question: Question, directory: EndpointDirectory): Connection {
  const source = directory.resolve(question.from);
  const destination = directory.resolve(question.to);
  const family = commonFamily(question.family, source, destination);
  const port = destinationPort(question, destination);
  return {
    source,
    destination,
    packet: {
      family,
      protocol: question.protocol,
      source: (source.addresses[family] as Address).value,
      destination: (destination.addresses[family] as Address).value,
      sourcePort: port === undefined ? undefined : question.sourcePort,
      destinationPort: port,
      icmpType: question.icmpType,
      icmpCode: question.icmpType === undefined ? undefined : question.icmpCode,
    },
  };
}

/** Who judges the connection. @throws RampartError RAMPART_E_END_AMBIGUOUS */
export function planCourse(planner: CoursePlanner, { source, destination, packet }: Connection): Course {
  return planner.plan(source.endpoint, destination.endpoint, packet.source === packet.destination);
}

/**
 * The family asked for, else the one both ends have, IPv4 first.
 *
 * @throws RampartError RAMPART_E_END_ADDRESS
 */
export function commonFamily(wanted: Family | undefined, source: ConnectionEnd, destination: ConnectionEnd): Family {
  const both = (family: Family): boolean =>
    source.addresses[family] !== undefined && destination.addresses[family] !== undefined;
  if (wanted !== 6 && both(4)) return 4;
  if (wanted !== 4 && both(6)) return 6;
  const candidates: readonly Family[] = wanted === undefined ? [4, 6] : [wanted];
  for (const end of [source, destination]) {
    if (candidates.some((each) => end.addresses[each] !== undefined)) continue;
    const which = wanted === undefined ? "address" : `IPv${wanted} address`;
    throw new RampartError("RAMPART_E_END_ADDRESS", `${end.text} has no ${which}`, {
      hint: `write ${end.text.split("@")[0]}@ADDRESS to say which address it has`,
    });
  }
  throw new RampartError("RAMPART_E_END_ADDRESS", `${source.text} and ${destination.text} have no family in common`, {
    hint: "both need an IPv4 address, or both an IPv6 address",
  });
}

/**
 * A port name means what the destination declares under it (SEMANTICS 4).
 *
 * @throws RampartError RAMPART_E_PORT_UNKNOWN
 */
export function destinationPort({ port, protocol }: Question, { text, endpoint }: ConnectionEnd): number | undefined {
  if (typeof port !== "string") return port;
  const found = endpoint?.ports.find((each) => each.name === port && each.protocol === protocol);
  if (found !== undefined) return found.port;
  const owner = endpoint === undefined ? text : endpointName(endpoint);
  throw new RampartError("RAMPART_E_PORT_UNKNOWN", `${owner} has no ${protocolName(protocol)} port named ${port}`, {
    hint: "give the port's number, or declare the name on the endpoint",
  });
}
