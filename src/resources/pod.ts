/**
 * Pod (SEMANTICS 1.12): who it is, where it runs, and the addresses it has.
 * A pod that is finished keeps its addresses here; linking drops them.
 */
import { z } from "zod";
import type { Address, Cidr } from "../address/address.ts";
import { addressBits, parseCidr } from "../address/address.ts";
import { readAddress } from "./address-field.ts";
import { readEndpointPort } from "./endpoint-port.ts";
import { listOf } from "./field-list.ts";
import { checkInterfaceName } from "./interface-name.ts";
import type { Pod } from "./inventory.ts";
import { defineNamespacedInventoryKind } from "./inventory-kind.ts";
import { protocolSchema } from "./protocol.ts";
import type { ResourceContext } from "./resource-context.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";
import { DEFAULT_SERVICE_ACCOUNT, readServiceAccountName } from "./service-account.ts";
import type { EndpointPort, Labels } from "./types.ts";

/** The host's side of the pod's veth pair, where it is not called as Calico would call it. */
const INTERFACE_ANNOTATION = "rampart.io/interface";
const ADDRESSES_ANNOTATION = "cni.projectcalico.org/podIPs";
const ADDRESS_ANNOTATION = "cni.projectcalico.org/podIP";
/** A JSON list of prefixes it may send from besides its own addresses. */
const ALLOWED_SOURCES_ANNOTATION = "cni.projectcalico.org/allowedSourcePrefixes";

const PHASES = ["Pending", "Running", "Succeeded", "Failed", "Unknown", ""] as const;

const portSchema = z.object({ name: z.string().nullish(), protocol: protocolSchema, containerPort: z.number() });
const containerSchema = z.object({ ports: listOf(portSchema), restartPolicy: z.string().nullish() });
const specSchema = z
  .object({
    nodeName: z.string().nullish(),
    hostNetwork: z.boolean().nullish(),
    serviceAccountName: z.string().nullish(),
    serviceAccount: z.string().nullish(),
    containers: listOf(containerSchema),
    initContainers: listOf(containerSchema),
  })
  .nullish();
const statusSchema = z
  .object({
    phase: z.enum(PHASES).nullish(),
    podIP: z.string().nullish(),
    podIPs: listOf(z.object({ ip: z.string() })),
    conditions: listOf(z.object({ type: z.string(), status: z.string() })),
  })
  .nullish();

type PodSpec = z.output<typeof specSchema>;
type PodStatus = z.output<typeof statusSchema>;

export const pod = defineNamespacedInventoryKind({
  kind: "Pod",
  nameRule: SUBDOMAIN_NAME,
  body: { spec: specSchema, status: statusSchema },
  convert({ name, namespace, labels, location, annotations }, { spec, status }, context): Pod {
    const interfaceName = annotations[INTERFACE_ANNOTATION];
    if (interfaceName !== undefined) {
      checkInterfaceName(interfaceName, ["metadata", "annotations", INTERFACE_ANNOTATION], context);
    }
    return {
      kind: "Pod",
      name,
      namespace,
      labels,
      location,
      node: given(spec?.nodeName),
      hostNetwork: spec?.hostNetwork ?? false,
      finished: status?.phase === "Succeeded" || status?.phase === "Failed",
      ready: !(status?.conditions ?? []).some((each) => each.type === "Ready" && each.status === "False"),
      serviceAccount:
        readServiceAccountName(spec?.serviceAccountName, ["spec", "serviceAccountName"], context) ??
        readServiceAccountName(spec?.serviceAccount, ["spec", "serviceAccount"], context) ??
        DEFAULT_SERVICE_ACCOUNT,
      addresses: readPodAddresses(status, annotations, context),
      ports: readNamedPorts(spec, context),
      interfaceName,
      allowedSources: readAllowedSources(annotations, context),
    };
  },
});

function given(text: string | null | undefined): string | undefined {
  return text === null || text === "" ? undefined : text;
}

/** The status is the cluster's word; Calico's own note in the annotations is there earlier. */
function readPodAddresses(status: PodStatus, annotations: Labels, context: ResourceContext): Address[] {
  const listed = status?.podIPs ?? [];
  if (listed.length > 0) {
    const addresses = listed.map(({ ip }, index) => readAddress(ip, ["status", "podIPs", index, "ip"], context));
    return addresses.filter((address) => address !== undefined);
  }
  const single = given(status?.podIP);
  if (single !== undefined) {
    const address = readAddress(single, ["status", "podIP"], context);
    return address === undefined ? [] : [address];
  }
  const annotation = given(annotations[ADDRESSES_ANNOTATION]) === undefined ? ADDRESS_ANNOTATION : ADDRESSES_ANNOTATION;
  const noted = given(annotations[annotation]);
  return noted === undefined ? [] : readNotedAddresses(noted, annotation, context);
}

/** Calico writes addresses with their full length: `10.0.0.1/32,fd00::1/128`. */
function readNotedAddresses(text: string, annotation: string, context: ResourceContext): Address[] {
  const addresses: Address[] = [];
  for (const part of text.split(",")) {
    const parsed = parseCidr(part.trim());
    if (parsed.ok && parsed.cidr.prefix === addressBits(parsed.cidr.family)) {
      addresses.push({ family: parsed.cidr.family, value: parsed.cidr.value });
      continue;
    }
    const hint = "expected addresses with their full length and commas between, such as 10.0.0.1/32,fd00::1/128";
    const path = ["metadata", "annotations", annotation];
    context.error("RAMPART_E_CIDR", path, `${describe(part)} is not the address of a pod`, hint);
  }
  return addresses;
}

function readAllowedSources(annotations: Labels, context: ResourceContext): Cidr[] {
  const text = given(annotations[ALLOWED_SOURCES_ANNOTATION]);
  if (text === undefined) return [];
  const path = ["metadata", "annotations", ALLOWED_SOURCES_ANNOTATION];
  const hint = 'expected a JSON list of prefixes, such as ["10.9.0.0/16"]';
  const list = parsedList(text);
  if (list === undefined) context.error("RAMPART_E_VALUE", path, `${describe(text)} is not a list of prefixes`, hint);
  return (list ?? []).flatMap((item) => {
    const parsed = parseCidr(item);
    if (parsed.ok) return parsed.cidr;
    context.error("RAMPART_E_CIDR", path, `${describe(item)} is not an IP prefix`, hint);
    return [];
  });
}

function parsedList(text: string): string[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

function readNamedPorts(spec: PodSpec, context: ResourceContext): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const field of ["containers", "initContainers"] as const) {
    for (const [index, container] of (spec?.[field] ?? []).entries()) {
      // An init container that is restarted always is a sidecar and serves beside the others.
      if (field === "initContainers" && container.restartPolicy !== "Always") continue;
      for (const [portIndex, { name, protocol, containerPort }] of container.ports.entries()) {
        if (name === undefined || name === null || name === "") continue;
        const path = ["spec", field, index, "ports", portIndex];
        const port = readEndpointPort(name, protocol ?? "TCP", containerPort, path, context, "containerPort");
        if (port !== undefined) ports.push(port);
      }
    }
  }
  return ports;
}
