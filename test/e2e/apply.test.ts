/**
 * `rampart apply` and its kin on real packets: in force when it returns, and
 * the way back, by itself, by command and over a crash.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { controlRequest } from "../../src/control/client.ts";
import type { ApplyPlan } from "../../src/control/plan.ts";
import { type DaemonStatus, parseDaemonStatus } from "../../src/control/status.ts";
import { RampartProcess, startRampart } from "../../src/sandbox/daemon.ts";
import type { SettingsOverlay } from "../../src/sandbox/daemon.ts";
import type { RunResult } from "../../src/sandbox/host.ts";
import { openTcp, openUdp, tcpConnect } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";

const SILENCE_MS = 500;
/** What passes is heard at once, unless the machine is busy. */
const PATIENCE_MS = 10_000;
const EXPIRED = "nobody confirmed the set on trial: rolled back";
/** In force at first: 8080 and 9000, and 8081 from here. */
const WEB = allowPorts("web", "ingress", 8080, 9000) + allowPorts("out", "egress", 8081);
const FIRST = { "endpoint.yaml": ETH0, "web.yaml": WEB };
/** What is applied: 8081 in its place; more text than a control message may have. */
const OTHER = `# ${"policy ".repeat(20_000)}\n${allowPorts("other", "ingress", 8081)}`;
const { shield } = FAMILIES[0]!;

let lab: Lab;
let rampart: RampartProcess;
/** A directory with the set that has 8081. */
let candidate: string;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
beforeEach(() => {
  candidate = mkdtempSync(join(tmpdir(), "rampart-candidate-"));
  writeFileSync(join(candidate, "endpoint.yaml"), ETH0);
  writeFileSync(join(candidate, "other.yaml"), OTHER);
});
afterEach(() => rmSync(candidate, { recursive: true, force: true }));

/** A daemon with the first set, for this test only. */
async function start(settings: SettingsOverlay = {}): Promise<void> {
  rampart = await startRampart(lab.shield, { policies: FIRST, settings });
  onTestFinished(() => rampart.uninstall());
}

/** One for all tests of the group, each of which leaves it with the first set. */
function startForAll(settings: SettingsOverlay = {}): void {
  beforeAll(async () => {
    rampart = await startRampart(lab.shield, { policies: FIRST, settings });
  });
  afterAll(() => rampart.uninstall());
}

function run(...args: string[]): Promise<RunResult> {
  return rampart.command(args);
}

/** What the command prints on stdout. */
async function succeeds(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  return stdout;
}

/** What it prints on stderr. */
async function fails(code: number, ...args: string[]): Promise<string> {
  const result = await run(...args);
  expect(result).toMatchObject({ code });
  return result.stderr;
}

/** Each of the sets allows what the other one denies. */
async function expectSet(which: "first" | "other"): Promise<void> {
  await expectConnects(lab.client, shield, which === "first" ? 8080 : 8081);
}

/** The same, and that nothing else is allowed. */
async function expectOnly(which: "first" | "other"): Promise<void> {
  await expectSet(which);
  await expectDropped(lab.client, shield, which === "first" ? 8081 : 8080);
}

function policyFiles(): string[] {
  return readdirSync(rampart.policyDirectory).toSorted();
}

function socket(): string {
  const { control } = JSON.parse(readFileSync(rampart.configFile, "utf8")) as { control: { socket: string } };
  return control.socket;
}

async function status(): Promise<DaemonStatus> {
  return parseDaemonStatus(await controlRequest(socket(), "status"));
}

async function endings(outcome: "confirmed" | "rolled-back" | "expired"): Promise<number> {
  return rampart.metric("rampart_trials_total", { outcome });
}

/** Resolves when the set on trial was rolled back because the time was up. */
async function expiry(): Promise<void> {
  await expect.poll(() => rampart.logs().some(({ msg }) => msg === EXPIRED), { timeout: 10_000 }).toBe(true);
}

function lines(): string {
  return rampart.logs().map((line) => `${line["level"]} ${line.msg}`).join("\n");
}

describe("a set from elsewhere", () => {
  test("is in force when apply returns, is what the files say, and outlives a crash; rollback brings back the one before", async () => {
    await start();
    const printed = await succeeds("apply", candidate);
    expect(printed).toMatch(/^\+ GlobalNetworkPolicy other \(tier default\)$/m);
    expect(printed).toMatch(/^- GlobalNetworkPolicy web \(tier default\)$/m);
    expect(printed).toMatch(/^generation \d+ in force$/m);
    await expectSet("other");
    expect(policyFiles()).toEqual(["endpoint.yaml", "other.yaml"]);
    expect(readFileSync(join(rampart.policyDirectory, "other.yaml"), "utf8")).toBe(OTHER);
    const replaced = join(rampart.stateDirectory, "replaced", "policy.d", "web.yaml");
    expect(readFileSync(replaced, "utf8")).toBe(WEB);
    expect(await status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    expect(await succeeds("diff", candidate)).toMatch(/^no resource changes$/m);
    await rampart.kill();
    await rampart.start();
    await expectOnly("other");
    expect(await status()).toMatchObject({ inForce: { source: "files" } });

    expect(await succeeds("rollback")).toMatch(/^rolled back: generation \d+ in force$/m);
    await expectSet("first");
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    expect(await fails(1, "rollback")).toMatch(/RAMPART_E_APPLY_NONE there is nothing to roll back to/);
  });

  test("whose files were not written before a crash is enforced all the same, and the state is told", async () => {
    await start();
    await succeeds("diff", candidate);
    // As the command does, and then dies.
    const digest = candidateDigest();
    expect(await controlRequest(socket(), "apply", { digest })).toMatchObject({ install: true });
    expect(await fails(1, "apply", candidate)).toMatch(/RAMPART_E_APPLY_PENDING/);
    await rampart.kill();
    await rampart.start();
    await expectSet("other");
    expect(await status()).toMatchObject({ inForce: { source: "last-good" }, lastReload: { ok: false } });
    expect(lines()).toMatch(/error .*RAMPART_E_APPLY_FILES .*writing them was interrupted/);
    await succeeds("apply", candidate);
    expect(policyFiles()).toEqual(["endpoint.yaml", "other.yaml"]);
    expect(await status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    await expectSet("other");
  });
});

describe("when apply returns", () => {
  test.each(["connmark", "none"])("no forbidden connection speaks, whichever side tries, with offload %s", async (offload) => {
    await start({ datapath: { offload } });
    const all = [];
    const tuples = [];
    for (const family of FAMILIES) {
      for (let i = 0; i < 10; i++) {
        // Below those that the kernel gives out.
        const sourcePort = 21_000 + i + (offload === "none" ? 100 : 0) + (family.family === "IPv6" ? 50 : 0);
        const [from, source, to, port] =
          i < 8 ? [lab.client, family.client, family.shield, 8080] : [lab.shield, family.shield, family.client, 8081];
        const protocol = i < 3 ? "udp" : "tcp";
        all.push(await (protocol === "tcp" ? openTcp : openUdp)(from, to, port, { sourcePort }));
        tuples.push(expect.objectContaining({ protocol, source, sourcePort, destination: to, destinationPort: port }));
      }
    }
    for (const each of all) expect(await each.exchange("before", PATIENCE_MS)).toMatchObject({ line: "before" });

    const plan = JSON.parse(await succeeds("diff", candidate, "--json")) as ApplyPlan;
    // Others are those of earlier tests whose end was not heard of.
    expect(plan.forecast?.listed).toEqual(expect.arrayContaining(tuples));
    expect(plan.forecast?.cut).toBe(plan.forecast?.listed.length);
    for (const { destinationPort, by, endpoint } of plan.forecast?.listed ?? []) {
      expect([by, endpoint]).toEqual([destinationPort === 8080 ? "end of tier default" : "no-policy", "shield-eth0"]);
    }


    const before = { returned: false };
    const talk = all.map(async (each, i) => {
      for (let n = 0; !before.returned; n++) await each.exchange(`${i} ${n}`, 100);
    });
    const printed = await succeeds("apply", candidate).finally(() => (before.returned = true));
    // Sent now: nobody may hear of it.
    await lab.server(lab.shield, 8080).speak("server, after");
    await lab.server(lab.client, 8081).speak("server, after");
    await Promise.all(talk);
    const heard = await Promise.all(all.map(async (each) => [await each.exchange("after", SILENCE_MS), await each.listen(SILENCE_MS)]));
    expect(printed).toMatch(/^\d+ of \d+ live connections would be cut:$/m);
    expect(printed).toMatch(/^  tcp \[fd77::2\]:21\d+ -> \[fd77::1\]:8080, by end of tier default at shield-eth0$/m);
    const after = heard.flat().filter(({ line }) => line.includes("after"));
    expect(after).toEqual([]);
    for (const each of all) await each.close();
  });
});

describe("on trial", () => {
  startForAll();

  test("a set that nobody confirms is rolled back by the daemon, and what it cut is allowed again", async () => {
    const connection = await openTcp(lab.client, shield, 8080);
    expect(await connection.exchange("before", PATIENCE_MS)).toMatchObject({ line: "before" });
    expect(await succeeds("apply", candidate, "--confirm", "3s")).toMatch(/rolled back in 3 s unless `rampart confirm`/);
    await expectConnects(lab.client, shield, 8081);
    expect(await connection.exchange("cut", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
    await expiry();
    await expectOnly("first");
    const again = await openTcp(lab.client, shield, 8080);
    expect(await again.exchange("again", PATIENCE_MS)).toMatchObject({ line: "again" });
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    expect(await status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    expect(await endings("expired")).toBe(1);
    expect(await fails(1, "confirm")).toMatch(/RAMPART_E_APPLY_NONE no set waits for a confirmation/);
    for (const each of [connection, again]) await each.close();
  });

  test("a confirmed set stays, also over a restart, and the files say so", async () => {
    await succeeds("apply", candidate, "--confirm", "5m");
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    expect((await run("status")).stdout).toMatch(/ON TRIAL: rolled back in \d+ s unless `rampart confirm` comes before/);
    expect(await rampart.metric("rampart_confirmation_seconds_left")).toBeGreaterThan(200);
    expect(await succeeds("confirm")).toMatch(/^confirmed: generation \d+ in force$/m);
    expect((await status()).confirmation).toBeUndefined();
    expect(await rampart.metrics()).not.toMatch(/^rampart_confirmation_seconds_left /m);
    expect(await endings("confirmed")).toBe(1);
    expect(policyFiles()).toEqual(["endpoint.yaml", "other.yaml"]);
    await rampart.kill();
    await rampart.start();
    await expectSet("other");
    await succeeds("rollback");
    await expectSet("first");
  });

  test("holds off another apply and a reload; a change of files waits until it is over", async () => {
    await succeeds("apply", candidate, "--confirm", "5m");
    const generation = await rampart.generation();
    expect(await fails(1, "apply", candidate)).toMatch(/RAMPART_E_APPLY_PENDING/);
    expect(await fails(1, "reload")).toMatch(/RAMPART_E_APPLY_PENDING/);
    rampart.writePolicy("web.yaml", allowPorts("web", "ingress", 8080, 8081));
    await rampart.waitForLog("the noted change", ({ msg }) => /files changed; they are loaded when/.test(msg ?? ""));
    expect(await rampart.generation()).toBe(generation);
    await expectDropped(lab.client, shield, 8080);
    await succeeds("rollback");
    await expect.poll(() => rampart.logs().some((line) => line["reason"] === "files" && line.msg === "policy in force")).toBe(true);
    await expectConnects(lab.client, shield, 8080);
    await expectConnects(lab.client, shield, 8081);
    expect(await endings("rolled-back")).toBe(1);
    await rampart.changePolicy(() => rampart.writePolicy("web.yaml", WEB));
  });

  test("a daemon that is killed meanwhile starts with the set before, and says so", async () => {
    await succeeds("apply", candidate, "--confirm", "5m");
    await expectSet("other");
    await rampart.kill();
    await rampart.start();
    await expectOnly("first");
    expect((await status()).confirmation).toBeUndefined();
    expect(lines()).toMatch(/warn a set was on trial when the daemon ended; nobody confirmed it/);
    expect(await status()).toMatchObject({ inForce: { source: "files" } });
  });
});

test("a trial after a start with broken files and no last good set ends where it began: closed", async () => {
  rampart = new RampartProcess(lab.shield, { policies: { ...FIRST, "web.yaml": WEB.replace("Allow", "Alow") } });
  onTestFinished(() => rampart.uninstall());
  await rampart.start();
  await succeeds("apply", candidate, "--confirm", "1s");
  await expiry();
  expect(await status()).toMatchObject({ inForce: { source: "closed" }, lastReload: { ok: false } });
  await expectConnects(lab.client, shield, 22);
  for (const port of [8080, 8081]) await expectDropped(lab.client, shield, port);
  await succeeds("apply", candidate);
  await expectSet("other");
  expect(policyFiles()).toEqual(["endpoint.yaml", "other.yaml"]);
  expect(await status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
  expect(await fails(1, "rollback")).toMatch(/RAMPART_E_APPLY_NONE/);
});

describe("files edited in place, and not watched", () => {
  startForAll({ policy: { watch: false } });
  beforeEach(() => {
    rampart.removePolicy("web.yaml");
    rampart.writePolicy("other.yaml", OTHER);
  });

  test("are applied without a path, as a reload with a diff", async () => {
    expect(await succeeds("diff")).toMatch(/^\+ GlobalNetworkPolicy other/m);
    await expectSet("first");
    await succeeds("apply", rampart.policyDirectory);
    await expectSet("other");
    expect(policyFiles()).toEqual(["endpoint.yaml", "other.yaml"]);
    expect(await status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    await succeeds("rollback");
  });

  test("and not confirmed: a start after a crash enforces the set before, until the files are put right", async () => {
    await succeeds("apply", "--confirm", "5m");
    await expectSet("other");
    await rampart.kill();
    await rampart.start();
    await expectOnly("first");
    expect(await status()).toMatchObject({ inForce: { source: "last-good" }, lastReload: { ok: false } });
    expect((await run("status")).stdout).toMatch(/DEGRADED: the LAST GOOD SET is in force/);
    expect(lines()).toMatch(/error RAMPART_E_UNCONFIRMED the policy files hold a set .* not confirmed/);
    await succeeds("rollback");
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    expect(await status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    await expectSet("first");
  });

  test("and not confirmed in time: the set before is in force, and who asks for the files gets them", async () => {
    await succeeds("apply", "--confirm", "1s");
    await expiry();
    await expectSet("first");
    expect(await status()).toMatchObject({ inForce: { source: "last-good" }, lastReload: { ok: false } });
    await succeeds("reload");
    await expectSet("other");
    expect(await status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    rampart.writePolicy("web.yaml", WEB);
    rampart.removePolicy("other.yaml");
    await succeeds("apply");
  });

  test("and rolled back while on trial: the files are put back, the edited ones are kept", async () => {
    await succeeds("apply", "--confirm", "5m");
    await succeeds("rollback");
    await expectSet("first");
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    expect(readFileSync(join(rampart.stateDirectory, "replaced", "policy.d", "other.yaml"), "utf8")).toBe(OTHER);
    expect(await status()).toMatchObject({ inForce: { source: "files" } });
  });
});

describe("refusals", () => {
  const SESSION = "10.77.0.2:50022-10.77.0.1:9000";
  const SSH = "10.77.0.2 50022 10.77.0.1 9000";
  const CLI = [process.execPath, "dist/bundle/main.js"];
  startForAll();

  test("a set with an error changes nothing, and the error has its place", async () => {
    const file = join(candidate, "other.yaml");
    writeFileSync(file, OTHER.replace("Allow", "Alow"));
    const before = await rampart.generation();
    expect(await fails(1, "apply", candidate)).toMatch(new RegExp(`^${file}:\\d+:\\d+: RAMPART_E_`));
    expect(await fails(1, "apply", join(candidate, "absent"))).toMatch(/RAMPART_E_FILE_MISSING/);
    expect(await fails(1, "apply", join(rampart.policyDirectory, "web.yaml"))).toMatch(/RAMPART_E_APPLY_TARGET/);
    expect(await rampart.generation()).toBe(before);
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    await expectSet("first");
  });

  test("the session it is run from is not cut, unless forced; a failsafe port is safe, and so is what the set allows", async () => {
    const before = await rampart.generation();
    const refusal = await run("apply", candidate, "--session", SESSION);
    expect(refusal).toMatchObject({ code: 3, stderr: expect.stringMatching(/RAMPART_E_LOCKS_OUT .*from 10\.77\.0\.2 port 50022/) });
    expect(await rampart.generation()).toBe(before);
    await expectSet("first");
    const sessions = ["10.77.0.2 50022 10.77.0.1 22", "fd77::2 50022 fd77::1 8081"];
    const plan = await controlRequest(socket(), "apply-plan", { digest: candidateDigest(), sessions });
    expect(plan).not.toHaveProperty("locksOut");
    expect((await run("diff", candidate, "--session", "[fd77::2]:50022-[fd77::1]:9000")).stderr).toMatch(/RAMPART_E_LOCKS_OUT/);
    expect(await fails(1, "diff", candidate, "--session", "nonsense")).toMatch(/RAMPART_E_SESSION/);
    await succeeds("apply", candidate, "--session", SESSION, "--force");
    await expectSet("other");
    await succeeds("rollback");
  });

  test("the session is found in the environment, also of a parent process", async () => {
    const apply = [...CLI, "apply", candidate, "--config", rampart.configFile];
    const env = { SSH_CONNECTION: SSH };
    expect(await lab.shield.run(apply, { env })).toMatchObject({ code: 3 });
    // As sudo does.
    const without = ["sh", "-c", 'env -u SSH_CONNECTION "$@"; exit $?', "sh", ...apply];
    expect(await lab.shield.run(without, { env })).toMatchObject({ code: 3 });
  });

  test("the session is found by the connection that a parent process has accepted", async () => {
    const script = `
      const { execFile } = require("node:child_process");
      const [file, ...args] = process.argv.slice(1);
      require("node:net").createServer((socket) => {
        socket.on("error", () => {});
        execFile(file, args, (error, stdout, stderr) => socket.write((error?.code ?? 0) + " " + stderr));
      }).listen(9000, "::");`;
    const argv = [process.execPath, "-e", script, "--", ...CLI, "apply", candidate, "--config", rampart.configFile];
    const server = lab.shield.spawn(argv);
    try {
      for (const family of FAMILIES) {
        await expect.poll(() => tcpConnect(lab.client, family.shield, 9000), { timeout: 10_000 }).toBe("connected");
        const session = await openTcp(lab.client, family.shield, 9000);
        expect((await session.listen(30_000)).line).toMatch(/^3 RAMPART_E_LOCKS_OUT /);
        await session.close();
      }
    } finally {
      await server.stop();
    }
  });

  test("on a terminal apply asks whether to go on", async () => {
    const apply = [...CLI, "apply", candidate, "--config", rampart.configFile].join(" ");
    const no = await lab.shield.run(["script", "-qec", apply, "/dev/null"], { input: "n\n" });
    expect(no).toMatchObject({ code: 1, stdout: expect.stringMatching(/RAMPART_W_SESSION_UNKNOWN.*apply it\? \[y\/N\].*nothing was changed/s) });
    const yes = await lab.shield.run(["script", "-qec", apply, "/dev/null"], { input: "y\n" });
    expect(yes).toMatchObject({ code: 0 });
    await expectSet("other");
  });
});

/** Of the set that the last diff put where the daemon finds it. */
function candidateDigest(): string {
  const head = readFileSync(join(rampart.stateDirectory, "candidate"), "utf8").split("\n")[0] ?? "";
  return /sha256:([0-9a-f]+)/.exec(head)?.[1] ?? "";
}
