/** EndpointSlice (SEMANTICS 1.12): backends of the Service that its label names. */
import { z } from "zod";
import type { Address, Family } from "../address/address.ts";
import { readAddress } from "./address-field.ts";
import { checkPortNumber, readPortProtocol } from "./endpoint-port.ts";
import { listOf } from "./field-list.ts";
import type { EndpointSlice, SlicePort } from "./inventory.ts";
import { defineNamespacedInventoryKind } from "./inventory-kind.ts";
import { protocolSchema } from "./protocol.ts";
import type { ResourceContext } from "./resource-context.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";

const SERVICE_LABEL = "kubernetes.io/service-name";

const endpointSchema = z.object({
  addresses: listOf(z.string()),
  conditions: z.object({ ready: z.boolean().nullish() }).nullish(),
});
const portSchema = z.object({ protocol: protocolSchema, port: z.number().nullish() });

type RawEndpoint = z.output<typeof endpointSchema>;
type RawPort = z.output<typeof portSchema>;

export const endpointSlice = defineNamespacedInventoryKind({
  kind: "EndpointSlice",
  nameRule: SUBDOMAIN_NAME,
  body: {
    addressType: z.enum(["IPv4", "IPv6", "FQDN"]),
    endpoints: listOf(endpointSchema),
    ports: listOf(portSchema),
  },
  convert({ name, namespace, labels, location }, { addressType, endpoints, ports }, context): EndpointSlice {
    const namesOnly = addressType === "FQDN";
    const family = addressType === "IPv6" ? 6 : 4;
    return {
      kind: "EndpointSlice",
      name,
      namespace,
      labels,
      location,
      service: labels[SERVICE_LABEL],
      addresses: namesOnly ? [] : readReadyAddresses(endpoints, family, context),
      ports: readSlicePorts(ports, context),
      namesOnly,
    };
  },
});

/** A readiness that is not said is ready, as the API has it. */
function readReadyAddresses(endpoints: readonly RawEndpoint[], family: Family, context: ResourceContext): Address[] {
  const addresses: Address[] = [];
  for (const [index, endpoint] of endpoints.entries()) {
    for (const [position, text] of endpoint.addresses.entries()) {
      const path = ["endpoints", index, "addresses", position];
      const address = readAddress(text, path, context);
      if (address === undefined) continue;
      if (address.family !== family) {
        const message = `${describe(text)} is no address of the slice's addressType, IPv${family}`;
        context.error("RAMPART_E_CIDR", path, message, "a slice holds addresses of one IP version");
      }
      if (endpoint.conditions?.ready !== false) addresses.push(address);
    }
  }
  return addresses;
}

function readSlicePorts(ports: readonly RawPort[], context: ResourceContext): SlicePort[] {
  const read: SlicePort[] = [];
  for (const [index, { protocol: given, port }] of ports.entries()) {
    const protocol = readPortProtocol(given ?? "TCP", ["ports", index, "protocol"], context);
    if (port !== undefined && port !== null) checkPortNumber(port, ["ports", index, "port"], context);
    if (protocol !== undefined) read.push({ protocol, port: port ?? undefined });
  }
  return read;
}
