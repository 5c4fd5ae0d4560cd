import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ControlServer } from "../../src/control/server.ts";
import type { DaemonStatus } from "../../src/control/status.ts";

const STATUS: DaemonStatus = {
  version: "0.1.0",
  pid: 4_711,
  node: "node-a",
  state: "enforcing",
  uptimeSeconds: 8_000,
  generation: 3,
  failOpen: false,
  policies: 12,
  endpoints: [
    { name: "web", interfaces: ["eth0", "eth1"] },
    { name: "backup", interfaces: [] },
  ],
  hooks: { variant: "nft", families: ["IPv4", "IPv6"], problems: [] },
  queues: [{ queue: 100, packets: 60, pending: 2, kernelDropped: 1, userDropped: null, enobufs: 0 }],
  packets: { accepted: 50, dropped: 9, rejected: 1 },
  flows: 17,
  lastReload: { at: "2026-01-02T03:04:05Z", ok: true, durationMs: 12.4, errors: [] },
  warnings: [],
};

let directory: string;
let socket: string;
let server: ControlServer;
let answer: unknown;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "rampart-status-"));
  socket = join(directory, "control.sock");
  server = new ControlServer(socket, { status: () => answer });
  await server.listen();
});

afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** The built command. */
async function status(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ["dist/bundle/main.js", "status", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const [code] = await once(child, "close");
  return { code: code as number | null, ...output };
}

describe("rampart status", () => {
  it("shows on a page what is enforced", async () => {
    answer = STATUS;
    const { code, stdout } = await status("--socket", socket);
    expect(code).toBe(0);
    expect(stdout).toBe(`rampart 0.1.0 on node-a: enforcing for 2 h 13 min, pid 4711
  policy     12 policies, generation 3
             last reload 2026-01-02T03:04:05Z, ok in 12 ms
  endpoints  web: eth0, eth1
             backup: no interface at present
  hooks      iptables-nft, IPv4 and IPv6: in place
  queues     100: 60 read, 2 waiting, dropped by the kernel 1 (queue full) and ? (buffer full), 0 buffer overflows
  packets    50 accepted, 9 dropped, 1 rejected
  flows      17 held in userspace
  overload   closed: packets are dropped
`);
  });

  it("tells of staged policies, and what they would have changed", async () => {
    answer = { ...STATUS, staged: { policies: 2, wouldDeny: 7, wouldAllow: 1 } };
    expect((await status("--socket", socket)).stdout).toContain(
      "\n  staged     2 policies, not enforced; would have denied 7 new connections that passed, and passed 1 that were denied\n",
    );
    answer = { ...STATUS, staged: { policies: 0, wouldDeny: 0, wouldAllow: 0 } };
    expect((await status("--socket", socket)).stdout).not.toContain("staged");
  });

  it("says what is in force in place of policy files with errors", async () => {
    const lastReload = { ...STATUS.lastReload, ok: false, errors: ["a.yaml:3:5: RAMPART_E_YAML bad"] };
    answer = { ...STATUS, lastReload, inForce: { source: "last-good", savedAt: "2026-01-01T00:00:00.000Z" } };
    expect((await status("--socket", socket)).stdout).toContain(
      `enforcing for 2 h 13 min, pid 4711
  policy     DEGRADED: the LAST GOOD SET is in force, written 2026-01-01T00:00:00.000Z
             12 policies, generation 3
             last reload 2026-01-02T03:04:05Z FAILED, what is said above stays in force:
             a.yaml:3:5: RAMPART_E_YAML bad
`,
    );
    answer = { ...STATUS, lastReload, inForce: { source: "closed" } };
    expect((await status("--socket", socket)).stdout).toContain("CLOSED, only failsafe ports are open");
    answer = { ...STATUS, lastReload, inForce: { source: "open" } };
    expect((await status("--socket", socket)).stdout).toMatch(/NOT enforcing for[^]*OPEN, nothing is protected/);
    answer = { ...STATUS, inForce: { source: "files" } };
    expect((await status("--socket", socket)).stdout).not.toContain("DEGRADED");
  });

  it("puts what is wrong where it cannot be missed", async () => {
    answer = {
      ...STATUS,
      failOpen: true,
      endpoints: [],
      hooks: { ...STATUS.hooks, problems: ["IPv6: the jump in INPUT is missing"] },
      lastReload: { ...STATUS.lastReload, ok: false, errors: ["a.yaml:3:5: RAMPART_E_YAML bad"] },
      warnings: ["no HostEndpoint is for this host"],
    };
    const { stdout } = await status("--socket", socket);
    for (const text of [
      "endpoints  NONE on this host: nothing is protected",
      "iptables-nft, IPv4 and IPv6: NOT as they should be\n             IPv6: the jump in INPUT is missing",
      "FAILED, the policy before it stays in force:\n             a.yaml:3:5: RAMPART_E_YAML bad",
      "overload   OPEN: packets pass unjudged (failOpen)",
      "warnings   no HostEndpoint is for this host",
    ]) {
      expect(stdout).toContain(text);
    }
  });

  it("is the daemon's own answer with --json", async () => {
    answer = { ...STATUS, newer: 1 };
    const { stdout } = await status("--json", "--socket", socket);
    expect(JSON.parse(stdout)).toEqual(answer);
  });

  it("finds the socket in the settings file", async () => {
    answer = STATUS;
    const config = join(directory, "rampart.yaml");
    writeFileSync(config, `control:\n  socket: ${socket}\n`);
    expect((await status("--config", config)).stdout).toMatch(/^rampart 0\.1\.0 on node-a: enforcing/);
  });

  it("says so when the daemon is of a version it does not understand", async () => {
    answer = { ...STATUS, queues: "many" };
    const { code, stderr } = await status("--socket", socket);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^RAMPART_E_CONTROL_VERSION the daemon's status has no usable field "queues"/);
  });

  it("fails without a daemon, in one sentence", async () => {
    await server.close();
    const { code, stdout, stderr } = await status("--socket", socket);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(
      `RAMPART_E_DAEMON_ABSENT no rampart daemon answers on ${socket} ` +
        "(start it with `rampart run --config FILE` or `systemctl start rampart`, or name its socket with --socket)\n",
    );
  });
});
