/** Node (SEMANTICS 1.12). */
import { z } from "zod";
import type { Address } from "../address/address.ts";
import { readAddress } from "./address-field.ts";
import { listOf } from "./field-list.ts";
import type { Node } from "./inventory.ts";
import { defineInventoryKind } from "./inventory-kind.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";

const statusSchema = z.object({ addresses: listOf(z.object({ type: z.string(), address: z.string() })) }).nullish();

export const node = defineInventoryKind({
  kind: "Node",
  nameRule: SUBDOMAIN_NAME,
  body: { status: statusSchema },
  convert({ name, labels, location }, { status }, context): Node {
    const addresses: Address[] = [];
    for (const [index, { type, address }] of (status?.addresses ?? []).entries()) {
      // The other types (Hostname, InternalDNS, ExternalDNS) are names.
      if (type !== "InternalIP" && type !== "ExternalIP") continue;
      const read = readAddress(address, ["status", "addresses", index, "address"], context);
      if (read !== undefined) addresses.push(read);
    }
    return { kind: "Node", name, labels, location, addresses };
  },
});
