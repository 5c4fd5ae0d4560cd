/**
 * The topology that scenarios are told in: hosts h0 and h1 joined on eth0, pods
 * behind them, and a client `ext` that is neither. A probe walks every hook of
 * every host on its way; replies follow their connection and are not walked.
 */
import { chooseEndpoints } from "../../src/policy/endpoint-choice.ts";
import type { Interface } from "../../src/policy/endpoint-choice.ts";
import { walkPacket } from "../../src/policy/journey.ts";
import type { Journey, Walk } from "../../src/policy/journey.ts";
import type { HostEndpoint, Policy, ResourceSet, WorkloadEndpoint } from "../../src/resources/types.ts";
import { address, hostEndpoint, packet, port, resourceSet, workloadEndpoint } from "./build.ts";
import type { PacketOptions, SetOptions } from "./build.ts";

interface Place {
  readonly ip: string;
  /** undefined: outside. */
  readonly node: string | undefined;
  /** Its veth on the host; undefined: the host itself. */
  readonly veth: string | undefined;
}

const PLACES = {
  h0: { ip: "192.0.2.10", node: "h0", veth: undefined },
  h1: { ip: "192.0.2.11", node: "h1", veth: undefined },
  /** Pods of h0. */
  w0: { ip: "10.65.0.2", node: "h0", veth: "cali0" },
  w2: { ip: "10.65.0.4", node: "h0", veth: "cali2" },
  w3: { ip: "10.65.0.5", node: "h0", veth: "cali3" },
  /** Pod of h1. */
  w1: { ip: "10.65.1.2", node: "h1", veth: "cali1" },
  ext: { ip: "198.51.100.9", node: undefined, veth: undefined },
} as const satisfies Readonly<Record<string, Place>>;

export type PlaceName = keyof typeof PLACES;

export function addressOf(name: PlaceName): string {
  return PLACES[name].ip;
}

/** The pods, each with the labels `name` and `pod`. */
export function pods(
  ports: Readonly<Partial<Record<PlaceName, readonly [string, number][]>>> = {},
): WorkloadEndpoint[] {
  return (["w0", "w1", "w2", "w3"] as const).map((name) =>
    workloadEndpoint({
      name,
      node: PLACES[name].node,
      interfaceName: PLACES[name].veth,
      addresses: [PLACES[name].ip],
      labels: { name, pod: "true" },
      ports: (ports[name] ?? []).map(([portName, number]) => port(portName, number)),
    }),
  );
}

/** A HostEndpoint of each host; null: by its expectedIPs only. */
export function hosts(
  interfaceName: string | null,
  options: { readonly profiles?: readonly string[] } = {},
): HostEndpoint[] {
  return (["h0", "h1"] as const).map((name) =>
    hostEndpoint({
      ...options,
      name: `${name}-ep`,
      node: name,
      interfaceName,
      expectedIPs: [PLACES[name].ip],
      labels: { "host-endpoint": "true", host: name },
    }),
  );
}

export interface Probe extends Omit<PacketOptions, "from" | "to"> {
  /** What the sender asks for, where a host on the way translates it to the destination. */
  readonly vip?: { readonly to: string; readonly port?: number };
  /** The interface between the hosts, if not eth0. */
  readonly link?: string;
}

export interface Network {
  /** The walks over each host in order; the last one may have denied it. */
  readonly walks: (from: PlaceName, to: PlaceName, probe?: Probe) => readonly Walk[];
  /** Does no host on the way deny it? */
  readonly reaches: (from: PlaceName, to: PlaceName, probe?: Probe) => boolean;
}

type Row = readonly [from: PlaceName, to: PlaceName, probe: Probe, reaches: boolean];

/** The rows that are not as they say. */
export function mistakes(net: Network, rows: readonly Row[]): readonly Row[] {
  return rows.filter(([from, to, probe, reaches]) => net.reaches(from, to, probe) !== reaches);
}

/** TCP to port 8055 unless the probe says otherwise. */
export function network(options: SetOptions & { readonly policies?: readonly Policy[] }): Network {
  const set = resourceSet({ workloadEndpoints: pods(), ...options });
  const walks: Network["walks"] = (from, to, probe = {}) => {
    const done: Walk[] = [];
    for (const { node, ...journey } of legs(from, to, probe)) {
      const walk = walkPacket(set, node, chooseFor(set, node, probe.link ?? "eth0"), journey);
      done.push(walk);
      if (walk.verdict === "deny") break;
    }
    return done;
  };
  return { walks, reaches: (from, to, probe) => walks(from, to, probe).every(({ verdict }) => verdict !== "deny") };
}

function chooseFor(set: ResourceSet, node: string, link: string): ReturnType<typeof chooseEndpoints> {
  const eth0 = { name: "eth0", addresses: [address(PLACES[node as "h0" | "h1"].ip)] };
  const interfaces: Interface[] = link === "eth0" ? [eth0] : [eth0, { name: link, addresses: [] }];
  return chooseEndpoints(set, node, interfaces);
}

/** The first host on the way translates; the second one sees the packet as it is after that. */
function legs(from: PlaceName, to: PlaceName, probe: Probe): (Journey & { readonly node: string })[] {
  const { vip, link = "eth0", ...facts } = probe;
  const source: Place = PLACES[from];
  const destination: Place = PLACES[to];
  const arrives = packet({ port: 8055, ...facts, from: source.ip, to: destination.ip });
  const asked = vip && packet({ port: 8055, ...facts, ...vip, from: source.ip });
  const first = asked === undefined ? { packet: arrives } : { packet: asked, translated: arrives };
  const received =
    destination.node === undefined || destination.node === source.node
      ? []
      : [{ node: destination.node, inInterface: link, outInterface: destination.veth }];
  if (source.node === undefined) return received.map((leg) => ({ ...leg, ...first }));
  const sent = { node: source.node, ...first, ...departure(source, destination, link) };
  return [sent, ...received.map((leg) => ({ ...leg, packet: arrives }))];
}

type Way = { inInterface: string; outInterface: string | undefined } | { inInterface: undefined; outInterface: string };

function departure(source: Place, destination: Place, link: string): Way {
  const isLocal = source.node === destination.node;
  if (source.veth !== undefined) {
    return { inInterface: source.veth, outInterface: isLocal ? destination.veth : link };
  }
  return { inInterface: undefined, outInterface: isLocal ? (destination.veth ?? "lo") : link };
}
