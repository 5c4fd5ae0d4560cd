/**
 * `ports` of a Kubernetes rule (SEMANTICS 4), gathered by protocol: Calico's
 * rules have one protocol each. An entry without a port means every port of
 * its protocol, so it makes the others of that protocol redundant.
 */
import { z } from "zod";
import { listOf, warnIfMapping } from "./field-list.ts";
import { isPort } from "./port-range.ts";
import type { PortList } from "./port-range.ts";
import { SCTP, TCP, UDP } from "./protocol.ts";
import type { ResourceContext } from "./resource-context.ts";
import { isPortName } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";
import type { PortRange } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const FIELDS_HINT = "a port has protocol, port and endPort; an ignored criterion would widen the rule";
const NUMBERS = { TCP, UDP, SCTP };

export const kubernetesPortsSchema = listOf(
  z.strictObject(
    {
      protocol: z.enum(["TCP", "UDP", "SCTP"]).nullish(),
      port: z.union([z.number(), z.string()]).nullish(),
      endPort: z.number().nullish(),
    },
    { error: (issue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT : undefined) },
  ),
);

type RawPort = z.output<typeof kubernetesPortsSchema>[number];

/** The ports of one protocol; `undefined` instead of a list: all of them. */
export interface ProtocolPorts {
  readonly protocol: number;
  readonly ports: PortList | undefined;
}

/** Empty if no ports are listed, which matches every packet whatever its protocol. */
export function readKubernetesPorts(
  ports: readonly RawPort[],
  path: ValuePath,
  context: ResourceContext,
): ProtocolPorts[] {
  if (ports.length > 0) warnIfMapping(path, context);
  const byProtocol = new Map<number, { all: boolean; ranges: PortRange[]; names: string[] }>();
  for (const [index, raw] of ports.entries()) {
    const protocol = NUMBERS[raw.protocol ?? "TCP"];
    let gathered = byProtocol.get(protocol);
    if (gathered === undefined) {
      gathered = { all: false, ranges: [], names: [] };
      byProtocol.set(protocol, gathered);
    }
    const port = readPort(raw, [...path, index], context);
    if (port === undefined) gathered.all = true;
    else if (typeof port === "string") gathered.names.push(port);
    else gathered.ranges.push(port);
  }
  return [...byProtocol].map(([protocol, { all, ranges, names }]) => ({
    protocol,
    ports: all ? undefined : { ranges, names },
  }));
}

/** A range, a name, or undefined for every port. */
function readPort(raw: RawPort, path: ValuePath, context: ResourceContext): PortRange | string | undefined {
  const { port, endPort } = raw;
  const portPath = [...path, "port"];
  const numeric = typeof port === "string" && /^[0-9]+$/.test(port) ? Number(port) : port;
  if (endPort !== undefined && endPort !== null && typeof numeric !== "number") {
    const hint = "give the first port of the range as port";
    context.errorAtKey("RAMPART_E_PORT", [...path, "endPort"], "endPort needs a port that is a number", hint);
  }
  if (numeric === undefined || numeric === null) return undefined;
  if (typeof numeric === "string") {
    if (!isPortName(numeric)) {
      const hint = "expected a port from 1 to 65535 or a name: at most 15 lower-case letters, digits and `-`";
      context.error("RAMPART_E_PORT", portPath, `${describe(port)} is not a port`, hint);
    }
    return numeric;
  }
  if (typeof port === "string") {
    context.warn("RAMPART_W_PORT_QUOTED", portPath, `the text ${describe(port)} is read as a port number`);
  }
  if (!isPort(numeric)) {
    context.error("RAMPART_E_PORT", portPath, `${describe(port)} is outside the ports 1 to 65535`, "use one of them");
  }
  const max = endPort ?? numeric;
  if (isPort(numeric) && (!isPort(max) || max < numeric)) {
    const hint = "endPort is the last port of the range, at least port and at most 65535";
    context.error("RAMPART_E_PORT", [...path, "endPort"], `${describe(max)} cannot end the range`, hint);
  }
  return { min: numeric, max };
}
