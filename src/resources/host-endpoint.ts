/** HostEndpoint (SEMANTICS 1.10). */
import { z } from "zod";
import type { Address } from "../address/address.ts";
import { parseAddress } from "../address/address.ts";
import { listOf, warnIfMapping } from "./field-list.ts";
import { isPort } from "./port-range.ts";
import { hasPorts, protocolSchema, readProtocol } from "./protocol.ts";
import type { ResourceContext } from "./resource-context.ts";
import { defineKind } from "./resource-kind.ts";
import { isPortName, SUBDOMAIN_NAME } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";
import type { HostEndpoint } from "./types.ts";

const ALLOW_PROFILE = "projectcalico-default-allow";

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
    checkProfiles(spec.profiles, context);
    checkPorts(spec.ports, context);
    return {
      ...meta,
      kind: "HostEndpoint",
      node: spec.node,
      interfaceName,
      expectedIPs: readAddresses(spec.expectedIPs, context),
      profiles: spec.profiles,
    };
  },
});

function readInterfaceName(name: string | null | undefined, context: ResourceContext): string | undefined {
  if (name === undefined || name === null || name === "") return undefined;
  if (name !== "*" && !/^[a-zA-Z0-9_.-]{1,15}$/.test(name)) {
    const hint = 'expected at most 15 letters, digits, `_`, `.` or `-`, or "*" for all interfaces';
    context.error("RAMPART_E_VALUE", ["spec", "interfaceName"], `${describe(name)} is not an interface name`, hint);
  }
  return name;
}

function readAddresses(values: readonly string[], context: ResourceContext): Address[] {
  const addresses: Address[] = [];
  for (const [index, text] of values.entries()) {
    const address = parseAddress(text);
    if (address !== undefined) {
      addresses.push(address);
      continue;
    }
    const hint = "expected a plain address, such as 192.0.2.1 or 2001:db8::1, without a length";
    context.error("RAMPART_E_CIDR", ["spec", "expectedIPs", index], `${describe(text)} is not an IP address`, hint);
  }
  return addresses;
}

function checkProfiles(profiles: readonly string[], context: ResourceContext): void {
  for (const [index, name] of profiles.entries()) {
    if (name === ALLOW_PROFILE) continue;
    const message = `profile ${describe(name)}: this version of Rampart only has the profile ${ALLOW_PROFILE}`;
    const hint = "remove it and write its rules as a GlobalNetworkPolicy";
    context.error("RAMPART_E_FEATURE", ["spec", "profiles", index], message, hint);
  }
}

/** The endpoint's named ports: checked, although no rule can refer to them yet. */
function checkPorts(ports: readonly z.output<typeof portSchema>[], context: ResourceContext): void {
  warnIfMapping(["spec", "ports"], context);
  for (const [index, entry] of ports.entries()) {
    const path = ["spec", "ports", index];
    context.warnUnknownFields(path, entry, Object.keys(portSchema.shape));
    if (!isPortName(entry.name)) {
      const hint = "at most 15 lower-case letters, digits and single `-`, with at least one letter";
      context.error("RAMPART_E_NAME", [...path, "name"], `${describe(entry.name)} is not a port name`, hint);
    }
    if (!isPort(entry.port)) {
      const hint = "expected a port from 1 to 65535";
      context.error("RAMPART_E_PORT", [...path, "port"], `${entry.port} is not a port`, hint);
    }
    const before = context.errorCount;
    const protocol = readProtocol(entry.protocol, [...path, "protocol"], context);
    if (context.errorCount === before && !hasPorts(protocol)) {
      const message = "a named port has protocol TCP, UDP or SCTP";
      context.error("RAMPART_E_VALUE", [...path, "protocol"], message, "give one of them");
    }
  }
}
