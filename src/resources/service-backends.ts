/**
 * Which addresses and ports stand behind a Service (SEMANTICS 1.4). The
 * EndpointSlices of the Service say so, ready endpoints only; where there are
 * none, as with files written by hand, the Service's selector over the pods of
 * its namespace does, pods that are not ready left out too. A service without
 * backends matches nothing, so a rule that names one nobody knows is warned
 * about: services come and go.
 */
import type { Address } from "../address/address.ts";
import { formatAddress } from "../address/address.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { EndpointSlice, Pod, Service, ServicePort } from "./inventory.ts";
import type { ServiceReference } from "./service-reference.ts";
import type { Labels, ServiceBackend } from "./types.ts";

/** As the source of a rule a backend is its address alone. */
const ANY_PORT = { protocol: 0, port: 0 };

interface Backends {
  /** Why there are no backends to look for. */
  readonly missing: string | undefined;
  readonly destination: readonly ServiceBackend[];
  readonly source: readonly ServiceBackend[];
  /** Why the list is not the whole truth. */
  readonly unknowable: string | undefined;
}

export class ServiceBackends {
  private readonly slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  private readonly services: ReadonlyMap<string, Service>;
  private readonly pods: ReadonlyMap<string, readonly Pod[]>;
  private readonly diagnostics: Diagnostics;
  private readonly found = new Map<string, Backends>();

  constructor(
    slices: readonly EndpointSlice[],
    services: readonly Service[],
    pods: readonly Pod[],
    diagnostics: Diagnostics,
  ) {
    const named = slices.filter((slice) => slice.service !== undefined && slice.service !== "");
    this.slices = groupBy(named, (slice) => `${slice.namespace}/${slice.service}`);
    this.services = new Map(services.map((service) => [`${service.namespace}/${service.name}`, service]));
    this.pods = groupBy(pods, (pod) => pod.namespace);
    this.diagnostics = diagnostics;
  }

  /** A service that is not known, or not wholly, is reported at the rule that names it. */
  find(reference: ServiceReference, side: "source" | "destination"): readonly ServiceBackend[] {
    const name = `${reference.namespace}/${reference.name}`;
    let backends = this.found.get(name);
    if (backends === undefined) {
      backends = this.resolve(name);
      this.found.set(name, backends);
    }
    if (backends.missing !== undefined) {
      const message = `${backends.missing}, so that the rule matches nothing`;
      this.diagnostics.warn("RAMPART_W_SERVICE_MISSING", message, reference.location);
    }
    if (backends.unknowable !== undefined) {
      const hint = "write the addresses or a selector into the rule instead";
      this.diagnostics.error("RAMPART_E_FEATURE", `Service ${name} ${backends.unknowable}`, reference.location, hint);
    }
    return backends[side];
  }

  private resolve(name: string): Backends {
    const slices = this.slices.get(name);
    if (slices !== undefined) return fromSlices(slices);
    const service = this.services.get(name);
    if (service === undefined) return noBackends(`there is neither a Service ${name} nor an EndpointSlice of it`);
    if (service.selector === undefined) return noBackends(`Service ${name} has neither selector nor EndpointSlice`);
    return fromSelector(service, service.selector, this.pods.get(service.namespace) ?? []);
  }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

function noBackends(missing: string): Backends {
  return { missing, destination: [], source: [], unknowable: undefined };
}

function fromSlices(slices: readonly EndpointSlice[]): Backends {
  const list = new BackendList();
  let unknowable: string | undefined;
  for (const slice of slices) {
    if (slice.namesOnly) unknowable = "has backends that are DNS names, whose addresses are not known";
    if (slice.ports.some(({ port }) => port === undefined)) unknowable = "has an EndpointSlice port without a number";
    for (const address of slice.addresses) {
      list.addAddress(address);
      for (const { protocol, port } of slice.ports) {
        if (port !== undefined) list.addPort(address, protocol, port);
      }
    }
  }
  return { missing: undefined, ...list.backends, unknowable };
}

function fromSelector(service: Service, selector: Labels, pods: readonly Pod[]): Backends {
  const list = new BackendList();
  for (const pod of pods) {
    if (pod.finished || !hasLabels(pod.labels, selector)) continue;
    if (!pod.ready && !service.publishNotReadyAddresses) continue;
    for (const address of pod.addresses) {
      if (service.families.length > 0 && !service.families.includes(address.family)) continue;
      list.addAddress(address);
      for (const { protocol, target } of service.ports) {
        const port = targetPort(pod, protocol, target);
        if (port !== undefined) list.addPort(address, protocol, port);
      }
    }
  }
  return { missing: undefined, ...list.backends, unknowable: undefined };
}

function hasLabels(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

/** A pod without a port of the name is no backend for that port. */
function targetPort(pod: Pod, protocol: number, target: ServicePort["target"]): number | undefined {
  if (typeof target === "number") return target;
  return pod.ports.find((port) => port.name === target && port.protocol === protocol)?.port;
}

/** Each backend once, in the order of the documents. */
class BackendList {
  private readonly addresses = new Map<string, ServiceBackend>();
  private readonly ports = new Map<string, ServiceBackend>();

  addAddress(address: Address): void {
    this.addresses.set(formatAddress(address), { address, ...ANY_PORT });
  }

  addPort(address: Address, protocol: number, port: number): void {
    this.ports.set(`${formatAddress(address)} ${protocol} ${port}`, { address, protocol, port });
  }

  get backends(): Pick<Backends, "source" | "destination"> {
    return { source: [...this.addresses.values()], destination: [...this.ports.values()] };
  }
}
