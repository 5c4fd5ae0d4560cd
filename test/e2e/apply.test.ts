/**
 * `rampart apply` and its kin on real packets: in force when it returns, and
 * the way back, by itself, by command and over a crash.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { controlRequest } from "../../src/control/client.ts";
import type { ApplyPlan } from "../../src/control/plan.ts";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess, SettingsOverlay } from "../../src/sandbox/daemon.ts";
import type { RunResult } from "../../src/sandbox/host.ts";
import { openTcp, openUdp } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";

const SILENCE_MS = 500;
/** In force at first: 8080. */
const FIRST = { "endpoint.yaml": ETH0, "web.yaml": allowPorts("web", "ingress", 8080) };
/** What is applied: 8081 in its place. */
const OTHER = allowPorts("other", "ingress", 8081);
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
afterEach(async () => {
  rmSync(candidate, { recursive: true, force: true });
  await rampart.uninstall();
});

async function start(settings: SettingsOverlay = {}): Promise<void> {
  rampart = await startRampart(lab.shield, { policies: FIRST, settings });
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

async function expectSet(which: "first" | "other"): Promise<void> {
  const [open, shut] = which === "first" ? [8080, 8081] : [8081, 8080];
  await expectConnects(lab.client, shield, open);
  await expectDropped(lab.client, shield, shut);
}

function policyFiles(): string[] {
  return readdirSync(rampart.policyDirectory).toSorted();
}

async function onTrial(): Promise<boolean> {
  const status = await rampart.status();
  return status["confirmation"] !== undefined;
}

async function endings(outcome: "confirmed" | "rolled-back" | "expired"): Promise<number> {
  return rampart.metric("rampart_trials_total", { outcome });
}

async function lines(): Promise<string> {
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
    expect(readFileSync(replaced, "utf8")).toBe(FIRST["web.yaml"]);
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    expect(await succeeds("diff", candidate)).toMatch(/^no resource changes$/m);
    await rampart.kill();
    await rampart.start();
    await expectSet("other");
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" } });

    expect(await succeeds("rollback")).toMatch(/^rolled back: generation \d+ in force$/m);
    await expectSet("first");
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    expect(await fails(1, "rollback")).toMatch(/RAMPART_E_APPLY_NONE there is nothing to roll back to/);
  });

  test("with an error changes nothing, and the error has its place", async () => {
    await start();
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

  test("whose files were not written before a crash is enforced all the same, and the state is told", async () => {
    await start();
    await succeeds("diff", candidate);
    // As the command does, and then dies.
    const { socket, digest } = await candidateFile();
    expect(await controlRequest(socket, "apply", { digest })).toMatchObject({ install: true });
    expect(await fails(1, "apply", candidate)).toMatch(/RAMPART_E_APPLY_PENDING/);
    await rampart.kill();
    await rampart.start();
    await expectSet("other");
    expect(await rampart.status()).toMatchObject({ inForce: { source: "last-good" }, lastReload: { ok: false } });
    expect(await lines()).toMatch(/error .*RAMPART_E_APPLY_FILES .*writing them was interrupted/);
    await succeeds("apply", candidate);
    expect(policyFiles()).toEqual(["endpoint.yaml", "other.yaml"]);
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    await expectSet("other");
  });
});

describe("when apply returns", () => {
  test.each(["connmark", "none"])("no forbidden connection speaks, whichever side tries, with offload %s", async (offload) => {
    await start({ datapath: { offload } });
    const tcp = [];
    const udp = [];
    for (const family of FAMILIES) {
      for (let i = 0; i < 10; i++) tcp.push(await openTcp(lab.client, family.shield, 8080));
      for (let i = 0; i < 5; i++) udp.push(await openUdp(lab.client, family.shield, 8080));
    }
    const all = [...tcp, ...udp];
    for (const each of all) expect(await each.exchange("before")).toMatchObject({ line: "before" });

    const plan = JSON.parse(await succeeds("diff", candidate, "--json")) as ApplyPlan;
    expect(plan.forecast).toMatchObject({ cut: all.length, unsure: 0 });
    expect(plan.forecast?.listed[0]).toMatchObject({ destinationPort: 8080, by: "end of tier default", endpoint: "shield-eth0" });

    let returned = false;
    const talk = all.map(async (each, i) => {
      for (let n = 0; !returned; n++) await each.exchange(`${i} ${n}`, 100);
    });
    expect(await succeeds("apply", candidate)).toMatch(new RegExp(`^${all.length} of \\d+ live connections would be cut:$`, "m"));
    returned = true;
    // Sent now: nobody may hear of it.
    await lab.server(lab.shield, 8080).speak("server, after");
    await Promise.all(talk);
    const heard = await Promise.all(all.map(async (each) => [await each.exchange("after", SILENCE_MS), await each.listen(SILENCE_MS)]));
    const after = heard.flat().filter(({ line }) => line.includes("after"));
    expect(after).toEqual([]);
    for (const each of all) await each.close();
  });
});

describe("on trial", () => {
  beforeEach(async () => {
    await start();
  });

  test("a set that nobody confirms is rolled back by the daemon, and what it cut is allowed again", async () => {
    const connection = await openTcp(lab.client, shield, 8080);
    expect(await connection.exchange("before")).toMatchObject({ line: "before" });
    expect(await succeeds("apply", candidate, "--confirm", "3s")).toMatch(/rolled back in 3 s unless `rampart confirm`/);
    await expectConnects(lab.client, shield, 8081);
    expect(await connection.exchange("cut", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
    await expect.poll(() => endings("expired"), { timeout: 10_000 }).toBe(1);
    await expectSet("first");
    const again = await openTcp(lab.client, shield, 8080);
    expect(await again.exchange("again")).toMatchObject({ line: "again" });
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    expect(await lines()).toMatch(/warn nobody confirmed the set on trial: rolled back/);
    expect(await fails(1, "confirm")).toMatch(/RAMPART_E_APPLY_NONE no set waits for a confirmation/);
    for (const each of [connection, again]) await each.close();
  });

  test("a confirmed set stays, also over a restart, and the files say so", async () => {
    await succeeds("apply", candidate, "--confirm", "5m");
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    expect((await run("status")).stdout).toMatch(/ON TRIAL: rolled back in \d+ s unless `rampart confirm` comes before/);
    expect(await rampart.metric("rampart_confirmation_seconds_left")).toBeGreaterThan(200);
    expect(await succeeds("confirm")).toMatch(/^confirmed: generation \d+ in force$/m);
    expect(await onTrial()).toBe(false);
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
  });

  test("a daemon that is killed meanwhile starts with the set before, and says so", async () => {
    await succeeds("apply", candidate, "--confirm", "5m");
    await expectSet("other");
    await rampart.kill();
    await rampart.start();
    await expectSet("first");
    expect(await onTrial()).toBe(false);
    expect(await lines()).toMatch(/warn a set was on trial when the daemon ended; nobody confirmed it/);
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" } });
  });
});

describe("files edited in place, and not watched", () => {
  beforeEach(async () => {
    await start({ policy: { watch: false } });
    rampart.removePolicy("web.yaml");
    rampart.writePolicy("other.yaml", OTHER);
  });

  test("are applied without a path, as a reload with a diff", async () => {
    expect(await succeeds("diff")).toMatch(/^\+ GlobalNetworkPolicy other/m);
    await expectSet("first");
    await succeeds("apply", rampart.policyDirectory);
    await expectSet("other");
    expect(policyFiles()).toEqual(["endpoint.yaml", "other.yaml"]);
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
  });

  test("and not confirmed: a start after a crash enforces the set before, until the files are put right", async () => {
    await succeeds("apply", "--confirm", "5m");
    await expectSet("other");
    await rampart.kill();
    await rampart.start();
    await expectSet("first");
    expect(await rampart.status()).toMatchObject({ inForce: { source: "last-good" }, lastReload: { ok: false } });
    expect((await run("status")).stdout).toMatch(/DEGRADED: the LAST GOOD SET is in force/);
    expect(await lines()).toMatch(/error RAMPART_E_UNCONFIRMED the policy files hold a set .* not confirmed/);
    await succeeds("rollback");
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    await expectSet("first");
  });

  test("and not confirmed in time: the set before is in force, and who asks for the files gets them", async () => {
    await succeeds("apply", "--confirm", "1s");
    await expect.poll(() => endings("expired"), { timeout: 10_000 }).toBe(1);
    await expectSet("first");
    expect(await rampart.status()).toMatchObject({ inForce: { source: "last-good" }, lastReload: { ok: false } });
    await succeeds("reload");
    await expectSet("other");
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
  });

  test("and rolled back while on trial: the files are put back, the edited ones are kept", async () => {
    await succeeds("apply", "--confirm", "5m");
    await succeeds("rollback");
    await expectSet("first");
    expect(policyFiles()).toEqual(["endpoint.yaml", "web.yaml"]);
    expect(readFileSync(join(rampart.stateDirectory, "replaced", "policy.d", "other.yaml"), "utf8")).toBe(OTHER);
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" } });
  });
});

/** The set that the last diff put where the daemon finds it. */
async function candidateFile(): Promise<{ readonly socket: string; readonly digest: string }> {
  const head = readFileSync(join(rampart.stateDirectory, "candidate"), "utf8").split("\n")[0] ?? "";
  const { control } = JSON.parse(readFileSync(rampart.configFile, "utf8")) as { control: { socket: string } };
  return { socket: control.socket, digest: /sha256:([0-9a-f]+)/.exec(head)?.[1] ?? "" };
}
