/** HostEndpoint (SEMANTICS 1.10). Its labels are its own here; linking adds those of its profiles. */
import { z } from "zod";
import { readAddresses } from "./address-field.ts";
import { readEndpointPort } from "./endpoint-port.ts";
import { listOf, warnIfMapping } from "./field-list.ts";
import { NAMESPACE_LABEL } from "./implicit-label.ts";
import { checkInterfaceName } from "./interface-name.ts";
import { protocolSchema } from "./protocol.ts";
import type { ResourceContext } from "./resource-context.ts";
import { defineKind } from "./resource-kind.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import type { EndpointPort, HostEndpoint } from "./types.ts";

const portSchema = z.looseObject({ name: z.string(), protocol: protocolSchema, port: z.number() });

const specSchema = z.looseObject({
  node: z.string(),
  interfaceName: z.string().nullish(),
  expectedIPs: listOf(z.string()),
  profiles: listOf(z.string()),
  ports: listOf(portSchema),
});

export const hostEndpoint = defineKind({
  kind: "HostEndpoint",
  nameRule: SUBDOMAIN_NAME,
  spec: specSchema,
  convert(meta, spec, context): HostEndpoint {
    context.warnUnknownFields(["spec"], spec, Object.keys(specSchema.shape));
    if (spec.node === "") {
      const hint = "give the name of the host, as `hostname` prints it or as the daemon's `node` setting says";
      context.error("RAMPART_E_VALUE", ["spec", "node"], "a HostEndpoint needs the name of its node", hint);
    }
    const interfaceName = readInterfaceName(spec.interfaceName, context);
    if (interfaceName === undefined && spec.expectedIPs.length === 0) {
      const hint = 'give interfaceName (a name, or "*" for all interfaces), or expectedIPs';
      context.error("RAMPART_E_VALUE", ["spec"], "neither interfaceName nor expectedIPs is given", hint);
    }
    context.refersToProfiles(meta.name, spec.profiles, ["spec", "profiles"]);
    // With it, policies of a namespace would reach the host (SEMANTICS 1.9).
    if (Object.hasOwn(meta.labels, NAMESPACE_LABEL)) {
      const message = "this label is Calico's own: a host endpoint is in no namespace";
      const path = ["metadata", "labels", NAMESPACE_LABEL];
      context.errorAtKey("RAMPART_E_VALUE", path, message, "use another label name");
    }
    return {
      ...meta,
      kind: "HostEndpoint",
      node: spec.node,
      interfaceName,
      expectedIPs: readAddresses(spec.expectedIPs, ["spec", "expectedIPs"], context),
      profiles: spec.profiles,
      ports: readPorts(spec.ports, context),
    };
  },
});

function readInterfaceName(name: string | null | undefined, context: ResourceContext): string | undefined {
  if (name === undefined || name === null || name === "") return undefined;
  if (name !== "*") checkInterfaceName(name, ["spec", "interfaceName"], context);
  return name;
}

function readPorts(ports: readonly z.output<typeof portSchema>[], context: ResourceContext): EndpointPort[] {
  warnIfMapping(["spec", "ports"], context);
  const read: EndpointPort[] = [];
  for (const [index, entry] of ports.entries()) {
    const path = ["spec", "ports", index];
    context.warnUnknownFields(path, entry, Object.keys(portSchema.shape));
    const port = readEndpointPort(entry.name, entry.protocol, entry.port, path, context);
    if (port !== undefined) read.push(port);
  }
  return read;
}
