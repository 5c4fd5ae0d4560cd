/**
 * What the chains do to real packets while no daemon reads the queue. A
 * verdict that comes back is a packet mark, so a mangle rule that sets it
 * stands for the daemon here.
 *
 *   host (eth0, governed) ---- peer (network namespace "peer", eth1)
 */
import type { ChildProcess } from "node:child_process";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { HookInstaller } from "../../src/hooks/apply.ts";
import type { HookConfig } from "../../src/hooks/hook-config.ts";
import { MarkLayout, PacketVerdict } from "../../src/hooks/marks.ts";
import { EVERYWHERE, hookConfig, NOWHERE } from "./configs.ts";
import { CLIENT, LISTENER, SERVER } from "./conversation.ts";
import { Namespace } from "./namespace.ts";

const marks = new MarkLayout();

let namespace: Namespace;
let installer: HookInstaller;

async function install(changes: Partial<HookConfig> = {}): Promise<void> {
  await installer.apply(hookConfig(changes));
}

async function counted(name: string): Promise<number> {
  const counters = await installer.counters();
  return counters.filter((counter) => counter.name === name).reduce((sum, counter) => sum + counter.packets, 0);
}

async function ask(from: "host" | "peer", protocol: "tcp" | "udp", address: string, port: number): Promise<string> {
  const enter = from === "peer" ? "ip netns exec peer " : "";
  return (await namespace.sh(`${enter}${process.execPath} -e '${CLIENT}' ${protocol} ${address} ${port}`)).trim();
}

/** Whether a LISTENER hears something within 2 s that was not yet under way. */
async function hears(listener: ChildProcess): Promise<boolean> {
  const heard = new Promise<boolean>((resolve) => {
    const early = (): void => {
      setTimeout(() => listener.stdout?.once("data", () => resolve(true)), 100);
    };
    listener.stdout?.once("data", early);
    setTimeout(() => resolve(false), 2000);
  });
  return heard;
}

/** The same question over IPv4 and IPv6, asked at the same time; the one answer both gave. */
async function exchange(from: "host" | "peer", protocol: "tcp" | "udp", port: number): Promise<string> {
  const host = from === "host" ? 2 : 1;
  const answers = await Promise.all([
    ask(from, protocol, `192.0.2.${host}`, port),
    ask(from, protocol, `2001:db8::${host}`, port),
  ]);
  return [...new Set(answers)].join(" but over IPv6 ");
}

describe.each(["nft", "legacy"] as const)("iptables-%s", (variant) => {
  beforeAll(async () => {
    namespace = await Namespace.create();
    await namespace.sh(`
      ip netns add peer
      ip link add eth0 type veth peer eth1 netns peer
      ip addr add 192.0.2.1/24 dev eth0; ip addr add 2001:db8::1/64 dev eth0 nodad; ip link set eth0 up
      ip -n peer link set lo up
      ip -n peer addr add 192.0.2.2/24 dev eth1; ip -n peer addr add 2001:db8::2/64 dev eth1 nodad
      ip -n peer link set eth1 up`);
    for (const where of [[], ["ip", "netns", "exec", "peer"]]) {
      const server = namespace.spawn("env", [...where, process.execPath, "-e", SERVER]);
      await new Promise((resolve) => server.stdout?.once("data", resolve));
    }
    installer = new HookInstaller({ variant, lockWaitSeconds: 5, ipv6: true, marks, run: namespace.run });
  });

  afterAll(async () => {
    await namespace.close();
  });

  beforeEach(async () => {
    for (const command of ["iptables", "ip6tables"]) {
      await namespace.sh(`${command}-${variant} -t mangle -F; ${command}-${variant} -t nat -F`);
    }
  });

  /** The verdict that a daemon would send back for packets that match. */
  async function verdict(hook: "INPUT" | "OUTPUT", match: string, code: number, generation: number): Promise<void> {
    const mark = `0x${marks.verdictMark(code, generation).toString(16)}/0x${marks.masks.packet.toString(16)}`;
    for (const command of ["iptables", "ip6tables"]) {
      await namespace.sh(`${command}-${variant} -t mangle -A ${hook} ${match} -j MARK --set-xmark ${mark}`);
    }
  }

  test("inbound failsafe ports answer, others are silent; IPv6 neighbours are found", async () => {
    await install();
    await namespace.sh("ip -6 neigh flush dev eth0; ip -n peer -6 neigh flush dev eth1");
    expect(await exchange("peer", "tcp", 22)).toBe("answer");
    expect(await exchange("peer", "udp", 68)).toBe("answer");
    expect(await exchange("peer", "tcp", 80)).toBe("silence");
    expect(await exchange("peer", "udp", 80)).toBe("silence");
    expect(await counted("neighbour-discovery")).toBeGreaterThan(0);
  });

  test("outbound failsafe ports get through and are answered, others are silent", async () => {
    await install();
    expect(await exchange("host", "udp", 53)).toBe("answer");
    expect(await exchange("host", "udp", 80)).toBe("silence");
    expect(await exchange("host", "tcp", 80)).toBe("silence");
  });

  test("loopback is nobody's business, and ungoverned interfaces neither", async () => {
    await install({ input: EVERYWHERE, output: EVERYWHERE });
    expect(await ask("host", "tcp", "127.0.0.1", 80)).toBe("answer");
    expect(await ask("host", "tcp", "2001:db8::1", 80)).toBe("answer");
    await install({ input: { wildcard: false, interfaces: ["eth7"] }, output: NOWHERE });
    expect(await exchange("peer", "tcp", 80)).toBe("answer");
  });

  test("an allow verdict lets the connection through and carries it on without the queue", async () => {
    await install({ generation: 3 });
    await verdict("INPUT", "-p tcp --dport 80 -m conntrack --ctstate NEW", PacketVerdict.ALLOW, 3);
    await namespace.sh(`iptables-${variant} -t nat -A INPUT -p tcp -m mark --mark 0x0/0xff000000 -j RETURN`);
    const carried = await counted("fast-path");
    expect(await exchange("peer", "tcp", 80)).toBe("answer");
    expect(await counted("fast-path")).toBeGreaterThan(carried);
    const unmarked = await namespace.sh(`iptables-${variant} -t nat -nvxL INPUT`);
    expect(unmarked).toMatch(/\n +1 +\d+ RETURN/);
  });

  test("a verdict of the next generation is carried out; the connection is asked about again", async () => {
    await install({ generation: 4 });
    await verdict("INPUT", "-p udp --dport 80", PacketVerdict.ALLOW, 5);
    expect(await exchange("peer", "udp", 80)).toBe("silence");
    expect(await counted("allowed-next")).toBeGreaterThan(0);
    await install({ generation: 5 });
    expect(await exchange("peer", "udp", 80)).toBe("answer");
  });

  test("a verdict of any other generation, or one that came with an old mark, opens nothing", async () => {
    await install({ generation: 6 });
    await verdict("INPUT", "-p tcp --dport 80", PacketVerdict.ALLOW, 4);
    expect(await exchange("peer", "tcp", 80)).toBe("silence");
  });

  test("a reject verdict is answered: a reset, or port unreachable", async () => {
    await install();
    await verdict("INPUT", "-p tcp --dport 80", PacketVerdict.REJECT, 1);
    await verdict("INPUT", "-p udp --dport 80", PacketVerdict.REJECT, 2);
    expect(await exchange("peer", "tcp", 80)).toBe("ECONNREFUSED");
    expect(await exchange("peer", "udp", 80)).toBe("ECONNREFUSED");
    expect(await counted("refusal")).toBeGreaterThan(0);
  });

  test("a refused local sender is told too, also over a policed loopback", async () => {
    await install({ input: EVERYWHERE, output: EVERYWHERE, exemptLoopback: false });
    await verdict("OUTPUT", "-p tcp --dport 80", PacketVerdict.REJECT, 1);
    expect(await exchange("host", "tcp", 80)).toBe("ECONNREFUSED");
    expect(await ask("host", "tcp", "127.0.0.1", 80)).toBe("ECONNREFUSED");
  });

  test("over a policed loopback, OUTPUT's allow does not spare a packet INPUT's judgement", async () => {
    await install({ input: EVERYWHERE, output: EVERYWHERE, exemptLoopback: false });
    await verdict("OUTPUT", "-o lo -p udp --dport 80", PacketVerdict.ALLOW, 1);
    expect(await ask("host", "udp", "127.0.0.1", 80)).toBe("silence");
    await verdict("INPUT", "-i lo -p udp --dport 80", PacketVerdict.ALLOW, 1);
    expect(await ask("host", "udp", "127.0.0.1", 80)).toBe("answer");
  });

  test.each([
    ["inbound TCP", ["ip", "netns", "exec", "peer"], ["tcp", "192.0.2.1", "22"]],
    ["outbound UDP", [], ["udp", "192.0.2.2", "53"]],
  ])("a failsafe conversation (%s) survives policy changes while only the answering side speaks", async (_, where, to) => {
    await install({ generation: 1 });
    const listener = namespace.spawn("env", [...where, process.execPath, "-e", LISTENER, ...to]);
    expect(await hears(listener)).toBe(true);
    await install({ generation: 2 });
    expect(await hears(listener)).toBe(true);
    await install({ generation: 3 });
    expect(await hears(listener)).toBe(true);
    listener.kill();
  });

  test("a failsafe TCP connection survives conntrack forgetting it, the server speaking first", async () => {
    await install({ generation: 1 });
    const client = ["ip", "netns", "exec", "peer", process.execPath, "-e", LISTENER, "tcp", "192.0.2.1", "22"];
    const listener = namespace.spawn("env", client);
    expect(await hears(listener)).toBe(true);
    // Its packets are kept away meanwhile, so that the server's are the first that conntrack sees.
    await namespace.sh(`iptables-${variant} -t raw -A PREROUTING -i eth0 -j DROP; conntrack -F; sleep 0.2
      test -n "$(conntrack -L -p tcp --sport 22 2>/dev/null)"; iptables-${variant} -t raw -F`);
    expect(await hears(listener)).toBe(true);
    expect(await hears(listener)).toBe(true);
    listener.kill();
  });
});
