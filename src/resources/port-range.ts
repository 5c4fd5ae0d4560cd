/** Ports and port ranges of rules: a number, "80" or "a:b" (SEMANTICS 1.4). */
import { z } from "zod";
import { listOf } from "./field-list.ts";
import type { ResourceContext } from "./resource-context.ts";
import { describe } from "./schema-issue.ts";
import type { PortRange } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const MAX_PORTS = 50;
const PORT_HINT = 'expected a port from 1 to 65535, or a range "first:last"';

export const portsSchema = listOf(z.union([z.number(), z.string()]), MAX_PORTS);

/** Reports RAMPART_E_PORT for what is no port and RAMPART_E_FEATURE for named ports. */
export function readPorts(
  values: readonly (number | string)[],
  path: ValuePath,
  context: ResourceContext,
): PortRange[] {
  const ranges: PortRange[] = [];
  for (const [index, value] of values.entries()) {
    const range = readPortRange(value, [...path, index], context);
    if (range !== undefined) ranges.push(range);
  }
  return ranges;
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
  if (/^[a-zA-Z0-9_.-]{1,128}$/.test(value)) {
    const message = `named ports (${describe(value)}) are valid, but this version of Rampart does not enforce them`;
    context.error("RAMPART_E_FEATURE", path, message, "write the port's number");
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
