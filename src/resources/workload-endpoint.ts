/**
 * WorkloadEndpoint (SEMANTICS 1.11). The labels Calico keeps for itself follow
 * from its fields, whatever its metadata says; linking adds those of its
 * profiles. Addresses the endpoint is reached by through NAT are not its own.
 */
import { z } from "zod";
import type { Address } from "../address/address.ts";
import { addressBits, parseCidr } from "../address/address.ts";
import { checkPortNumber, readEndpointPort, readPortProtocol } from "./endpoint-port.ts";
import { implicitLabels } from "./effective-label.ts";
import { listOf, warnIfMapping } from "./field-list.ts";
import { checkInterfaceName } from "./interface-name.ts";
import type { WorkloadDocument } from "./inventory.ts";
import { readSetNets } from "./net-list.ts";
import { protocolSchema } from "./protocol.ts";
import type { ResourceContext } from "./resource-context.ts";
import { defineNamespacedKind } from "./resource-kind.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";
import { readServiceAccountName } from "./service-account.ts";
import type { EndpointPort } from "./types.ts";

const portSchema = z.looseObject({
  name: z.string().nullish(),
  protocol: protocolSchema,
  port: z.number(),
  hostPort: z.number().nullish(),
  hostIP: z.string().nullish(),
});

const specSchema = z.looseObject({
  orchestrator: z.string().nullish(),
  workload: z.string().nullish(),
  node: z.string(),
  containerID: z.string().nullish(),
  pod: z.string().nullish(),
  endpoint: z.string().nullish(),
  serviceAccountName: z.string().nullish(),
  ipNetworks: listOf(z.string()),
  ipNATs: z.unknown().optional(),
  ipv4Gateway: z.string().nullish(),
  ipv6Gateway: z.string().nullish(),
  profiles: listOf(z.string()),
  interfaceName: z.string(),
  mac: z.string().nullish(),
  ports: listOf(portSchema),
  allowSpoofedSourcePrefixes: listOf(z.string()),
});

export const workloadEndpoint = defineNamespacedKind({
  kind: "WorkloadEndpoint",
  nameRule: SUBDOMAIN_NAME,
  spec: specSchema,
  convert(meta, spec, context): WorkloadDocument {
    context.warnUnknownFields(["spec"], spec, Object.keys(specSchema.shape));
    if (spec.node === "") {
      const hint = "give the name of the host the workload runs on";
      context.error("RAMPART_E_VALUE", ["spec", "node"], "a WorkloadEndpoint needs the name of its node", hint);
    }
    checkInterfaceName(spec.interfaceName, ["spec", "interfaceName"], context);
    context.refersToProfiles(`${meta.namespace}/${meta.name}`, spec.profiles, ["spec", "profiles"]);
    const serviceAccount = readServiceAccountName(spec.serviceAccountName, ["spec", "serviceAccountName"], context);
    return {
      ...meta,
      labels: { ...meta.labels, ...implicitLabels(meta.namespace, unlessEmpty(spec.orchestrator), serviceAccount) },
      kind: "WorkloadEndpoint",
      node: spec.node,
      interfaceName: spec.interfaceName,
      addresses: readNetworks(spec.ipNetworks, context),
      profiles: spec.profiles,
      ports: readPorts(spec.ports, context),
      allowedSources: readSetNets(spec.allowSpoofedSourcePrefixes, ["spec", "allowSpoofedSourcePrefixes"], context),
      pod: unlessEmpty(spec.pod),
      serviceAccount,
    };
  },
});

function unlessEmpty(text: string | null | undefined): string | undefined {
  return text === null || text === "" ? undefined : text;
}

function readNetworks(values: readonly string[], context: ResourceContext): Address[] {
  const addresses: Address[] = [];
  for (const [index, text] of values.entries()) {
    const parsed = parseCidr(text);
    if (parsed.ok && parsed.cidr.prefix === addressBits(parsed.cidr.family)) {
      addresses.push({ family: parsed.cidr.family, value: parsed.cidr.value });
      continue;
    }
    const hint = "an endpoint has single addresses, such as 192.0.2.1/32 or 2001:db8::1/128";
    const message = `${describe(text)} is not the address of a workload`;
    context.error("RAMPART_E_CIDR", ["spec", "ipNetworks", index], message, hint);
  }
  return addresses;
}

/** A port that is only published on the host has no name, and no rule can name it. */
function readPorts(ports: readonly z.output<typeof portSchema>[], context: ResourceContext): EndpointPort[] {
  warnIfMapping(["spec", "ports"], context);
  const read: EndpointPort[] = [];
  for (const [index, entry] of ports.entries()) {
    const path = ["spec", "ports", index];
    context.warnUnknownFields(path, entry, Object.keys(portSchema.shape));
    const name = entry.name ?? "";
    const hostPort = entry.hostPort ?? 0;
    if (hostPort !== 0) checkPortNumber(hostPort, [...path, "hostPort"], context);
    if (name !== "") {
      const port = readEndpointPort(name, entry.protocol, entry.port, path, context);
      if (port !== undefined) read.push(port);
      continue;
    }
    checkPortNumber(entry.port, [...path, "port"], context);
    readPortProtocol(entry.protocol, [...path, "protocol"], context);
    if (hostPort === 0) {
      const hint = "give the port a name that rules can use, or a hostPort";
      context.error("RAMPART_E_FIELD_MISSING", path, "a port has neither name nor hostPort", hint);
    }
  }
  return read;
}
