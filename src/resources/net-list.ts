/** Lists of prefixes: strict in rules, lax in network sets (SEMANTICS 1.4, 1.9). */
import type { Cidr } from "../address/address.ts";
import { formatCidr, parseCidr } from "../address/address.ts";
import type { ResourceContext } from "./resource-context.ts";
import { describe } from "./schema-issue.ts";
import type { ValuePath } from "./yaml-document.ts";

const NET_HINT = "expected address/length, such as 10.0.0.0/8 or 2001:db8::/32";

/**
 * Prefixes of a rule: host bits are RAMPART_E_CIDR, a bare address is its host
 * prefix with a warning.
 */
export function readRuleNets(values: readonly string[], path: ValuePath, context: ResourceContext): Cidr[] {
  return readNets(values, path, context, (parsed, index, text) => {
    if (parsed.hostBits) {
      const message = `${describe(text)} has bits set beyond its length`;
      const hint = `write ${formatCidr(parsed.cidr)}, or the address with its full length`;
      context.error("RAMPART_E_CIDR", [...path, index], message, hint);
      return false;
    }
    if (parsed.bare) {
      const message = `address without a length, read as ${formatCidr(parsed.cidr)}`;
      context.warn("RAMPART_W_BARE_ADDRESS", [...path, index], message);
    }
    return true;
  });
}

/** Prefixes of a network set: bare addresses and host bits are fine. */
export function readSetNets(values: readonly string[], path: ValuePath, context: ResourceContext): Cidr[] {
  return readNets(values, path, context, () => true);
}

interface ParsedNet {
  readonly cidr: Cidr;
  readonly bare: boolean;
  readonly hostBits: boolean;
}

function readNets(
  values: readonly string[],
  path: ValuePath,
  context: ResourceContext,
  accept: (parsed: ParsedNet, index: number, text: string) => boolean,
): Cidr[] {
  const nets: Cidr[] = [];
  for (const [index, text] of values.entries()) {
    const parsed = parseCidr(text);
    if (!parsed.ok) {
      context.error("RAMPART_E_CIDR", [...path, index], `${describe(text)} is not an IP prefix`, NET_HINT);
    } else if (accept(parsed, index, text)) {
      nets.push(parsed.cidr);
    }
  }
  return nets;
}
