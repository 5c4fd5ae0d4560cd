/** Node (SEMANTICS 1.12). */
import { z } from "zod";
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
    for (const [index, { type, address }] of (status?.addresses ?? []).entries()) {
      // The other types (Hostname, InternalDNS, ExternalDNS) are names.
      if (type !== "InternalIP" && type !== "ExternalIP") continue;
      readAddress(address, ["status", "addresses", index, "address"], context);
    }
    return { kind: "Node", name, labels, location };
  },
});
