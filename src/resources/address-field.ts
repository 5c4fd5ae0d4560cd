/** Plain IP addresses in a field: no length, no zone. */
import type { Address } from "../address/address.ts";
import { parseAddress } from "../address/address.ts";
import type { ResourceContext } from "./resource-context.ts";
import { describe } from "./schema-issue.ts";
import type { ValuePath } from "./yaml-document.ts";

/** undefined with RAMPART_E_CIDR reported. */
export function readAddress(text: string, path: ValuePath, context: ResourceContext): Address | undefined {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  const hint = "expected a plain address, such as 192.0.2.1 or 2001:db8::1, without a length";
  context.error("RAMPART_E_CIDR", path, `${describe(text)} is not an IP address`, hint);
  return undefined;
}

export function readAddresses(values: readonly string[], path: ValuePath, context: ResourceContext): Address[] {
  const addresses: Address[] = [];
  for (const [index, text] of values.entries()) {
    const address = readAddress(text, [...path, index], context);
    if (address !== undefined) addresses.push(address);
  }
  return addresses;
}
