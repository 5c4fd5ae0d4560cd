import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ControlServer } from "../../src/control/server.ts";
import { loadPacketFilterCompiler } from "../../src/native/load.ts";
import { TapHub } from "../../src/tap/tap-hub.ts";
import { SYN, ip, tapPacket, tcp, udp } from "./packets.ts";

const TCP = tapPacket(ip("10.0.0.2", "10.0.0.1", 6, tcp(51_234, 22, { flags: SYN })));
const UDP = tapPacket(ip("10.0.0.2", "10.0.0.1", 17, udp(40_000, 53, "x")));
const TCP_LINE = new RegExp(
  String.raw`^\d\d:\d\d:\d\d\.123456 IP 10\.0\.0\.2\.51234 > 10\.0\.0\.1\.22: ` +
    String.raw`Flags \[S\], seq 1000, win 64240, length 0 \| ` +
    String.raw`drop input eth0 endpoint=web policy=default/deny-all rule=ingress\[2\] reason=policy$`,
  "m",
);

let directory: string;
let socket: string;
let hub: TapHub;
let server: ControlServer;
let children: Command[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "rampart-tap-cli-"));
  socket = join(directory, "control.sock");
  children = [];
  hub = new TapHub({ compile: (text) => loadPacketFilterCompiler().compile(text), onActiveChange: () => {} });
  server = new ControlServer(socket, { tap: (params, stream) => hub.subscribe(stream, params) });
  await server.listen();
});

afterEach(async () => {
  for (const { child } of children) child.kill("SIGKILL");
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Command {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly exit: Promise<number | null>;
  stdout(): string;
  stderr(): string;
}

/** The built command against the hub in this process. */
function tap(...args: string[]): Command {
  const child = spawn(process.execPath, ["dist/bundle/main.js", "tap", "--socket", socket, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  const command: Command = {
    child,
    exit: once(child, "close").then(([code]) => code as number | null),
    stdout: () => Buffer.concat(stdout).toString("latin1"),
    stderr: () => Buffer.concat(stderr).toString(),
  };
  children.push(command);
  return command;
}

async function listening(): Promise<void> {
  await expect.poll(() => hub.subscribers, { timeout: 10_000 }).toBe(1);
}

describe("rampart tap", () => {
  it("prints matching packets, ends after -c of them, and sums up on standard error", async () => {
    const command = tap("-n", "-c", "2", "tcp", "port", "22");
    await listening();
    for (const packet of [TCP, UDP, TCP, TCP]) hub.publish(packet);
    expect(await command.exit).toBe(0);
    const lines = command.stdout().trimEnd().split("\n");
    expect(lines).toEqual([expect.stringMatching(TCP_LINE), expect.stringMatching(TCP_LINE)]);
    expect(command.stderr()).toContain("2 packets, 0 lost\n");
  });

  it.each(["SIGINT", "SIGTERM"] as const)("ends on %s with the sum, lost packets included", async (signal) => {
    const command = tap("-n");
    await listening();
    hub.publish(TCP);
    await expect.poll(() => command.stdout()).toMatch(/\n$/);
    hub.missed(3);
    command.child.kill(signal);
    expect(await command.exit).toBe(0);
    expect(command.stderr()).toContain("1 packets, 3 lost\n");
    expect(hub.subscribers).toBe(0);
  });

  it("writes pcapng with -w, for its owner only, that tcpdump reads", async () => {
    const file = join(directory, "out.pcapng");
    const command = tap("-c", "2", "-w", file);
    await listening();
    hub.publish(TCP);
    hub.publish(UDP);
    expect(await command.exit).toBe(0);
    expect(command.stdout()).toBe("");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const read = spawnSync("tcpdump", ["-n", "-r", file], { encoding: "utf8" });
    expect(read.stdout.trimEnd().split("\n")).toEqual([
      expect.stringContaining("IP 10.0.0.2.51234 > 10.0.0.1.22: Flags [S]"),
      expect.stringContaining("IP 10.0.0.2.40000 > 10.0.0.1.53:"),
    ]);
  });

  it("writes pcapng to standard output with -w -", async () => {
    const command = tap("-c", "1", "-w", "-");
    await listening();
    hub.publish(TCP);
    expect(await command.exit).toBe(0);
    expect(Buffer.from(command.stdout().slice(0, 4), "latin1").toString("hex")).toBe("0a0d0d0a");
  });

  it("ends quietly when whoever reads its output has seen enough", async () => {
    const command = tap("-n");
    await listening();
    hub.publish(TCP);
    await expect.poll(() => command.stdout()).toMatch(/\n$/);
    command.child.stdout.destroy();
    const flood = setInterval(() => hub.publish(TCP), 5);
    expect(await command.exit).toBe(0);
    clearInterval(flood);
    expect(command.stderr()).not.toContain("Error");
  });

  it("makes the daemon drop and count, not itself grow, when its output is stuck", async () => {
    const command = tap("-n");
    await listening();
    command.child.stdout.pause();
    for (let i = 0; i < 200 && hub.lost === 0; i++) {
      for (let n = 0; n < 500; n++) hub.publish(TCP);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(hub.lost).toBeGreaterThan(0);
    command.child.stdout.resume();
    command.child.kill("SIGINT");
    expect(await command.exit).toBe(0);
    expect(command.stderr()).toMatch(/\d+ packets, [1-9]\d* lost\n/);
  });

  it("fails with libpcap's words for a bad filter", async () => {
    const command = tap("tcp", "prot", "22");
    expect(await command.exit).toBe(1);
    expect(command.stderr()).toMatch(/^RAMPART_E_TAP_FILTER the filter "tcp prot 22" is not valid: .*\(.*\)\n$/);
  });

  it("fails without a daemon, and leaves an older file as it was", async () => {
    await server.close();
    const file = join(directory, "kept");
    writeFileSync(file, "kept");
    const command = tap("-w", file);
    expect(await command.exit).toBe(1);
    expect(command.stderr()).toMatch(/^RAMPART_E_DAEMON_ABSENT no rampart daemon answers on /);
    expect(readFileSync(file, "utf8")).toBe("kept");
  });

  it("fails when its file cannot be written", async () => {
    const command = tap("-w", join(directory, "missing", "file"));
    expect(await command.exit).toBe(1);
    expect(command.stderr()).toContain("RAMPART_E_TAP_WRITE cannot write packets to ");
    expect(existsSync(join(directory, "missing"))).toBe(false);
    await expect.poll(() => hub.subscribers).toBe(0);
  });

  it("fails, with what it has seen, when the daemon goes away", async () => {
    const command = tap("-n");
    await listening();
    hub.publish(TCP);
    await expect.poll(() => command.stdout()).toMatch(TCP_LINE);
    await server.close();
    expect(await command.exit).toBe(1);
    expect(command.stderr()).toContain("1 packets, 0 lost\n");
    expect(command.stderr()).toContain("RAMPART_E_CONTROL_LOST");
  });

  it.each([["-c", "0"], ["-c", "many"], ["-s", "-1"]])("refuses %s %s", async (...args) => {
    const command = tap(...args);
    expect(await command.exit).toBe(1);
    expect(command.stderr()).toContain("It must be a whole number above 0.");
  });
});
