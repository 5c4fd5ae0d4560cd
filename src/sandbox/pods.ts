/**
 * Pods of one node, as a network plugin connects them: each is a sandbox host
 * of its own, joined to the node by a veth pair whose two ends share no subnet.
 * The node reaches a pod by a host route to the pod's interface, the pod
 * reaches everything by way of its end of the cable. What a pod sends to
 * another one is therefore always routed, and so forwarded, by the node.
 */
import type { Host } from "./host.ts";
import { tcpEchoServer, udpEchoServer } from "./probe.ts";
import type { Sandbox } from "./sandbox.ts";

export interface PodSpec {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
  /** The node's end of the cable. */
  readonly interfaceName: string;
  readonly tcpPorts?: readonly number[];
  readonly udpPorts?: readonly number[];
}

export interface Pod extends PodSpec {
  /** `namespace/name`. */
  readonly id: string;
  readonly host: Host;
}

// Every pod's gateway: the node's ends all have this address of the link layer, and the IPv6 address it makes.
const GATEWAY_MAC = "ee:ee:ee:ee:ee:ee";
const GATEWAY = { ipv4: "169.254.1.1", ipv6: "fe80::ecee:eeff:feee:eeee" };

/** Pods by id, connected, with their servers listening; lets the node forward. Ids must be new to the sandbox. */
export async function createPods(
  sandbox: Sandbox,
  node: Host,
  specs: readonly PodSpec[],
): Promise<ReadonlyMap<string, Pod>> {
  const pods: Pod[] = [];
  for (const spec of specs) {
    const host = await sandbox.host(`${spec.namespace}-${spec.name}`);
    await sandbox.link(node, host, { addresses: [[], []], interfaces: [spec.interfaceName, "eth0"] });
    pods.push({ ...spec, id: `${spec.namespace}/${spec.name}`, host });
  }
  await node.enableForwarding();
  await node.run(["sh", "-e", "-c", pods.flatMap(nodeSide).join("\n")], { check: true });
  await Promise.all(
    pods.map(async ({ host, addresses, tcpPorts = [], udpPorts = [] }) => {
      await host.run(["sh", "-e", "-c", podSide(addresses).join("\n")], { check: true });
      for (const port of tcpPorts) await tcpEchoServer(host, port);
      for (const port of udpPorts) await udpEchoServer(host, port);
    }),
  );
  return new Map(pods.map((pod) => [pod.id, pod]));
}

function nodeSide({ interfaceName, addresses }: PodSpec): string[] {
  return [
    `ip link set ${interfaceName} address ${GATEWAY_MAC}`,
    `ip -6 address replace ${GATEWAY.ipv6}/64 dev ${interfaceName} nodad`,
    ...addresses.map((address) => `ip route add ${hostRoute(address)} dev ${interfaceName}`),
  ];
}

// The gateway's IPv4 address is nobody's, as in Calico; a fixed neighbour stands in for its proxy ARP.
function podSide(addresses: readonly string[]): string[] {
  return [
    ...addresses.map((address) => {
      return `ip address add ${hostRoute(address)} dev eth0${address.includes(":") ? " nodad" : ""}`;
    }),
    `ip neighbour replace ${GATEWAY.ipv4} lladdr ${GATEWAY_MAC} dev eth0 nud permanent`,
    `ip route add ${GATEWAY.ipv4} dev eth0 scope link`,
    `ip route add default via ${GATEWAY.ipv4} dev eth0`,
    `ip -6 route add default via ${GATEWAY.ipv6} dev eth0`,
  ];
}

function hostRoute(address: string): string {
  return address.includes(":") ? `${address}/128` : `${address}/32`;
}
