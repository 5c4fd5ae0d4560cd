/**
 * The quickstart's hosts and who serves what. All meet at a router, so that
 * the protected host sees everyone on its one interface, eth0:
 *
 *   node1 --eth0-- router --- office    (a friendly client)
 *                     |------ visitor   (anyone on the internet)
 *                     `------ attacker  (on the blocklist)
 */
import type { Host } from "../sandbox/host.ts";
import { tcpEchoServer, udpEchoServer } from "../sandbox/probe.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

export type Family = "IPv4" | "IPv6";
export const FAMILIES: readonly Family[] = ["IPv4", "IPv6"];

export interface Member {
  readonly host: Host;
  readonly address: Readonly<Record<Family, string>>;
}

export interface Lab {
  readonly node: Member;
  readonly office: Member;
  readonly visitor: Member;
  readonly attacker: Member;
}

interface Network {
  readonly name: string;
  readonly v4: string;
  readonly v6: string;
  /** The member's last part of the address; the router has 254 and fe. */
  readonly last: string;
}

const NETWORKS = {
  node: { name: "node1", v4: "10.0.0", v6: "2001:db8:a", last: "1" },
  office: { name: "office", v4: "10.1.0", v6: "2001:db8:1", last: "10" },
  visitor: { name: "visitor", v4: "198.51.100", v6: "2001:db8:2", last: "20" },
  attacker: { name: "attacker", v4: "203.0.113", v6: "2001:db8:66", last: "66" },
} as const satisfies Record<keyof Lab, Network>;

export async function buildLab(sandbox: Sandbox): Promise<Lab> {
  const router = await sandbox.host("router");
  await router.enableForwarding();
  const join = async (network: Network): Promise<Member> => {
    const host = await sandbox.host(network.name);
    const address = { IPv4: `${network.v4}.${network.last}`, IPv6: `${network.v6}::${network.last}` };
    await sandbox.link(host, router, {
      addresses: [
        [`${address.IPv4}/24`, `${address.IPv6}/64`],
        [`${network.v4}.254/24`, `${network.v6}::fe/64`],
      ],
    });
    await host.route("default", `${network.v4}.254`);
    await host.route("default", `${network.v6}::fe`);
    return { host, address };
  };
  const lab: Lab = {
    node: await join(NETWORKS.node),
    office: await join(NETWORKS.office),
    visitor: await join(NETWORKS.visitor),
    attacker: await join(NETWORKS.attacker),
  };
  await startServers(lab);
  return lab;
}

/** Every port a probe aims at has a server, so that silence can only mean: filtered. */
async function startServers({ node, office, attacker }: Lab): Promise<void> {
  await Promise.all([
    ...[22, 80, 443, 5432, 8080].map((port) => tcpEchoServer(node.host, port)),
    udpEchoServer(node.host, 8125),
    tcpEchoServer(office.host, 443),
    ...[53, 123].map((port) => udpEchoServer(office.host, port)),
    tcpEchoServer(attacker.host, 4444),
  ]);
}
