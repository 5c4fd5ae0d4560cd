/**
 * The network an article speaks of: its node, its pods and some machines on
 * the node's LAN, with the author's names and addresses wherever the article
 * gives them, so that its policies need no change. A machine's way to pods and
 * to other machines leads over the node. Everything answers on every port of
 * the plan, so silence means that a packet was dropped.
 */
import type { Host } from "../../../src/sandbox/host.ts";
import { podInterfaceName } from "../../../src/resources/interface-name.ts";
import { createPods } from "../../../src/sandbox/pods.ts";
import { tcpEchoServer, udpEchoServer } from "../../../src/sandbox/probe.ts";
import { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { expectPaths, FAMILIES } from "./expect-path.ts";
import type { Family, Outcomes, Places } from "./expect-path.ts";
import { namespace, pod } from "./pod-documents.ts";
import { PolicyFile } from "./policy-file.ts";

type Labels = Readonly<Record<string, string>>;

export interface Addresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

interface SeedNode extends Addresses {
  /** As HostEndpoints and pods know it. */
  readonly name: string;
  readonly interfaceName: string;
}

export interface SeedPod extends Addresses {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Labels;
}

export interface SeedLabPlan {
  readonly node: SeedNode;
  /** By the name that paths call them by. */
  readonly pods: Readonly<Record<string, SeedPod>>;
  /** Likewise; the node's default route leads to the first. */
  readonly machines: Readonly<Record<string, Addresses>>;
  /** Likewise, but no machine has them: the node's NAT table is to know them. */
  readonly services?: Readonly<Record<string, Addresses>>;
  readonly tcpPorts: readonly number[];
  readonly udpPorts?: readonly number[];
  /** Of the daemon. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

interface Inventory {
  /** Of namespaces, by name. */
  readonly labels?: Readonly<Record<string, Labels>>;
  /** Namespaces and pods (by path name) that the article itself describes. */
  readonly withoutNamespaces?: readonly string[];
  readonly withoutPods?: readonly string[];
}

export class SeedLab implements Places {
  readonly node: Host;
  readonly file: PolicyFile;
  /** Of a path that names no port. */
  readonly port: number;
  readonly #plan: SeedLabPlan;
  readonly #sandbox: Sandbox;
  readonly #hosts: ReadonlyMap<string, Host>;
  /** Every path that was asked for. */
  readonly asked = new Set<string>();

  private constructor(plan: SeedLabPlan, sandbox: Sandbox, hosts: ReadonlyMap<string, Host>, file: PolicyFile) {
    this.#plan = plan;
    this.#sandbox = sandbox;
    this.#hosts = hosts;
    this.node = hosts.get("node") as Host;
    this.file = file;
    this.port = plan.tcpPorts[0] ?? 0;
  }

  static async create(plan: SeedLabPlan): Promise<SeedLab> {
    const sandbox = await Sandbox.create();
    try {
      const node = await sandbox.host("node");
      const hosts = new Map([["node", node], ...(await connectMachines(sandbox, node, plan))]);
      const { tcpPorts, udpPorts = [] } = plan;
      for (const host of hosts.values()) {
        for (const port of tcpPorts) await tcpEchoServer(host, port);
        for (const port of udpPorts) await udpEchoServer(host, port);
      }
      const specs = Object.values(plan.pods).map(({ namespace: home, name, ipv4, ipv6 }) => ({
        namespace: home,
        name,
        addresses: [ipv4, ipv6],
        interfaceName: podInterfaceName("cali", home, name),
        tcpPorts,
        udpPorts,
      }));
      const pods = await createPods(sandbox, node, specs);
      for (const [place, { namespace: home, name }] of Object.entries(plan.pods)) {
        hosts.set(place, pods.get(`${home}/${name}`)?.host as Host);
      }
      const settings = { node: plan.node.name, ...plan.settings };
      return new SeedLab(plan, sandbox, hosts, await PolicyFile.start(node, settings));
    } catch (error) {
      await sandbox.destroy();
      throw error;
    }
  }

  /** The pods, and the namespaces they live in, as documents. */
  inventory({ labels = {}, withoutNamespaces = [], withoutPods = [] }: Inventory = {}): string {
    const { node, pods } = this.#plan;
    const homes = new Set(Object.values(pods).map((each) => each.namespace));
    const namespaces = [...homes].filter((name) => !withoutNamespaces.includes(name));
    const described = Object.entries(pods).filter(([place]) => !withoutPods.includes(place));
    return [
      ...namespaces.map((name) => namespace(name, labels[name])),
      ...described.map(([, { ipv4, ipv6, ...rest }]) => {
        return pod({ ...rest, addresses: [ipv4, ipv6], node: node.name });
      }),
    ].join("");
  }

  /** Resolves when these documents, and no others, are in force. */
  enforce(...documents: readonly string[]): Promise<void> {
    return this.file.enforce(...documents);
  }

  host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`there is no place ${name}`);
    return host;
  }

  address(name: string, family: Family): string {
    const { node, pods, machines, services = {} } = this.#plan;
    const place = name === "node" ? node : (pods[name] ?? machines[name] ?? services[name]);
    if (place === undefined) throw new Error(`there is no place ${name}`);
    return family === 4 ? place.ipv4 : place.ipv6;
  }

  /** Sends what comes in for a TCP port of one place to a port of another. */
  async dnat(service: string, port: number, to: string, target: number): Promise<void> {
    for (const family of FAMILIES) {
      const iptables = family === 4 ? "iptables" : "ip6tables";
      const address = this.address(to, family);
      const match = ["-d", this.address(service, family), "-p", "tcp", "--dport", String(port)];
      const destination = ["-j", "DNAT", "--to-destination", `${family === 4 ? address : `[${address}]`}:${target}`];
      await this.node.run([iptables, "-t", "nat", "-A", "PREROUTING", ...match, ...destination], { check: true });
    }
  }

  async destroy(): Promise<void> {
    try {
      await this.file.rampart.stop();
    } finally {
      await this.#sandbox.destroy();
    }
  }
}

/** As `expectPaths`, over both families unless told. */
export function expectOutcomes(lab: SeedLab, outcomes: Outcomes, families?: readonly Family[]): Promise<void> {
  for (const path of Object.keys(outcomes)) lab.asked.add(path);
  return expectPaths(lab, outcomes, families);
}

/** Every path asked for so far passes once no policy is left: it was the policies that dropped, not the lab. */
export async function expectAllOpenWithoutPolicy(lab: SeedLab): Promise<void> {
  await lab.enforce(lab.inventory());
  await expectPaths(lab, Object.fromEntries([...lab.asked].map((path) => [path, "pass"])));
}

/** A bridge joins the node's interface with the machines; none of them knows a subnet, so all routes are the node's. */
async function connectMachines(sandbox: Sandbox, node: Host, plan: SeedLabPlan): Promise<[string, Host][]> {
  const lan = await sandbox.host("lan");
  await lan.run(["sh", "-ec", "ip link add bridge type bridge && ip link set bridge up"], { check: true });
  const plug = async (host: Host, interfaceName: string, number: number): Promise<void> => {
    const port = `port${number}`;
    await sandbox.link(lan, host, { addresses: [[], []], interfaces: [port, interfaceName] });
    await lan.run(["ip", "link", "set", port, "master", "bridge"], { check: true });
  };
  const { interfaceName } = plan.node;
  await plug(node, interfaceName, 0);
  const nodeSide = ownAddresses(plan.node, interfaceName);
  const hosts: [string, Host][] = [];
  for (const [name, machine] of Object.entries(plan.machines)) {
    const host = await sandbox.host(name.toLowerCase());
    await plug(host, "eth0", hosts.length + 1);
    const way = [...ownAddresses(machine, "eth0"), ...routes(plan.node, "eth0"), ...defaultRoutes(plan.node)];
    await host.run(["sh", "-ec", way.join("\n")], { check: true });
    nodeSide.push(...routes(machine, interfaceName), ...(hosts.length === 0 ? defaultRoutes(machine) : []));
    hosts.push([name, host]);
  }
  await node.run(["sh", "-ec", nodeSide.join("\n")], { check: true });
  return hosts;
}

function ownAddresses({ ipv4, ipv6 }: Addresses, interfaceName: string): string[] {
  return [
    `ip address add ${ipv4}/32 dev ${interfaceName}`,
    `ip address add ${ipv6}/128 dev ${interfaceName} nodad`,
  ];
}

function routes({ ipv4, ipv6 }: Addresses, interfaceName: string): string[] {
  return [`ip route add ${ipv4}/32 dev ${interfaceName}`, `ip -6 route add ${ipv6}/128 dev ${interfaceName}`];
}

function defaultRoutes({ ipv4, ipv6 }: Addresses): string[] {
  return [`ip route add default via ${ipv4}`, `ip -6 route add default via ${ipv6}`];
}
