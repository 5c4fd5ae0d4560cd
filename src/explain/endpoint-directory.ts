/**
 * What a user may write as one end of a connection, and what it stands for:
 *
 *   namespace/pod          a WorkloadEndpoint
 *   name                   a HostEndpoint
 *   192.0.2.1              an address; the endpoint that has it, if any
 *   namespace/pod@ADDRESS  that endpoint, sending from or reached at ADDRESS
 *   name@ADDRESS
 */
import type { Address, Family } from "../address/address.ts";
import { formatAddress, parseAddress } from "../address/address.ts";
import { nearest } from "../config/nearest.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { Endpoint, HostEndpoint, ResourceSet } from "../resources/types.ts";

/** Beyond this many endpoints a guess at a mistyped name costs more time than it saves. */
const NAMES_COMPARED = 1000;

export interface ConnectionEnd {
  /** As the user wrote it. */
  readonly text: string;
  /** undefined: an address that no endpoint has. */
  readonly endpoint: Endpoint | undefined;
  /** The first one of each family. */
  readonly addresses: Readonly<Partial<Record<Family, Address>>>;
}

/** The name by which users know an endpoint: `namespace/name`, or a HostEndpoint's name. */
export function endpointName(endpoint: Endpoint): string {
  return endpoint.kind === "WorkloadEndpoint" ? `${endpoint.namespace}/${endpoint.name}` : endpoint.name;
}

export class EndpointDirectory {
  readonly #byName = new Map<string, Endpoint>();
  readonly #byAddress: Readonly<Record<Family, Map<bigint, Endpoint[]>>> = { 4: new Map(), 6: new Map() };

  constructor(set: ResourceSet) {
    for (const endpoint of [...set.workloadEndpoints, ...set.hostEndpoints]) {
      this.#byName.set(endpointName(endpoint), endpoint);
      for (const { family, value } of addressesOf(endpoint)) {
        const owners = this.#byAddress[family].get(value);
        if (owners === undefined) this.#byAddress[family].set(value, [endpoint]);
        else if (!owners.includes(endpoint)) owners.push(endpoint);
      }
    }
  }

  /** @throws RampartError RAMPART_E_END_UNKNOWN, RAMPART_E_END_ADDRESS or RAMPART_E_END_AMBIGUOUS */
  resolve(text: string): ConnectionEnd {
    const at = text.indexOf("@");
    if (at >= 0) {
      const address = parseAddress(text.slice(at + 1)) ?? refuseAddress(text, text.slice(at + 1));
      return { text, endpoint: this.#named(text.slice(0, at)), addresses: { [address.family]: address } };
    }
    const address = parseAddress(text);
    if (address !== undefined) {
      return { text, endpoint: this.#owner(address), addresses: { [address.family]: address } };
    }
    const endpoint = this.#named(text);
    const addresses: Partial<Record<Family, Address>> = {};
    for (const each of addressesOf(endpoint)) addresses[each.family] ??= each;
    return { text, endpoint, addresses };
  }

  #named(name: string): Endpoint {
    const endpoint = this.#byName.get(name);
    if (endpoint !== undefined) return endpoint;
    const what = name.includes("/") ? "pod or WorkloadEndpoint" : "HostEndpoint";
    const guess = this.#byName.size <= NAMES_COMPARED ? nearest(name, [...this.#byName.keys()]) : undefined;
    throw new RampartError("RAMPART_E_END_UNKNOWN", `there is no ${what} ${JSON.stringify(name)} with an address`, {
      hint:
        guess === undefined
          ? "write namespace/pod, the name of a HostEndpoint, or an address; a pod must be in the files, not on the " +
            "host's network and not finished"
          : `did you mean ${guess}?`,
    });
  }

  /**
   * Of the HostEndpoints of one node that claim the address the one that would govern its interface: a specific one
   * before the wildcard, then the smallest name (SEMANTICS 3.3).
   */
  #owner(address: Address): Endpoint | undefined {
    const owners = this.#byAddress[address.family].get(address.value) ?? [];
    const [first] = owners;
    if (owners.length <= 1) return first;
    const hosts = owners.filter((owner) => owner.kind === "HostEndpoint");
    if (hosts.length === owners.length && hosts.every(({ node }) => node === first.node)) {
      return hosts.toSorted(byPrecedence)[0];
    }
    throw new RampartError("RAMPART_E_END_AMBIGUOUS", `${formatAddress(address)} belongs to several endpoints`, {
      hint: `name the one you mean: ${owners.slice(0, 5).map(endpointName).join(", ")}`,
    });
  }
}

function addressesOf(endpoint: Endpoint): readonly Address[] {
  return endpoint.kind === "WorkloadEndpoint" ? endpoint.addresses : endpoint.expectedIPs;
}

function byPrecedence(a: HostEndpoint, b: HostEndpoint): number {
  return Number(a.interfaceName === "*") - Number(b.interfaceName === "*") || (a.name < b.name ? -1 : 1);
}

function refuseAddress(text: string, part: string): never {
  throw new RampartError("RAMPART_E_END_ADDRESS", `${JSON.stringify(part)} in ${JSON.stringify(text)} is no address`, {
    hint: "write one IPv4 or IPv6 address after the @, without a prefix length",
  });
}
