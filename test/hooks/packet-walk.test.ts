/**
 * The hooks before and after routing and those of workloads, on real packets
 * and without a daemon (SEMANTICS 3.4). A verdict that comes back is a packet
 * mark, so a rule above our jump that sets it stands for the daemon.
 *
 *   peer ---- eth0 host cali0 ---- w0
 *                       cali1 ---- w1
 */
import type { ChildProcess } from "node:child_process";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { HookInstaller } from "../../src/hooks/apply.ts";
import type { HookConfig } from "../../src/hooks/hook-config.ts";
import type { HookName } from "../../src/hooks/hook-point.ts";
import { HOOK_POINTS } from "../../src/hooks/hook-point.ts";
import { MarkLayout, PacketVerdict } from "../../src/hooks/marks.ts";
import { allowedSource, hookConfig, NOWHERE, on, workloads } from "./configs.ts";
import { CLIENT, SERVER } from "./conversation.ts";
import { Namespace } from "./namespace.ts";

const marks = new MarkLayout();
const COMMANDS = { 4: "iptables", 6: "ip6tables" } as const;

const ADDRESSES = {
  host: ["192.0.2.1", "2001:db8::1"],
  peer: ["192.0.2.2", "2001:db8::2"],
  w0: ["10.65.0.2", "fd00:65::2"],
  w1: ["10.65.1.2", "fd00:65:1::2"],
  /** Nobody's, but on the link to the peer. */
  vip: ["192.0.2.99", "2001:db8::99"],
} as const;
type Place = "host" | "peer" | "w0" | "w1";
type Somewhere = keyof typeof ADDRESSES;

let namespace: Namespace;
let installer: HookInstaller;

async function install(changes: Partial<HookConfig> = {}): Promise<void> {
  await installer.apply(hookConfig(changes));
}

async function counted(name: string, hook?: HookName): Promise<number> {
  const counters = (await installer.counters()).filter((counter) => counter.name === name);
  return counters.filter((each) => hook === undefined || each.hook === hook).reduce((sum, { packets }) => sum + packets, 0);
}

/** Connects, says something every 50 ms, and prints what it hears. */
const TALKER = `
const [address, port] = process.argv.slice(1);
const socket = require("net").connect(Number(port), address, () => setInterval(() => socket.write("x"), 50));
socket.on("data", () => console.log("heard"));`;

/** Sends to UDP port 80 every millisecond for 2.5 s, each time from another port; prints the number of answers. */
const FLOOD = `
let answers = 0;
const send = () => {
  const socket = require("dgram").createSocket("udp4");
  socket.on("message", () => answers++).on("error", () => 0).send("x", 80, process.argv[1]);
  setTimeout(() => socket.close(), 300);
};
const sending = setInterval(send, 1);
setTimeout(() => clearInterval(sending), 2500);
setTimeout(() => console.log(answers), 2900);`;

/** Whether a program prints something from 0.2 s on, within `seconds`. */
async function hears(talker: ChildProcess, seconds: number): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  return new Promise((resolve) => {
    const end = (heard: boolean): void => {
      talker.stdout?.removeAllListeners("data");
      resolve(heard);
    };
    const timer = setTimeout(end, seconds * 1000, false);
    talker.stdout?.once("data", () => {
      clearTimeout(timer);
      end(true);
    });
  });
}

/** The one answer that a client gets over IPv4 and IPv6. */
async function exchange(from: Place, to: Somewhere, protocol: "tcp" | "udp", port: number): Promise<string> {
  const enter = from === "host" ? "" : `ip netns exec ${from} `;
  const ask = async (address: string): Promise<string> =>
    (await namespace.sh(`${enter}${process.execPath} -e '${CLIENT}' ${protocol} ${address} ${port}`)).trim();
  const answers = await Promise.all(ADDRESSES[to].map(ask));
  return [...new Set(answers)].join(" but over IPv6 ");
}

describe.each(["nft", "legacy"] as const)("iptables-%s", (variant) => {
  beforeAll(async () => {
    namespace = await Namespace.create();
    await namespace.sh(`
      ip netns add peer; ip netns add w0; ip netns add w1
      ip link add eth0 type veth peer eth1 netns peer
      ip addr add 192.0.2.1/24 dev eth0; ip addr add 2001:db8::1/64 dev eth0 nodad; ip link set eth0 up
      ip -n peer addr add 192.0.2.2/24 dev eth1; ip -n peer addr add 2001:db8::2/64 dev eth1 nodad
      ip -n peer link set eth1 up
      ip -n peer route add 10.65.0.0/16 via 192.0.2.1; ip -n peer route add fd00:65::/32 via 2001:db8::1
      for i in 0 1; do
        ip link add cali$i type veth peer eth0 netns w$i
        ip addr add 10.65.$i.1/24 dev cali$i; ip addr add fd00:65:$i::1/64 dev cali$i nodad; ip link set cali$i up
        ip -n w$i addr add 10.65.$i.2/24 dev eth0; ip -n w$i addr add fd00:65:$i::2/64 dev eth0 nodad
        ip -n w$i link set eth0 up
        ip -n w$i route add default via 10.65.$i.1; ip -n w$i route add default via fd00:65:$i::1
      done
      echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding`);
    for (const where of ["host", "peer", "w0", "w1"]) {
      const enter = where === "host" ? [] : ["ip", "netns", "exec", where];
      const server = namespace.spawn("env", [...enter, process.execPath, "-e", SERVER]);
      await new Promise((resolve) => server.stdout?.once("data", resolve));
    }
    installer = new HookInstaller({ variant, lockWaitSeconds: 5, ipv6: true, marks, run: namespace.run });
  });

  afterAll(async () => {
    await namespace.close();
  });

  beforeEach(async () => {
    await installer.remove();
    for (const command of Object.values(COMMANDS)) {
      await namespace.sh(`for t in raw mangle nat filter; do ${command}-${variant} -t $t -F; done`);
    }
    await namespace.sh("conntrack -F 2>/dev/null");
  });

  /** A rule of a table and chain, above all others, in both families. */
  async function above(table: string, chain: string, rule: string): Promise<void> {
    for (const command of Object.values(COMMANDS)) {
      await namespace.sh(`${command}-${variant} -t ${table} -I ${chain} 1 ${rule}`);
    }
  }

  function setMark(mark: number): string {
    return `-j MARK --set-xmark 0x${mark.toString(16)}/0x${marks.verdictMask.toString(16)}`;
  }

  /**
   * The verdict that a daemon would send back to a hook for packets that match; to be given once hooks are there.
   * Returns how to take it back.
   */
  async function verdict(hook: HookName, match: string, code: number, generation: number): Promise<() => Promise<void>> {
    const { table, base } = HOOK_POINTS[hook];
    const rule = `${match} ${setMark(marks.verdictMark(code, generation))}`;
    await above(table, base, rule);
    return async () => {
      for (const command of Object.values(COMMANDS)) await namespace.sh(`${command}-${variant} -t ${table} -D ${base} ${rule}`);
    };
  }

  /** nat rules in both families; `to` is where packets for the match go. */
  async function dnat(chain: string, match: string, to: Somewhere): Promise<void> {
    const [v4, v6] = ADDRESSES[to];
    await namespace.sh(`iptables-${variant} -t nat -A ${chain} -d ${ADDRESSES.vip[0]} ${match} -j DNAT --to-destination ${v4}
      ip6tables-${variant} -t nat -A ${chain} -d ${ADDRESSES.vip[1]} ${match} -j DNAT --to-destination ${v6}`);
  }

  describe("before DNAT", () => {
    test("nobody answers: new packets are dropped, failsafe ports and answers to this host pass", async () => {
      await install({ input: NOWHERE, output: NOWHERE, preDNAT: on("eth0") });
      await namespace.sh("ip -6 neigh flush dev eth0; ip -n peer -6 neigh flush dev eth1");
      expect(await exchange("peer", "host", "tcp", 80)).toBe("silence");
      expect(await exchange("peer", "w0", "udp", 80)).toBe("silence");
      expect(await exchange("peer", "host", "tcp", 22)).toBe("answer");
      expect(await exchange("host", "peer", "tcp", 80)).toBe("answer");
      expect(await exchange("host", "peer", "udp", 80)).toBe("answer");
    });

    test("an allow lets it past INPUT's policy, and the connection goes on without the queue", async () => {
      await install({ preDNAT: on("eth0"), generation: 3 });
      await verdict("PREDNAT", "-p tcp --dport 80 -m conntrack --ctstate NEW", PacketVerdict.ALLOW, 3);
      const before = await counted("accepted");
      expect(await exchange("peer", "host", "tcp", 80)).toBe("answer");
      expect(await counted("accepted")).toBeGreaterThan(before);
    });

    test("after a change of generation, a live connection is asked about again where it was allowed", async () => {
      await install({ preDNAT: on("eth0"), generation: 3 });
      const withdraw = await verdict("PREDNAT", "-p tcp --dport 80", PacketVerdict.ALLOW, 3);
      const talker = namespace.spawn("ip", [..."netns exec peer".split(" "), process.execPath, "-e", TALKER, "192.0.2.1", "80"]);
      expect(await hears(talker, 2)).toBe(true);
      await withdraw();
      expect(await hears(talker, 2)).toBe(true);
      await install({ preDNAT: on("eth0"), generation: 4 });
      expect(await hears(talker, 0.5)).toBe(false);
      await verdict("PREDNAT", "-p tcp --dport 80", PacketVerdict.ALLOW, 4);
      expect(await hears(talker, 5)).toBe(true);
      talker.kill();
    });

    test("a verdict of the next generation is carried out, of any other it opens nothing", async () => {
      await install({ preDNAT: on("eth0"), generation: 3 });
      await verdict("PREDNAT", "-p tcp --dport 80", PacketVerdict.ALLOW, 2);
      expect(await exchange("peer", "host", "tcp", 80)).toBe("silence");
      await verdict("PREDNAT", "-p udp --dport 80", PacketVerdict.ALLOW, 4);
      const before = await counted("accepted-next");
      await exchange("peer", "host", "udp", 80);
      expect(await counted("accepted-next")).toBeGreaterThan(before);
    });

    test("no match leaves the decision to INPUT; a refusal drops", async () => {
      await install({ preDNAT: on("eth0") });
      await verdict("PREDNAT", "-p tcp -m multiport --dports 80,53", PacketVerdict.RETURN, 1);
      await verdict("PREDNAT", "-p udp --dport 80", PacketVerdict.REJECT, 1);
      expect(await exchange("peer", "host", "tcp", 80)).toBe("silence");
      await verdict("INPUT", "-p tcp --dport 80", PacketVerdict.ALLOW, 1);
      await verdict("INPUT", "-p udp --dport 80", PacketVerdict.ALLOW, 1);
      expect(await exchange("peer", "host", "tcp", 80)).toBe("answer");
      expect(await exchange("peer", "host", "udp", 80)).toBe("silence");
    });

    test("the destination is the one before DNAT", async () => {
      await install({ preDNAT: on("eth0") });
      await verdict("PREDNAT", "-p tcp --dport 8080", PacketVerdict.ALLOW, 1);
      await above("nat", "PREROUTING", "-p tcp --dport 8080 -j REDIRECT --to-ports 80");
      expect(await exchange("peer", "host", "tcp", 80)).toBe("silence");
      expect(await exchange("peer", "host", "tcp", 8080)).toBe("answer");
    });

    test("an accepted packet comes to FORWARD with the acceptance on it, others without", async () => {
      await install({ preDNAT: on("eth0"), workloads: workloads("cali"), generation: 5 });
      await verdict("PREDNAT", "-i eth0 -p tcp --dport 80", PacketVerdict.ALLOW, 5);
      await verdict("PREDNAT", "-i eth0 -p udp --dport 80", PacketVerdict.RETURN, 5);
      const accepted = `-m mark --mark 0x${marks.acceptedMark(5).toString(16)}/0x${marks.acceptedMask.toString(16)}`;
      await verdict("FORWARD", accepted, PacketVerdict.ALLOW, 5);
      expect(await exchange("peer", "w0", "tcp", 80)).toBe("answer");
      expect(await exchange("peer", "w0", "udp", 80)).toBe("silence");
    });
  });

  describe("untracked", () => {
    const both = { untracked: { inbound: ["eth0"], outbound: ["eth0"] } };

    test("nobody answers: failsafe ports work in both directions, neighbours are found, nothing else passes", async () => {
      await install({ ...both, input: NOWHERE, output: NOWHERE });
      await namespace.sh("ip -6 neigh flush dev eth0; ip -n peer -6 neigh flush dev eth1");
      expect(await exchange("peer", "host", "tcp", 22)).toBe("answer");
      expect(await exchange("host", "peer", "udp", 53)).toBe("answer");
      expect(await exchange("peer", "host", "tcp", 80)).toBe("silence");
      expect(await exchange("host", "peer", "udp", 80)).toBe("silence");
    });

    test("allowed in and out, a conversation passes INPUT and OUTPUT and conntrack never hears of it", async () => {
      await install(both);
      // What earlier tests have left behind.
      await namespace.sh("conntrack -F 2>/dev/null");
      await verdict("RAW-IN", "-p udp --dport 80", PacketVerdict.ALLOW, 1);
      expect(await exchange("peer", "host", "udp", 80)).toBe("silence");
      await verdict("RAW-OUT", "-p udp --sport 80", PacketVerdict.ALLOW, 1);
      expect(await exchange("peer", "host", "udp", 80)).toBe("answer");
      expect(await namespace.sh("conntrack -L -p udp --dport 80 2>/dev/null; conntrack -f ipv6 -L -p udp 2>/dev/null")).toBe("");
    });

    test("no match leaves it tracked, and to INPUT", async () => {
      await install(both);
      await verdict("RAW-IN", "-p tcp", PacketVerdict.RETURN, 1);
      await verdict("RAW-OUT", "-p tcp", PacketVerdict.RETURN, 1);
      expect(await exchange("peer", "host", "tcp", 80)).toBe("silence");
      await verdict("INPUT", "-p tcp --dport 80", PacketVerdict.ALLOW, 1);
      expect(await exchange("peer", "host", "tcp", 80)).toBe("answer");
    });

    test("a source port of a failsafe passes raw, and opens nothing in INPUT", async () => {
      await install(both);
      const passed = await counted("failsafe", "RAW-IN");
      const queued = await counted("queued", "INPUT");
      const from179 = `require("net").connect({ host: "${ADDRESSES.host[0]}", port: 80, localPort: 179 },
        () => console.log("open")).on("error", () => 0)`;
      expect(await namespace.sh(`timeout 0.4 ip netns exec peer ${process.execPath} -e '${from179}' || true`)).toBe("");
      expect(await counted("failsafe", "RAW-IN")).toBeGreaterThan(passed);
      expect(await counted("queued", "INPUT")).toBeGreaterThan(queued);
    });

    test("preDNAT policy is skipped for what is accepted already", async () => {
      await install({ ...both, preDNAT: on("eth0") });
      await verdict("RAW-IN", "-p tcp --dport 80", PacketVerdict.ALLOW, 1);
      await verdict("RAW-OUT", "-p tcp --sport 80", PacketVerdict.ALLOW, 1);
      expect(await exchange("peer", "host", "tcp", 80)).toBe("answer");
    });
  });

  describe("workloads", () => {
    const policed = { input: on("eth0"), output: on("eth0"), workloads: workloads("cali") };

    test("nobody answers: all they send is dropped, failsafe ports too; what the host sends them passes", async () => {
      await install(policed);
      await namespace.sh("ip -6 neigh flush dev cali0; ip -n w0 -6 neigh flush dev eth0");
      expect(await exchange("w0", "host", "tcp", 22)).toBe("silence");
      expect(await exchange("w0", "w1", "tcp", 80)).toBe("silence");
      expect(await exchange("w0", "peer", "udp", 53)).toBe("silence");
      expect(await exchange("peer", "w0", "tcp", 22)).toBe("silence");
      expect(await exchange("host", "w0", "tcp", 80)).toBe("answer");
      expect(await exchange("host", "w0", "udp", 80)).toBe("answer");
    });

    test("verdicts let them speak to the host and to each other, and not the other way round", async () => {
      await install(policed);
      await verdict("INPUT", "-i cali+ -p tcp --dport 80 -m conntrack --ctstate NEW", PacketVerdict.ALLOW, 1);
      await verdict("FORWARD", "-i cali0 -p tcp --dport 80 -m conntrack --ctstate NEW", PacketVerdict.ALLOW, 1);
      expect(await exchange("w0", "host", "tcp", 80)).toBe("answer");
      expect(await exchange("w0", "w1", "tcp", 80)).toBe("answer");
      expect(await exchange("w1", "w0", "tcp", 80)).toBe("silence");
    });

    test("an acceptance before DNAT does not apply to what they send to the host", async () => {
      await install({ ...policed, preDNAT: { wildcard: true, interfaces: [] } });
      await verdict("PREDNAT", "-i cali+ -p tcp --dport 80", PacketVerdict.ALLOW, 1);
      expect(await exchange("w0", "host", "tcp", 80)).toBe("silence");
    });

    test("a source that no route leads back to is dropped, unless it was allowed", async () => {
      await namespace.sh(`ip -n w0 addr add 10.99.0.9/32 dev eth0; ip -n w0 addr add fd00:99::9/128 dev eth0 nodad`);
      const speak = async (): Promise<number> => {
        const before = await counted("spoofed");
        await namespace.sh(`ip netns exec w0 ping -c 1 -W 0.2 -I 10.99.0.9 ${ADDRESSES.w1[0]} || true
          ip netns exec w0 ping -c 1 -W 0.2 -I fd00:99::9 ${ADDRESSES.w1[1]} || true
          ip netns exec w0 ping -c 1 -W 0.2 ${ADDRESSES.w1[0]} || true`);
        return (await counted("spoofed")) - before;
      };
      await install(policed);
      expect(await speak()).toBe(2);
      await install({ workloads: { prefixes: ["cali"], allowedSources: [allowedSource("cali0", "10.99.0.0/24")] } });
      expect(await speak()).toBe(1);
      expect(await counted("allowed-source")).toBe(1);
    });
  });

  describe("local packets with a new destination", () => {
    const policed = { input: NOWHERE, output: on("eth0"), workloads: workloads("cali") };

    test("are judged once, after DNAT: OUTPUT's verdict is not asked for, POSTROUTING's is", async () => {
      await install(policed);
      await dnat("OUTPUT", "-p tcp --dport 80", "peer");
      await verdict("OUTPUT", "-p tcp --dport 80", PacketVerdict.ALLOW, 1);
      expect(await exchange("host", "vip", "tcp", 80)).toBe("silence");
      await verdict("POSTROUTING", "-p tcp --dport 80 -m conntrack --ctstate NEW", PacketVerdict.ALLOW, 1);
      expect(await exchange("host", "vip", "tcp", 80)).toBe("answer");
    });

    test("may go to a local workload, whatever way out they had before", async () => {
      await install(policed);
      await dnat("OUTPUT", "-p tcp --dport 80", "w0");
      expect(await exchange("host", "vip", "tcp", 80)).toBe("answer");
    });

    test("are judged when DNAT sends them from a workload interface out to the world", async () => {
      await install(policed);
      await namespace.sh(`ip route add ${ADDRESSES.vip[0]} dev cali0; ip route add ${ADDRESSES.vip[1]} dev cali0`);
      try {
        await dnat("OUTPUT", "-p tcp --dport 80", "peer");
        // The source was chosen for the way out before DNAT.
        await above("nat", "POSTROUTING", "-o eth0 -j MASQUERADE");
        expect(await exchange("host", "vip", "tcp", 80)).toBe("silence");
        await verdict("POSTROUTING", "-p tcp --dport 80", PacketVerdict.ALLOW, 1);
        expect(await exchange("host", "vip", "tcp", 80)).toBe("answer");
      } finally {
        await namespace.sh(`ip route del ${ADDRESSES.vip[0]} dev cali0; ip route del ${ADDRESSES.vip[1]} dev cali0`);
      }
    });

    test("a failsafe port counts after DNAT; forwarded packets with a new destination are not asked about", async () => {
      await install({ ...policed, workloads: undefined });
      await dnat("OUTPUT", "-p udp --dport 53", "peer");
      expect(await exchange("host", "vip", "udp", 53)).toBe("answer");
      await dnat("PREROUTING", "-p tcp --dport 80", "w0");
      expect(await exchange("peer", "vip", "tcp", 80)).toBe("silence");
      await namespace.sh(`ip neigh add proxy ${ADDRESSES.vip[0]} dev eth0; ip neigh add proxy ${ADDRESSES.vip[1]} dev eth0
        ip -n peer route add ${ADDRESSES.vip[0]} via ${ADDRESSES.host[0]}; ip -n peer route add ${ADDRESSES.vip[1]} via ${ADDRESSES.host[1]}`);
      expect(await exchange("peer", "vip", "tcp", 80)).toBe("answer");
      expect(await counted("not-postponed", "POSTROUTING")).toBeGreaterThan(0);
      expect(await counted("queued", "POSTROUTING")).toBe(0);
    });
  });

  test("while hooks come and go in all tables, no packet slips through unjudged", async () => {
    const policed = { input: on("eth0"), output: on("eth0") };
    await install(policed);
    await dnat("OUTPUT", "-p udp --dport 80", "peer");
    const flood = async (enter: string, address: string): Promise<string> =>
      (await namespace.sh(`${enter}${process.execPath} -e '${FLOOD}' ${address}`)).trim();
    const answers = Promise.all([
      flood("ip netns exec peer ", ADDRESSES.host[0]),
      flood("", ADDRESSES.peer[0]),
      flood("", ADDRESSES.vip[0]),
    ]);
    const untracked = { inbound: ["eth0"], outbound: ["eth0"] };
    const changes = [{ preDNAT: on("eth0") }, { untracked }, { workloads: workloads("cali"), untracked }, {}];
    for (let generation = 2; generation < 14; generation++) {
      await install({ ...policed, ...changes[generation % changes.length], generation });
    }
    expect(await answers).toEqual(["0", "0", "0"]);
    await installer.remove();
    expect(Number(await flood("", ADDRESSES.vip[0]))).toBeGreaterThan(100);
  });
});
