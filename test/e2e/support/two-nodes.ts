/**
 * Two nodes with a pod each and a daemon each: pod w0 on node h0, w1 on h1,
 * the nodes joined by their eth0. Both daemons read the same documents, as
 * they would from one cluster. h0 also has an unprotected machine ("client")
 * behind its eth1.
 */
import { podInterfaceName } from "../../../src/resources/interface-name.ts";
import { createPods } from "../../../src/sandbox/pods.ts";
import type { Host } from "../../../src/sandbox/host.ts";
import { FAMILIES } from "./expect-path.ts";
import type { Family, Places } from "./expect-path.ts";
import { namespace, nodeEndpoint, pod } from "./pod-documents.ts";
import { EXT_ADDRESS, NODE, NODE_ADDRESS, PodLab } from "./pod-lab.ts";
import { PolicyFile } from "./policy-file.ts";

const W0 = { namespace: "default", name: "w0", ipv4: "10.65.0.1", ipv6: "fd65::1" };
const W1 = { namespace: "default", name: "w1", ipv4: "10.65.0.2", ipv6: "fd65::2" };
export const H0 = NODE;
export const H1 = "ext";

/** Addresses by name; `vip` is sent to w0 by h0's OUTPUT, `service` to w1 by h0's PREROUTING. */
const ADDRESSES: Readonly<Record<string, { readonly 4: string; readonly 6: string }>> = {
  h0: NODE_ADDRESS,
  h1: EXT_ADDRESS,
  w0: { 4: W0.ipv4, 6: W0.ipv6 },
  w1: { 4: W1.ipv4, 6: W1.ipv6 },
  vip: { 4: "10.96.0.1", 6: "fd96::1" },
  service: { 4: "10.96.0.2", 6: "fd96::2" },
  h0eth1: { 4: "10.71.0.1", 6: "fd71::1" },
};

/** The first three are in no failsafe list; each of the others is in one or both. */
const PORTS = [8055, 9091, 1234, 22, 2379, 5473, 6443];

export class TwoNodes implements Places {
  readonly h0: Host;
  /** Of a path that names no port. */
  readonly port = PORTS[0] as number;
  readonly #lab: PodLab;
  readonly #hosts: ReadonlyMap<string, Host>;
  readonly #files: readonly PolicyFile[];

  private constructor(lab: PodLab, hosts: ReadonlyMap<string, Host>, files: readonly PolicyFile[]) {
    this.h0 = lab.node;
    this.#lab = lab;
    this.#hosts = hosts;
    this.#files = files;
  }

  static async create(): Promise<TwoNodes> {
    const lab = await PodLab.create({ pods: [W0], tcpPorts: PORTS, udpPorts: [8055] });
    const w1 = { ...W1, addresses: [W1.ipv4, W1.ipv6], interfaceName: podInterfaceName("cali", "default", "w1") };
    const remote = await createPods(lab.sandbox, lab.ext, [{ ...w1, tcpPorts: PORTS, udpPorts: [8055] }]);
    const client = await lab.sandbox.host("client");
    await lab.sandbox.link(lab.node, client, {
      addresses: [
        ["10.71.0.1/24", "fd71::1/64"],
        ["10.71.0.2/24", "fd71::2/64"],
      ],
    });
    for (const family of FAMILIES) await dnat(lab.node, family);
    const hosts = new Map([
      ["h0", lab.node],
      ["h1", lab.ext],
      ["w0", lab.pod("default/w0")],
      ["client", client],
    ]);
    for (const { name, host } of remote.values()) hosts.set(name, host);
    const files = [await PolicyFile.start(lab.node), await PolicyFile.start(lab.ext)];
    return new TwoNodes(lab, hosts, files);
  }

  /** Puts the pods and these documents in force on both nodes. */
  async enforce(...documents: readonly string[]): Promise<void> {
    const pods = [
      [W0, H0] as const,
      [W1, H1] as const,
    ].map(([{ ipv4, ipv6, ...rest }, node]) => pod({ ...rest, addresses: [ipv4, ipv6], node }));
    await Promise.all(this.#files.map((file) => file.enforce(namespace("default"), ...pods, ...documents)));
  }

  address(name: string, family: Family): string {
    const found = ADDRESSES[name];
    if (found === undefined) throw new Error(`there is no place ${name}`);
    return found[family];
  }

  host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    return host;
  }

  /** Wait for a warning of h0's daemon. */
  async warned(pattern: RegExp): Promise<void> {
    await this.#files[0]?.rampart.waitForLog(String(pattern), ({ msg = "" }) => pattern.test(msg));
  }

  async destroy(): Promise<void> {
    for (const file of this.#files) await file.rampart.stop();
    await this.#lab.destroy();
  }
}

async function dnat(node: Host, family: Family): Promise<void> {
  const bracket = (address: string): string => (family === 4 ? address : `[${address}]`);
  for (const [chain, from, to] of [
    ["OUTPUT", "vip", "w0"],
    ["PREROUTING", "service", "w1"],
  ] as const) {
    const [destination, target] = [ADDRESSES[from]?.[family] ?? "", ADDRESSES[to]?.[family] ?? ""];
    const rule = ["-d", destination, "-p", "tcp", "-j", "DNAT", "--to-destination", `${bracket(target)}:8055`];
    await node.run([family === 4 ? "iptables" : "ip6tables", "-t", "nat", "-A", chain, ...rule], { check: true });
  }
}

/** Both nodes' HostEndpoints: by interface, or the wildcard; with the addresses that selectors find them by. */
export function nodeEndpoints(interfaceName: string | undefined, spec: object = {}): string {
  return [
    [H0, NODE_ADDRESS] as const,
    [H1, EXT_ADDRESS] as const,
  ]
    .map(([node, addresses]) => {
      const name = interfaceName === undefined ? {} : { interfaceName };
      return nodeEndpoint(node, `${node}-endpoint`, { ...name, expectedIPs: Object.values(addresses), ...spec });
    })
    .join("");
}
