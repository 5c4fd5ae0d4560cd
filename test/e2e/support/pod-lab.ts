/**
 * One node ("node-1") with pods, and one machine outside ("ext") behind the
 * node's eth0. Every pod and the outside answer on their ports wherever no
 * firewall stands in the way, so silence means that a packet was dropped.
 */
import type { Host } from "../../../src/sandbox/host.ts";
import { podInterfaceName } from "../../../src/resources/interface-name.ts";
import { tcpEchoServer, udpEchoServer } from "../../../src/sandbox/probe.ts";
import { createPods } from "../../../src/sandbox/pods.ts";
import type { Pod } from "../../../src/sandbox/pods.ts";
import { Sandbox } from "../../../src/sandbox/sandbox.ts";
import type { Family, Places } from "./expect-path.ts";

export const NODE = "node-1";

/** Addresses of the cable between node and outside. */
export const NODE_ADDRESS = { 4: "10.70.0.1", 6: "fd70::1" } as const;
export const EXT_ADDRESS = { 4: "10.70.0.2", 6: "fd70::2" } as const;

export interface PodPlan {
  readonly namespace: string;
  readonly name: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface LabPlan {
  readonly pods: readonly PodPlan[];
  /** Servers in every pod, on the node and outside. */
  readonly tcpPorts: readonly number[];
  readonly udpPorts: readonly number[];
}

export class PodLab implements Places {
  readonly sandbox: Sandbox;
  readonly node: Host;
  readonly ext: Host;
  /** By `namespace/name`. */
  readonly pods: ReadonlyMap<string, Pod>;
  /** Of a path that names no port. */
  readonly port: number;

  private constructor(sandbox: Sandbox, node: Host, ext: Host, pods: ReadonlyMap<string, Pod>, port: number) {
    this.port = port;
    this.sandbox = sandbox;
    this.node = node;
    this.ext = ext;
    this.pods = pods;
  }

  static async create({ pods: plans, tcpPorts, udpPorts }: LabPlan): Promise<PodLab> {
    const sandbox = await Sandbox.create();
    const node = await sandbox.host(NODE);
    const ext = await sandbox.host("ext");
    await sandbox.link(node, ext, {
      addresses: [
        [`${NODE_ADDRESS[4]}/24`, `${NODE_ADDRESS[6]}/64`],
        [`${EXT_ADDRESS[4]}/24`, `${EXT_ADDRESS[6]}/64`],
      ],
    });
    for (const family of [4, 6] as const) {
      await ext.route("default", NODE_ADDRESS[family]);
      await node.route("default", EXT_ADDRESS[family]);
    }
    for (const host of [node, ext]) {
      for (const port of tcpPorts) await tcpEchoServer(host, port);
      for (const port of udpPorts) await udpEchoServer(host, port);
    }
    const specs = plans.map(({ namespace, name, ipv4, ipv6 }) => ({
      namespace,
      name,
      addresses: [ipv4, ipv6],
      interfaceName: podInterfaceName("cali", namespace, name),
      tcpPorts,
      udpPorts,
    }));
    return new PodLab(sandbox, node, ext, await createPods(sandbox, node, specs), tcpPorts[0] ?? 0);
  }

  host(name: string): Host {
    if (name === "node") return this.node;
    return name === "ext" ? this.ext : this.#named(name).host;
  }

  address(name: string, family: Family): string {
    if (name === "node") return NODE_ADDRESS[family];
    if (name === "ext") return EXT_ADDRESS[family];
    const [ipv4 = "", ipv6 = ""] = this.#named(name).addresses;
    return family === 4 ? ipv4 : ipv6;
  }

  #named(name: string): Pod {
    const pod = [...this.pods.values()].find((each) => each.name === name);
    if (pod === undefined) throw new Error(`there is no place ${name}`);
    return pod;
  }

  /** The host of a pod. */
  pod(id: string): Host {
    const pod = this.pods.get(id);
    if (pod === undefined) throw new Error(`there is no pod ${id}`);
    return pod.host;
  }

  destroy(): Promise<void> {
    return this.sandbox.destroy();
  }
}
