/** What somebody tries who knows how Rampart works: each test is an attack that must fail, or a friend who must not suffer. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { RampartProcess, startRampart } from "../../src/sandbox/daemon.ts";
import type { SettingsOverlay } from "../../src/sandbox/daemon.ts";
import { openTcp, openUdp, tcpConnect } from "../../src/sandbox/probe.ts";
import type { Conversation } from "../../src/sandbox/probe.ts";
import { systemPath } from "../../src/sandbox/process.ts";
import { allowPorts, ETH0, policy } from "./support/documents.ts";
import { icmpListener, sendIcmp } from "./support/icmp.ts";
import { expectConnects, expectDropped, expectUdpDropped, FAMILIES, Lab } from "./support/lab.ts";
import { noOffload } from "./support/offload.ts";

const SILENCE_MS = 500;
const WEB = allowPorts("web", "ingress", 8080);
const BACK_DOOR = allowPorts("back-door", "ingress", 8081);
const EVERYTHING_OUT = policy("out", { types: ["Egress"], egress: [{ action: "Allow" }] });

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
afterEach(async () => {
  await rampart.uninstall();
});

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function start(
  policies: Readonly<Record<string, string>>,
  settings: SettingsOverlay = {},
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  rampart = await startRampart(lab.shield, {
    policies: { "endpoint.yaml": ETH0, ...policies },
    settings: { policy: { watch: false }, ...settings },
    env,
  });
}

/** Changes files and has them read, once; resolves to the generation then in force. */
function change(files: () => void): Promise<number> {
  return rampart.changePolicy(() => {
    files();
    return rampart.signal("SIGHUP");
  });
}

/** A new generation with the same meaning for every connection here. */
let bumps = 0;
function bump(): Promise<number> {
  bumps++;
  return change(() => rampart.writePolicy("other.yaml", allowPorts("other", "ingress", 10_000 + bumps)));
}

async function expectSilence(connection: Conversation, line: string): Promise<void> {
  expect(await connection.exchange(line, SILENCE_MS)).toMatchObject({ outcome: "timeout" });
}

/** iptables that can be told to take its time, and to fail after it, as with a lock that is held. */
class Iptables {
  readonly directory = mkdtempSync(join(tmpdir(), "rampart-iptables-"));
  readonly env = { PATH: `${this.directory}:${systemPath()}` };

  constructor() {
    for (const command of ["iptables", "ip6tables"]) {
      for (const variant of ["-nft", "-legacy", ""]) {
        const program = join(this.directory, `${command}${variant}-restore`);
        writeFileSync(
          program,
          `#!/bin/sh
[ "$1" = -V ] || [ ! -e "${this.directory}/slow" ] || sleep 1.5
[ "$1" = -V ] || [ ! -e "${this.directory}/broken" ] || { echo "broken for the test" >&2; exit 4; }
PATH="\${PATH#*:}"; exec "\${0##*/}" "$@"
`,
        );
        chmodSync(program, 0o755);
      }
    }
  }

  become(...how: readonly ("slow" | "broken")[]): void {
    for (const each of ["slow", "broken"] as const) rmSync(join(this.directory, each), { force: true });
    for (const each of how) writeFileSync(join(this.directory, each), "");
  }
}

let iptables: Iptables;

beforeAll(() => {
  iptables = new Iptables();
});
afterEach(() => iptables.become());
afterAll(() => rmSync(iptables.directory, { recursive: true, force: true }));

// Without offload the hooks do not change with the policy, and no connection carries a generation.
describe.skipIf(noOffload).each(FAMILIES)("a change of policy that fails half way, over $family", ({ shield }) => {
  test("leaves nobody a pass for the change that comes after it", async () => {
    await start({ "web.yaml": WEB }, {}, iptables.env);
    iptables.become("slow", "broken");
    rampart.writePolicy("back-door.yaml", BACK_DOOR);
    await rampart.signal("SIGHUP");
    let intruder: Conversation | undefined;
    for (const deadline = Date.now() + 5000; intruder === undefined && Date.now() < deadline; ) {
      intruder = await openTcp(lab.client, shield, 8081, { timeoutMs: 200 }).catch(() => undefined);
    }
    await rampart.waitForLog("the failure", (line) => line["code"] === "RAMPART_E_IPTABLES_FAILED", 5000);
    iptables.become();
    // The back door was never in force, so the connection is either impossible or cut by now.
    if (intruder !== undefined) await expectSilence(intruder, "failed change");

    rampart.removePolicy("back-door.yaml");
    await bump();
    await expectDropped(lab.client, shield, 8081);
    if (intruder !== undefined) {
      await expectSilence(intruder, "next change");
      await intruder.close();
    }
  });
});

describe.skipIf(noOffload)("generation numbers that have come round", () => {
  // Four bits: generations 1 to 14.
  const LAST = 14;

  test.each(FAMILIES)("do not bring back a connection that was denied meanwhile, over $family", async ({ shield }) => {
    await start({ "web.yaml": WEB, "back-door.yaml": BACK_DOOR }, { marks: { connection: 0xf000 } });
    while ((await bump()) !== LAST);
    // UDP sends nothing by itself, so the line that passes or does not is the one of the test.
    const conversation = await openUdp(lab.client, shield, 8081);
    expect(await conversation.exchange("allowed")).toMatchObject({ line: "allowed" });
    await change(() => rampart.removePolicy("back-door.yaml"));
    await expectSilence(conversation, "denied");
    while ((await bump()) !== LAST);
    await expectSilence(conversation, "denied still");
    await conversation.close();
  });
});

describe.each(FAMILIES)("a live connection that the policy denies now, over $family", ({ shield }) => {
  test("stays cut after its peer made conntrack forget it with a reset", async () => {
    await start({ "web.yaml": WEB, "back-door.yaml": BACK_DOOR, "out.yaml": EVERYTHING_OUT });
    await lab.shield.sysctl("net.netfilter.nf_conntrack_tcp_timeout_close", 1);
    const connection = await openTcp(lab.client, shield, 8081);
    expect(await connection.exchange("allowed")).toMatchObject({ line: "allowed" });
    await change(() => rampart.removePolicy("back-door.yaml"));
    await lab.server(lab.shield, 8081).speak("secret");
    // The reset is dropped, so the server sends its line again and again.
    await connection.close();

    const watch = `
      $| = 1; socket(my $wire, 17, 3, unpack("S", pack("n", 3))) or die $!; print "listening\\n";
      while (recv($wire, my $frame, 65535, 0)) { print "leaked\\n" if index($frame, "secret") >= 0 }`;
    const watcher = lab.client.spawn(["perl", "-e", watch]);
    await watcher.waitForOutput(/listening/);
    await pause(5000);
    await watcher.stop();
    expect(watcher.stdout).not.toContain("leaked");
  });
});

describe.skipIf(noOffload).each(FAMILIES)("a connection that was idle while the policy changed, over $family", ({ shield }) => {
  test("goes on with the daemon dead, as the new policy allows it too", async () => {
    await start({ "web.yaml": WEB });
    const connection = await openTcp(lab.client, shield, 8080);
    expect(await connection.exchange("before")).toMatchObject({ line: "before" });
    await bump();
    await rampart.kill();
    expect(await connection.exchange("after", 3000)).toMatchObject({ line: "after" });
    await connection.close();
  });
});

describe.each(FAMILIES)("over $family", ({ family, shield, client, other }) => {
  test("a burst of datagrams from a new socket arrives whole, though all of them wait for the first verdict", async () => {
    await start({ "web.yaml": WEB });
    const size = 64;
    const burst = `
      const socket = require("dgram").createSocket("${family === "IPv4" ? "udp4" : "udp6"}");
      let heard = 0;
      socket.on("message", () => { if (++heard === ${size}) console.log("whole"); });
      socket.connect(8080, "${shield}", () => { for (let i = 0; i < ${size}; i++) socket.send("datagram " + i + "\\n"); });
      setTimeout(() => { console.log("heard " + heard); process.exit(); }, 1500);`;
    const { stdout } = await lab.client.run([process.execPath, "-e", burst], { check: true });
    expect(stdout).toContain("whole");
  });

  test("fragments are judged whole: a large datagram passes where a small one does, and nowhere else", async () => {
    await start({ "web.yaml": WEB });
    const large = "x".repeat(6000);
    for (const [port, outcome] of [
      [8080, "line"],
      [8081, "timeout"],
    ] as const) {
      const conversation = await openUdp(lab.client, shield, port);
      expect(await conversation.exchange(large, 1000), `port ${port}`).toMatchObject({ outcome });
      await conversation.close();
    }
  });

  test("a failsafe port as the source opens nothing, although its answers pass", async () => {
    await start({ "out.yaml": EVERYTHING_OUT });
    for (const sourcePort of [67, 2379, 443]) {
      expect(await tcpConnect(lab.client, shield, 8080, { sourcePort, timeoutMs: SILENCE_MS })).toBe("timeout");
      const forged = await openUdp(lab.client, shield, 8080, { sourcePort });
      await expectSilence(forged, `from ${sourcePort}`);
      await forged.close();
    }
  });

  test("leaving by a failsafe port as the source opens nothing", async () => {
    await start({ "web.yaml": WEB });
    const held = lab.server(lab.shield, 6443);
    await held.close();
    expect(await tcpConnect(lab.shield, client, 8080, { sourcePort: 6443, timeoutMs: SILENCE_MS })).toBe("timeout");
  });

  test("an answer is for who was asked: another address cannot ride on a flow of the host's", async () => {
    await start({ "out.yaml": EVERYTHING_OUT });
    const asked = await openUdp(lab.shield, client, 8080, { sourcePort: 40_000 });
    expect(await asked.exchange("question")).toMatchObject({ line: "question" });
    const send = `
      const socket = require("dgram").createSocket("${family === "IPv4" ? "udp4" : "udp6"}");
      socket.bind({ address: "${other}" }, () => socket.send("forged\\n", 40000, "${shield}", () => socket.close()));`;
    await lab.client.run([process.execPath, "-e", send], { check: true });
    expect(await asked.listen(SILENCE_MS)).toMatchObject({ outcome: "timeout" });
    await asked.close();
  });

  test("an attempt from where an allowed connection just ended is judged like any other", async () => {
    await start({ "web.yaml": WEB });
    const sourcePort = 45_000;
    const connection = await openTcp(lab.client, shield, 8080, { sourcePort });
    await connection.exchange("first");
    await connection.close();
    await change(() => rampart.removePolicy("web.yaml"));
    expect(await tcpConnect(lab.client, shield, 8080, { sourcePort, timeoutMs: SILENCE_MS })).toBe("timeout");
  });
});

/** Tries until a connection comes about; each try has a moment only, as the hooks are away for moments only. */
async function getIn(shield: string, port: number): Promise<Conversation> {
  for (const deadline = Date.now() + 20_000; ; ) {
    try {
      return await openTcp(lab.client, shield, port, { timeoutMs: 200 });
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

describe("hooks that somebody flushed", () => {
  test("let nobody stay who came in meanwhile", async () => {
    await start({ "web.yaml": WEB });
    const { shield } = FAMILIES[0]!;
    // Again and again: the daemon puts them back before anybody could come in.
    const flushing = lab.shield.spawn(["sh", "-c", "while :; do iptables -F INPUT; iptables -F OUTPUT; done"]);
    const intruder = await getIn(shield, 8081);
    await flushing.signal("SIGTERM");
    await flushing.exited;
    for (const deadline = Date.now() + 10_000; ; await pause(50)) {
      if ((await rampart.command(["hooks", "verify"])).code === 0) break;
      expect(Date.now(), "when the hooks were back").toBeLessThan(deadline);
    }
    await expectSilence(intruder, "still in?");
    await intruder.close();
    await expectUdpDropped(lab.client, shield, 8081);
    await expectConnects(lab.client, shield, 8080);
  });
});

describe.skipIf(noOffload)("a change of policy that takes its time", () => {
  test("leaves no denied packet without the name of what denied it", async () => {
    await start({ "web.yaml": WEB }, {}, iptables.env);
    iptables.become("slow");
    const before = await rampart.generation();
    rampart.writePolicy("other.yaml", BACK_DOOR);
    await rampart.signal("SIGHUP");
    await pause(700);
    await expectDropped(lab.client, FAMILIES[0]!.shield, 9090);
    const line = await rampart.waitForLog("the packet", (each) => each["destinationPort"] === 9090);
    expect(line).toMatchObject({ msg: "denied", reason: "end-of-tier", endpoint: "shield-eth0", tier: "default" });
    iptables.become();
    await rampart.generationAfter(before, 10_000);
  });
});

describe.skipIf(noOffload)("a policy file written while the daemon starts", () => {
  test("takes effect", async () => {
    iptables.become("slow");
    rampart = new RampartProcess(lab.shield, { policies: { "endpoint.yaml": ETH0 }, env: iptables.env });
    const starting = rampart.start();
    // The files have been read by now, the hooks are not there yet.
    await pause(1500);
    rampart.writePolicy("web.yaml", WEB);
    await starting;
    iptables.become();
    await pause(2000);
    await expectConnects(lab.client, FAMILIES[0]!.shield, 8080);
  });
});

describe.skipIf(noOffload)("a kernel that lets us watch no files", () => {
  test("keeps nobody from being protected", async () => {
    const limit = "/proc/sys/user/max_inotify_watches";
    const set = (value: string) => lab.shield.run(["sh", "-c", `echo ${value} > ${limit}`], { check: true });
    const before = (await lab.shield.run(["cat", limit], { check: true })).stdout.trim();
    await set("0");
    try {
      await start({ "web.yaml": WEB }, { policy: { watch: true } });
      await pause(1000);
      expect(rampart.running).toBe(true);
      expect(rampart.logs().map(({ level }) => level)).toContain("error");
      await expectConnects(lab.client, FAMILIES[0]!.shield, 8080);
      await change(() => rampart.writePolicy("back-door.yaml", BACK_DOOR));
    } finally {
      await set(before);
    }
  });
});

describe("multicast listener messages", () => {
  test("pass only from the link: with a hop limit above 1 they are no such thing", async () => {
    await start({ "web.yaml": WEB });
    const { shield } = FAMILIES[1]!;
    const listener = await icmpListener(lab.shield, "IPv6");
    // Sent with the hop limit of any other packet.
    for (const type of [130, 131, 132, 143]) await sendIcmp(lab.client, shield, type);
    await pause(300);
    await listener.stop();
    expect(listener.stdout).not.toMatch(/^type (130|131|132|143) from fd77::/m);
  });
});
