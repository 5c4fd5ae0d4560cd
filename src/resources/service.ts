/** Service (SEMANTICS 1.12): which pods stand behind it, where no EndpointSlice says so. */
import { z } from "zod";
import { checkPortName, checkPortNumber, readPortProtocol } from "./endpoint-port.ts";
import { listOf } from "./field-list.ts";
import type { Service, ServicePort } from "./inventory.ts";
import { defineNamespacedInventoryKind } from "./inventory-kind.ts";
import { protocolSchema } from "./protocol.ts";
import type { ResourceContext } from "./resource-context.ts";
import { NAMESPACE_NAME } from "./resource-name.ts";
import type { ValuePath } from "./yaml-document.ts";

const portSchema = z.object({
  protocol: protocolSchema,
  port: z.number(),
  targetPort: z.union([z.number(), z.string()]).nullish(),
});

const specSchema = z
  .object({
    type: z.string().nullish(),
    selector: z.record(z.string(), z.string()).nullish(),
    ports: listOf(portSchema),
    ipFamilies: listOf(z.enum(["IPv4", "IPv6"]), 2),
    publishNotReadyAddresses: z.boolean().nullish(),
  })
  .nullish();

export const service = defineNamespacedInventoryKind({
  kind: "Service",
  nameRule: NAMESPACE_NAME,
  body: { spec: specSchema },
  convert({ name, namespace, labels, location }, { spec }, context): Service {
    const ports: ServicePort[] = [];
    for (const [index, entry] of (spec?.ports ?? []).entries()) {
      const port = readServicePort(entry, index, context);
      if (port !== undefined) ports.push(port);
    }
    const selector = spec?.selector ?? {};
    const selects = spec?.type !== "ExternalName" && Object.keys(selector).length > 0;
    return {
      kind: "Service",
      name,
      namespace,
      labels,
      location,
      selector: selects ? selector : undefined,
      ports,
      families: (spec?.ipFamilies ?? []).map((family) => (family === "IPv4" ? 4 : 6)),
      publishNotReadyAddresses: spec?.publishNotReadyAddresses ?? false,
    };
  },
});

function readServicePort(
  entry: z.output<typeof portSchema>,
  index: number,
  context: ResourceContext,
): ServicePort | undefined {
  const path = ["spec", "ports", index];
  const protocol = readPortProtocol(entry.protocol ?? "TCP", [...path, "protocol"], context);
  checkPortNumber(entry.port, [...path, "port"], context);
  const target = readTarget(entry.targetPort, entry.port, [...path, "targetPort"], context);
  return protocol === undefined ? undefined : { protocol, target };
}

/** A target that is not given, or 0, is the port itself. */
function readTarget(
  given: number | string | null | undefined,
  port: number,
  path: ValuePath,
  context: ResourceContext,
): number | string {
  const target = typeof given === "string" && /^[0-9]+$/.test(given) ? Number(given) : given;
  if (target === undefined || target === null || target === 0 || target === "") return port;
  if (typeof target === "number") checkPortNumber(target, path, context);
  else checkPortName(target, path, context);
  return target;
}
