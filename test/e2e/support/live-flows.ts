/**
 * Flows of every kind past one host: into it, out of it and through it both
 * ways, over TCP, UDP, SCTP and ICMP and both families, by its first uplink
 * ("near") and its second one ("far"), and TCP and UDP through it by DNAT;
 * and of each kind one on which the client is the next to speak, and one on
 * which the server is.
 *
 *   outside eth0 -- eth0 router eth2 -- eth0 inside
 *   outside eth1 -- eth1 router
 */
import type { Host } from "../../../src/sandbox/host.ts";
import {
  type Conversation,
  openTcp,
  openUdp,
  type Server,
  tcpEchoServer,
  udpEchoServer,
} from "../../../src/sandbox/probe.ts";
import { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { RawFlow, RawPeer } from "./raw-flows.ts";

const UPLINKS = ["near", "far"] as const;
type Uplink = (typeof UPLINKS)[number];
const SPEAKERS = ["client", "server"] as const;
const FAMILIES = [4, 6] as const;
const PATIENCE_MS = 4000;
/** Servers by who speaks next to their clients: a server speaks to all of them at once. */
const PORTS = { client: 7001, server: 7002 } as const;
/** The router's port, of which the inside host's is translated. */
const TRANSLATED_PORTS = { client: 7101, server: 7102 } as const;

function address(family: 4 | 6, net: number, host: number): string {
  return family === 4 ? `10.${net}.0.${host}` : `fd${net}::${host}`;
}

function addresses(net: number, ...hosts: readonly number[]): string[] {
  return FAMILIES.flatMap((family) => hosts.map((host) => `${address(family, net, host)}/${family === 4 ? 24 : 64}`));
}

const NETS: Readonly<Record<Uplink, number>> = { near: 81, far: 83 };
const INSIDE_NET = 82;
/** The inside host's address that leads over the uplink. */
const INSIDE_HOST: Readonly<Record<Uplink, number>> = { near: 2, far: 3 };

/** The outside host's addresses at an uplink, as nets. */
export function outsideNets(uplink: Uplink): string[] {
  return FAMILIES.map((family) => `${address(family, NETS[uplink], 2)}/${family === 4 ? 32 : 128}`);
}

/** The inside host's addresses, as nets. */
export const INSIDE = FAMILIES.map((family) => `${address(family, INSIDE_NET, 2)}/${family === 4 ? 31 : 127}`);

export interface LiveFlow {
  readonly what: string;
  readonly uplink: Uplink;
  /** Who is next says the number; whether the client heard it. */
  next(number: number, timeoutMs: number): Promise<boolean>;
  close(): Promise<void>;
}

export class LiveFlowLab {
  readonly router: Host;
  readonly #sandbox: Sandbox;
  readonly #hosts: Readonly<Record<"outside" | "router" | "inside", Host>>;
  readonly #raw = new Map<Host, RawPeer>();
  readonly #servers: Server[] = [];

  private constructor(sandbox: Sandbox, outside: Host, router: Host, inside: Host) {
    this.#sandbox = sandbox;
    this.router = router;
    this.#hosts = { outside, router, inside };
  }

  static async create(): Promise<LiveFlowLab> {
    const sandbox = await Sandbox.create();
    const outside = await sandbox.host("outside");
    const router = await sandbox.host("router");
    const inside = await sandbox.host("inside");
    const lab = new LiveFlowLab(sandbox, outside, router, inside);
    for (const uplink of UPLINKS) {
      await sandbox.link(router, outside, { addresses: [addresses(NETS[uplink], 1), addresses(NETS[uplink], 2)] });
    }
    await sandbox.link(router, inside, { addresses: [addresses(INSIDE_NET, 1), addresses(INSIDE_NET, 2, 3)] });
    await router.enableForwarding();
    for (const family of FAMILIES) {
      for (const uplink of UPLINKS) {
        const own = address(family, INSIDE_NET, INSIDE_HOST[uplink]);
        await outside.route(own, address(family, NETS[uplink], 1));
        // Spoken to from there, the outside host answers by the same uplink.
        const way = ["via", address(family, INSIDE_NET, 1), "src", own];
        const route = [`-${family}`, "route", "add", address(family, NETS[uplink], 2), ...way];
        await inside.run(["ip", ...route], { check: true });
      }
    }
    await translate(router);
    for (const host of [outside, router, inside]) {
      lab.#raw.set(host, await RawPeer.start(host));
      await tcpEchoServer(host, PORTS.client);
      await udpEchoServer(host, PORTS.client);
      lab.#servers.push(await tcpEchoServer(host, PORTS.server), await udpEchoServer(host, PORTS.server));
    }
    return lab;
  }

  destroy(): Promise<void> {
    return this.#sandbox.destroy();
  }

  /** Opens a flow of every kind; throws when one cannot be. */
  open(): Promise<LiveFlow[]> {
    const opening: Promise<LiveFlow>[] = [];
    for (const uplink of UPLINKS) {
      for (const family of FAMILIES) {
        const outside = { host: this.#hosts.outside, address: address(family, NETS[uplink], 2) };
        const router = { host: this.#hosts.router, address: address(family, NETS[uplink], 1) };
        const inside = { host: this.#hosts.inside, address: address(family, INSIDE_NET, INSIDE_HOST[uplink]) };
        for (const [way, client, server] of [
          ["in", outside, router],
          ["out", router, outside],
          ["through, inwards", outside, inside],
          ["through, outwards", inside, outside],
        ] as const) {
          for (const speaker of SPEAKERS) {
            const what = `${way} over IPv${family} by the ${uplink} uplink, ${speaker} next`;
            for (const protocol of ["TCP", "UDP"] as const) {
              const to = { address: server.address, port: PORTS[speaker] };
              opening.push(this.#openLines(`${protocol} ${what}`, uplink, protocol, client.host, to, speaker));
            }
            for (const protocol of ["SCTP", "ICMP"] as const) {
              opening.push(this.#openRaw(`${protocol} ${what}`, uplink, protocol, client, server, speaker));
            }
          }
        }
        for (const speaker of SPEAKERS) {
          for (const protocol of ["TCP", "UDP"] as const) {
            const what = `${protocol} through, translated, over IPv${family} by the ${uplink} uplink, ${speaker} next`;
            const to = { address: router.address, port: TRANSLATED_PORTS[speaker] };
            opening.push(this.#openLines(what, uplink, protocol, outside.host, to, speaker));
          }
        }
      }
    }
    return Promise.all(opening);
  }

  /** Whoever is next says the number, on all flows at once; those that were heard. */
  async heard(
    flows: readonly LiveFlow[],
    number: number,
    timeoutMs: (flow: LiveFlow) => number,
  ): Promise<LiveFlow[]> {
    for (const server of this.#servers) await server.speak(String(number));
    const heard = await Promise.all(flows.map((flow) => flow.next(number, timeoutMs(flow))));
    return flows.filter((_, index) => heard[index] === true);
  }

  async #openLines(
    what: string,
    uplink: Uplink,
    protocol: "TCP" | "UDP",
    from: Host,
    to: { address: string; port: number },
    speaker: (typeof SPEAKERS)[number],
  ): Promise<LiveFlow> {
    const conversation: Conversation = await (protocol === "TCP" ? openTcp : openUdp)(from, to.address, to.port);
    const { line } = await conversation.exchange("open", PATIENCE_MS);
    if (line !== "open") throw new Error(`${what} was not answered`);
    return {
      what,
      uplink,
      next: async (number, timeoutMs) => {
        const text = String(number);
        // A server has spoken to all of its clients at once.
        const { line: heard } =
          speaker === "client" ? await conversation.exchange(text, timeoutMs) : await conversation.listen(timeoutMs);
        return heard === text;
      },
      close: () => conversation.close(),
    };
  }

  async #openRaw(
    what: string,
    uplink: Uplink,
    protocol: "SCTP" | "ICMP",
    client: { host: Host; address: string },
    server: { host: Host; address: string },
    speaker: (typeof SPEAKERS)[number],
  ): Promise<LiveFlow> {
    const peers = { client: this.#raw.get(client.host)!, server: this.#raw.get(server.host)! };
    // The server answers to the address that the client speaks from.
    const clientAddress = await this.#sourceOf(client.host, server.address);
    const flow = new RawFlow(protocol, { ...peers, clientAddress, serverAddress: server.address });
    if (!(await flow.open(PATIENCE_MS))) throw new Error(`${what} was not answered`);
    const next = (number: number, timeoutMs: number): Promise<boolean> => flow.say(speaker, number, timeoutMs);
    return { what, uplink, next, close: async () => undefined };
  }

  readonly #sources = new Map<string, Promise<string>>();

  #sourceOf(host: Host, to: string): Promise<string> {
    const key = `${host.name} ${to}`;
    const known = this.#sources.get(key) ?? routeSource(host, to);
    this.#sources.set(key, known);
    return known;
  }
}

/** What comes to the router's translated ports goes to the inside host. */
async function translate(router: Host): Promise<void> {
  for (const family of FAMILIES) {
    const nat = async (...rule: readonly string[]): Promise<void> => {
      await router.run([family === 4 ? "iptables" : "ip6tables", "-t", "nat", "-A", ...rule], { check: true });
    };
    for (const uplink of UPLINKS) {
      const [own, inside] = [address(family, NETS[uplink], 1), address(family, INSIDE_NET, INSIDE_HOST[uplink])];
      for (const protocol of ["tcp", "udp"]) {
        for (const speaker of SPEAKERS) {
          const to = `${family === 4 ? inside : `[${inside}]`}:${PORTS[speaker]}`;
          const match = ["-d", own, "-p", protocol, "--dport", String(TRANSLATED_PORTS[speaker])];
          await nat("PREROUTING", ...match, "-j", "DNAT", "--to-destination", to);
        }
      }
    }
  }
}

async function routeSource(host: Host, to: string): Promise<string> {
  const { stdout } = await host.run(["ip", "route", "get", to], { check: true });
  const source = / src (\S+)/.exec(stdout)?.[1];
  if (source === undefined) throw new Error(`${host.name} has no route to ${to}`);
  return source;
}
