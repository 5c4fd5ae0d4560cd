/** Documents of the inventory, in flow style, and what a load makes of them. */
import { expect } from "vitest";
import { formatAddress } from "../../src/address/address.ts";
import type { ResourceSet, WorkloadEndpoint } from "../../src/resources/types.ts";
import { loadText } from "./temporary-folder.ts";

/** A document of any kind; `body` is its further fields, a line each. */
export function document(apiVersion: string, kind: string, metadata: string, body = ""): string {
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: ${metadata}\n${body}${body === "" ? "" : "\n"}`;
}

export function namespace(name: string, labels = "{}"): string {
  return document("v1", "Namespace", `{ name: ${name}, labels: ${labels} }`);
}

export function serviceAccount(name: string, labels = "{}"): string {
  return document("v1", "ServiceAccount", `{ name: ${name}, labels: ${labels} }`);
}

export function pod(metadata: string, spec = "{ nodeName: n1 }", status = "{}"): string {
  return document("v1", "Pod", metadata, `spec: ${spec}\nstatus: ${status}`);
}

export function service(metadata: string, spec: string): string {
  return document("v1", "Service", metadata, `spec: ${spec}`);
}

/** `ports` and `endpoints` as flow lists. */
export function slice(name: string, of: string, endpoints: string, ports: string, addressType = "IPv4"): string {
  const metadata = `{ name: ${name}, labels: { kubernetes.io/service-name: ${of} } }`;
  const body = `addressType: ${addressType}\nendpoints: ${endpoints}\nports: ${ports}`;
  return document("discovery.k8s.io/v1", "EndpointSlice", metadata, body);
}

export function calico(kind: string, metadata: string, spec: string): string {
  return document("projectcalico.org/v3", kind, metadata, `spec: ${spec}`);
}

export interface Loaded {
  readonly resources: ResourceSet;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Loads the documents as one file. */
export function load(...documents: readonly string[]): Loaded {
  const { resources, errors, warnings } = loadText(documents.join("---\n"));
  return {
    resources,
    errors: errors.map((error) => error.code),
    warnings: warnings.map((warning) => warning.code),
  };
}

/** Loads documents that are in order. */
export function loadGood(...documents: readonly string[]): ResourceSet {
  const { resources, errors } = loadText(documents.join("---\n"));
  expect(errors.map((error) => error.message)).toEqual([]);
  return resources;
}

export function endpointNamed(resources: ResourceSet, name: string): WorkloadEndpoint {
  const found = resources.workloadEndpoints.find((endpoint) => endpoint.name === name);
  if (found === undefined) throw new Error(`no workload endpoint ${name}`);
  return found;
}

export function addressesOf(endpoint: WorkloadEndpoint): string[] {
  return endpoint.addresses.map(formatAddress);
}
