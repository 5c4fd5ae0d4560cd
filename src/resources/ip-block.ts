/**
 * `ipBlock` of a Kubernetes peer (SEMANTICS 4): a prefix but for others inside
 * it. Bits beyond the length are cleared, as Kubernetes' API server lets them
 * pass and Calico masks them.
 */
import { z } from "zod";
import type { Cidr } from "../address/address.ts";
import { cidrContains, formatCidr, parseCidr } from "../address/address.ts";
import { listOf } from "./field-list.ts";
import type { ResourceContext } from "./resource-context.ts";
import { describe } from "./schema-issue.ts";
import type { ValuePath } from "./yaml-document.ts";

const FIELDS_HINT = "ipBlock has cidr and except; an ignored criterion would widen the rule";

export const ipBlockSchema = z
  .strictObject(
    { cidr: z.string(), except: listOf(z.string()) },
    { error: (issue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT : undefined) },
  )
  .nullish();

export interface IpBlock {
  readonly nets: readonly Cidr[];
  readonly notNets: readonly Cidr[];
}

/** No nets at all only if the problem was reported. */
export function readIpBlock(
  block: NonNullable<z.output<typeof ipBlockSchema>>,
  path: ValuePath,
  context: ResourceContext,
): IpBlock {
  const cidr = readPrefix(block.cidr, [...path, "cidr"], context);
  const notNets: Cidr[] = [];
  for (const [index, text] of block.except.entries()) {
    const exceptPath = [...path, "except", index];
    const except = readPrefix(text, exceptPath, context);
    if (except === undefined || cidr === undefined) continue;
    if (except.prefix <= cidr.prefix || !cidrContains(cidr, except)) {
      const message = `${formatCidr(except)} is not a part of ${formatCidr(cidr)}`;
      context.error("RAMPART_E_CIDR", exceptPath, message, "except lists smaller prefixes inside cidr");
    }
    notNets.push(except);
  }
  return { nets: cidr === undefined ? [] : [cidr], notNets };
}

function readPrefix(text: string, path: ValuePath, context: ResourceContext): Cidr | undefined {
  const parsed = parseCidr(text);
  if (!parsed.ok) {
    const hint = "expected address/length, such as 10.0.0.0/8 or 2001:db8::/32";
    context.error("RAMPART_E_CIDR", path, `${describe(text)} is not an IP prefix`, hint);
    return undefined;
  }
  if (parsed.bare) {
    context.warn("RAMPART_W_BARE_ADDRESS", path, `address without a length, read as ${formatCidr(parsed.cidr)}`);
  } else if (parsed.hostBits) {
    context.warn("RAMPART_W_HOST_BITS", path, `bits set beyond its length, read as ${formatCidr(parsed.cidr)}`);
  }
  return parsed.cidr;
}
