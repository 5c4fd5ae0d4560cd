/** Ports of rules: a number, "80", a range "a:b", or the name of an endpoint's port (SEMANTICS 1.4). */
import { z } from "zod";
import { listOf } from "./field-list.ts";
import type { ResourceContext } from "./resource-context.ts";
import { describe } from "./schema-issue.ts";
import type { PortRange } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const MAX_PORTS = 50;
const PORT_HINT = 'expected a port from 1 to 65535, a range "first:last", or the name of a port';

export const portsSchema = listOf(z.union([z.number(), z.string()]), MAX_PORTS);

/** The two halves of one list: a packet matches if any entry of either does. */
export interface PortList {
  readonly ranges: readonly PortRange[];
  readonly names: readonly string[];
}

/** Reports RAMPART_E_PORT for what is neither a port nor a name. */
export function readPorts(
  values: readonly (number | string)[],
  path: ValuePath,
  context: ResourceContext,
): PortList {
  const ranges: PortRange[] = [];
  const names: string[] = [];
  for (const [index, value] of values.entries()) {
    if (isPortReference(value)) {
      names.push(value);
      continue;
    }
    const range = readPortRange(value, [...path, index], context);
    if (range !== undefined) ranges.push(range);
  }
  return { ranges, names };
}

/** What may stand for an endpoint's port: more than the names endpoints give their ports; no endpoint has the rest. */
function isPortReference(value: number | string): value is string {
  return typeof value === "string" && /^[a-zA-Z0-9_.-]{1,128}$/.test(value) && !/^[0-9]+(-[0-9]+)?$/.test(value);
}

function readPortRange(value: number | string, path: ValuePath, context: ResourceContext): PortRange | undefined {
  if (typeof value === "number") return checkRange(value, value, value, path, context);
  const numeric = /^([0-9]+)(?::([0-9]+))?$/.exec(value);
  if (numeric !== null) {
    const min = Number(numeric[1]);
    return checkRange(min, numeric[2] === undefined ? min : Number(numeric[2]), value, path, context);
  }
  const dashed = /^([0-9]+)-([0-9]+)$/.exec(value);
  if (dashed !== null) {
    const hint = `ranges are written with a colon: "${dashed[1]}:${dashed[2]}"`;
    context.error("RAMPART_E_PORT", path, `${describe(value)} is not a port range`, hint);
    return undefined;
  }
  context.error("RAMPART_E_PORT", path, `${describe(value)} is not a port`, PORT_HINT);
  return undefined;
}

function checkRange(
  min: number,
  max: number,
  value: number | string,
  path: ValuePath,
  context: ResourceContext,
): PortRange | undefined {
  if (!isPort(min) || !isPort(max)) {
    context.error("RAMPART_E_PORT", path, `${describe(value)} is outside the ports 1 to 65535`, PORT_HINT);
    return undefined;
  }
  if (min > max) {
    context.error("RAMPART_E_PORT", path, `the range ${describe(value)} ends before it begins`, PORT_HINT);
    return undefined;
  }
  return { min, max };
}

export function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65535;
}
