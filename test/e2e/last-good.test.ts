/**
 * A start with broken policy files: the last good set is enforced, without one
 * what `startup` says, loudly, until the files are mended.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { RampartProcess, startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartOptions, SettingsOverlay } from "../../src/sandbox/daemon.ts";
import { openTcp, openUdp } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0, hostEndpoint } from "./support/documents.ts";
import { expectConnects, expectDropped, expectPing, expectUdpAnswered, expectUdpDropped } from "./support/lab.ts";
import { FAMILIES, Lab } from "./support/lab.ts";
import { NODE, NODE_ADDRESS, PodLab } from "./support/pod-lab.ts";

const GOOD = { "endpoint.yaml": ETH0, "web.yaml": allowPorts("web", "ingress", 8080) };
const MENDED = allowPorts("web", "ingress", 8081);
const BROKEN = GOOD["web.yaml"].replace('"Allow"', '"Alow"');
const SILENCE_MS = 600;

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
afterEach(async () => {
  await rampart.uninstall();
});

/** A daemon with files of its own that does not run yet. */
function prepare(policies: RampartOptions["policies"], settings: SettingsOverlay = {}): void {
  rampart = new RampartProcess(lab.shield, { policies, settings });
}

async function end(): Promise<void> {
  await rampart.signal("SIGTERM");
  expect(await rampart.exited()).toMatchObject({ code: 0 });
}

/** End the daemon; what a reboot leaves of it is its files. */
async function endAsForReboot(): Promise<void> {
  await end();
  await rampart.removeHooks();
}

/** TCP from the client to the shield's ports, both families. */
async function expectPorts(expected: { readonly open: readonly number[]; readonly shut: readonly number[] }): Promise<void> {
  await Promise.all(
    FAMILIES.flatMap(({ shield }) => [
      ...expected.open.map((port) => expectConnects(lab.client, shield, port)),
      ...expected.shut.map((port) => expectDropped(lab.client, shield, port)),
    ]),
  );
}

async function inForce(): Promise<unknown> {
  return (await rampart.status())["inForce"];
}

async function readiness(): Promise<unknown> {
  const { status, body } = await rampart.get("/readyz");
  return { status, ...(JSON.parse(body) as object) };
}

function ownRules(): Promise<string> {
  return lab.shield.run(["iptables-save"], { check: true }).then(({ stdout }) => {
    return stdout.split("\n").filter((line) => line.includes("RAMPART")).join("\n");
  });
}

/** Every sign by which somebody who looks at log, status, readiness or metrics learns of it. */
async function expectLoud(source: "last-good" | "closed" | "open", page: RegExp, message: RegExp): Promise<void> {
  const place = new RegExp(`${join(rampart.policyDirectory, "web.yaml")}:\\d+:\\d+: RAMPART_E_`);
  const errors = rampart.logs().filter((line) => line["level"] === "error").map((line) => JSON.stringify(line));
  expect(errors.some((line) => place.test(line))).toBe(true);
  expect(errors.some((line) => message.test(line))).toBe(true);
  const status = (await rampart.status()) as { lastReload: { ok: boolean; errors: string[] } };
  expect(status).toMatchObject({ inForce: { source }, lastReload: { ok: false } });
  expect(status.lastReload.errors.join("\n")).toMatch(place);
  expect((await rampart.command(["status"], { check: true })).stdout).toMatch(page);
  expect(await rampart.metric("rampart_last_good_in_force")).toBe(Number(source === "last-good"));
  expect(await rampart.metric("rampart_startup_in_force", { startup: "closed" })).toBe(Number(source === "closed"));
  expect(await rampart.metric("rampart_startup_in_force", { startup: "open" })).toBe(Number(source === "open"));
  expect(await rampart.metric("rampart_last_reload_successful")).toBe(0);
}

async function expectFilesInForce(): Promise<void> {
  expect(await inForce()).toEqual({ source: "files" });
  expect(await readiness()).toEqual({ status: 200, ready: true });
  expect(await rampart.metric("rampart_last_good_in_force")).toBe(0);
  expect(await rampart.metric("rampart_startup_in_force")).toBe(0);
  expect((await rampart.command(["status"], { check: true })).stdout).not.toContain("DEGRADED");
  await expect.poll(() => rampart.metric("rampart_last_good_stored")).toBe(1);
}

describe("with a last good set", () => {
  test("it is enforced, said so everywhere, and gives way to the files once they are mended", async () => {
    rampart = await startRampart(lab.shield, { policies: GOOD });
    await expectFilesInForce();
    await endAsForReboot();
    rampart.writePolicy("web.yaml", BROKEN);

    await rampart.start();
    await expectPorts({ open: [8080, 22], shut: [8081] });
    await expectLoud("last-good", /LAST GOOD SET/, /last good set, written \d{4}-.*is in force/);
    expect(await readiness()).toMatchObject({ status: 200, ready: true, degraded: expect.stringContaining("last good") });
    expect(await rampart.metric("rampart_last_good_stored")).toBe(1);

    const reload = await rampart.command(["reload"]);
    expect(reload).toMatchObject({ code: 1, stdout: "nothing was changed\n" });
    expect(reload.stderr).toMatch(/web\.yaml:\d+:\d+: RAMPART_E_/);
    expect(await inForce()).toMatchObject({ source: "last-good" });

    await rampart.changePolicy(() => rampart.writePolicy("web.yaml", MENDED));
    await expectPorts({ open: [8081, 22], shut: [8080] });
    await expectFilesInForce();
  });

  test("it is the last that was in force, reloads included, and not one that was refused", async () => {
    rampart = await startRampart(lab.shield, { policies: GOOD });
    await rampart.changePolicy(() => rampart.writePolicy("web.yaml", MENDED));
    rampart.writePolicy("web.yaml", BROKEN);
    await expect.poll(() => rampart.metric("rampart_last_reload_successful")).toBe(0);
    await endAsForReboot();
    await rampart.start();
    expect(await inForce()).toMatchObject({ source: "last-good" });
    await expectPorts({ open: [8081], shut: [8080] });
  });

  test("a policy directory that is gone is as bad, and is noticed when it comes back", async () => {
    rampart = await startRampart(lab.shield, { policies: GOOD });
    await endAsForReboot();
    const elsewhere = `${rampart.policyDirectory}.away`;
    renameSync(rampart.policyDirectory, elsewhere);
    await rampart.start();
    expect(await inForce()).toMatchObject({ source: "last-good" });
    await expectPorts({ open: [8080], shut: [8081] });
    await rampart.changePolicy(() => renameSync(elsewhere, rampart.policyDirectory));
    await expectFilesInForce();
    await expectPorts({ open: [8080], shut: [8081] });
  });

  test("a crash keeps it: it is on disk before the daemon ends", async () => {
    rampart = await startRampart(lab.shield, { policies: GOOD });
    await expect.poll(() => rampart.metric("rampart_last_good_stored")).toBe(1);
    await rampart.kill();
    rampart.writePolicy("web.yaml", BROKEN);
    await rampart.start();
    expect(await inForce()).toMatchObject({ source: "last-good" });
    await expectPorts({ open: [8080], shut: [8081] });
  });
});

describe("without a last good set, startup: closed", () => {
  test("failsafe ports and loopback are open, everything else is shut in both directions, until the files are mended", async () => {
    prepare({ ...GOOD, "web.yaml": BROKEN });
    await rampart.start();
    await expectPorts({ open: [22, 179, 6443], shut: [8080, 8081] });
    for (const { shield, client } of FAMILIES) {
      await expectUdpDropped(lab.client, shield, 8080);
      await expectPing(lab.client, shield, "timeout");
      await expectConnects(lab.shield, client, 6443);
      await expectUdpAnswered(lab.shield, client, 53);
      await expectDropped(lab.shield, client, 8081);
      await expectConnects(lab.shield, shield, 8081);
    }
    await expectLoud("closed", /CLOSED, only failsafe ports are open/, /no last good set: startup is closed/);
    expect(await readiness()).toMatchObject({ status: 200, ready: true, degraded: expect.stringContaining("failsafe") });
    expect(await rampart.metric("rampart_last_good_stored")).toBe(0);

    await rampart.changePolicy(() => rampart.writePolicy("web.yaml", MENDED));
    await expectPorts({ open: [8081, 22], shut: [8080] });
    await expectFilesInForce();
  });

  test("a stored set with one byte changed counts as none, and the log says why", async () => {
    rampart = await startRampart(lab.shield, { policies: GOOD });
    await endAsForReboot();
    const file = join(rampart.stateDirectory, "last-good");
    writeFileSync(file, readFileSync(file, "utf8").replace("8080", "8081"));
    rampart.writePolicy("web.yaml", BROKEN);
    await rampart.start();
    expect(await inForce()).toEqual({ source: "closed" });
    expect(rampart.logs().map((line) => line.msg).join("\n")).toMatch(/last-good cannot be used: its checksum does not fit/);
    await expectPorts({ open: [22], shut: [8080, 8081] });
  });

  test("files without an error that no hooks can be made of are as bad", async () => {
    prepare({ ...GOOD, "more.yaml": hostEndpoint("more", { expectedIPs: ["10.99.0.1"] }) });
    // iptables would read the name as "every name that begins with odd".
    for (const argv of ["link add odd+ type veth peer name other", "address add 10.99.0.1/32 dev odd+"]) {
      await lab.shield.run(["ip", ...argv.split(" ")], { check: true });
    }
    onTestFinished(async () => {
      await lab.shield.run(["ip", "link", "delete", "odd+"]);
    });
    await rampart.start();
    expect(await inForce()).toEqual({ source: "closed" });
    const { lastReload } = (await rampart.status()) as { lastReload: { errors: string[] } };
    expect(lastReload.errors.join("\n")).toMatch(/RAMPART_E_INTERFACE_NAME .*"odd\+"/);
    await expectPorts({ open: [22], shut: [8080, 8081] });
    await rampart.changePolicy(() => rampart.removePolicy("more.yaml"));
    await expectPorts({ open: [8080], shut: [8081] });
    await expectFilesInForce();
  });

  test("connections from before the first start go on, and are judged once the files are mended", async () => {
    // Tracked, as on any host whose own firewall asks conntrack.
    for (const iptables of ["iptables", "ip6tables"]) {
      await lab.shield.run([iptables, "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW"], { check: true });
    }
    prepare({ ...GOOD, "web.yaml": BROKEN });
    for (const { shield } of FAMILIES) {
      const allowed = await openTcp(lab.client, shield, 8081);
      const denied = await openTcp(lab.client, shield, 8080);
      await rampart.start();
      for (const each of [allowed, denied]) expect(await each.exchange("closed")).toMatchObject({ line: "closed" });
      await expectDropped(lab.client, shield, 8081);
      await rampart.changePolicy(() => rampart.writePolicy("web.yaml", MENDED));
      expect(await allowed.exchange("mended")).toMatchObject({ line: "mended" });
      expect(await denied.exchange("mended", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
      for (const each of [allowed, denied]) await each.close();
      await endAsForReboot();
      rmSync(rampart.stateDirectory, { recursive: true });
      rampart.writePolicy("web.yaml", BROKEN);
    }
    for (const iptables of ["iptables", "ip6tables"]) await lab.shield.run([iptables, "-F", "INPUT"], { check: true });
  });

  test("after a daemon that left its hooks, what it allowed goes on and what it cut stays cut", async () => {
    for (const { shield } of FAMILIES) {
      rampart = await startRampart(lab.shield, { policies: { ...GOOD, "more.yaml": allowPorts("more", "ingress", 8081) } });
      const allowed = await openTcp(lab.client, shield, 8080);
      const datagrams = await openUdp(lab.client, shield, 8080);
      const cut = await openTcp(lab.client, shield, 8081);
      for (const each of [allowed, datagrams, cut]) expect(await each.exchange("open")).toMatchObject({ line: "open" });
      await rampart.changePolicy(() => rampart.removePolicy("more.yaml"));
      expect(await cut.exchange("revoked", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
      for (const each of [allowed, datagrams]) expect(await each.exchange("still")).toMatchObject({ line: "still" });
      await end();
      rmSync(rampart.stateDirectory, { recursive: true });
      rampart.writePolicy("web.yaml", BROKEN);

      await rampart.start();
      expect(await inForce()).toEqual({ source: "closed" });
      for (const each of [allowed, datagrams]) expect(await each.exchange("closed")).toMatchObject({ line: "closed" });
      expect(await cut.listen(SILENCE_MS)).toMatchObject({ outcome: "timeout" });
      await expectDropped(lab.client, shield, 8080);

      await rampart.changePolicy(() => rampart.writePolicy("web.yaml", GOOD["web.yaml"]));
      expect(await allowed.exchange("mended")).toMatchObject({ line: "mended" });
      expect(await cut.listen(SILENCE_MS)).toMatchObject({ outcome: "timeout" });
      for (const each of [allowed, datagrams, cut]) await each.close();
      await rampart.uninstall();
    }
  });

  test("without offload connections wait, and are picked up by the mended policy", async () => {
    prepare({ ...GOOD, "web.yaml": BROKEN }, { datapath: { offload: "none" } });
    for (const { shield } of FAMILIES) {
      const connection = await openTcp(lab.client, shield, 8081);
      await rampart.start();
      expect(await connection.exchange("kept back", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
      await rampart.changePolicy(() => rampart.writePolicy("web.yaml", MENDED));
      expect(await connection.listen(8000)).toMatchObject({ line: "kept back" });
      await connection.close();
      await endAsForReboot();
      rmSync(rampart.stateDirectory, { recursive: true });
      rampart.writePolicy("web.yaml", BROKEN);
    }
  });

  test("loopback is open also where policies govern it", async () => {
    prepare({ "web.yaml": BROKEN }, { exemptLoopback: false });
    await rampart.start();
    for (const { shield } of FAMILIES) {
      await expectConnects(lab.shield, shield, 8081);
      await expectUdpAnswered(lab.shield, shield, 8081);
      await expectDropped(lab.client, shield, 8081);
    }
  });
});

describe("without a last good set, startup: open", () => {
  test("nothing is hooked and the daemon is not ready; a reload enforces the mended files", async () => {
    prepare({ ...GOOD, "web.yaml": BROKEN }, { startup: "open", policy: { watch: false } });
    rampart.launch();
    await rampart.waitForLog("its end of the start", (line) => line.msg === "NOT enforcing", 15_000);
    await expectPorts({ open: [22, 8080, 8081], shut: [] });
    expect(await ownRules()).toBe("");
    await expectLoud("open", /NOT enforcing for[^]*OPEN, nothing is protected/, /startup is open, NOTHING IS PROTECTED/);
    expect(await readiness()).toMatchObject({ status: 503, ready: false, reason: expect.stringContaining("open") });
    expect(await rampart.metric("rampart_ready")).toBe(0);

    rampart.writePolicy("web.yaml", MENDED);
    expect(await rampart.command(["reload"])).toMatchObject({ code: 0 });
    await expectPorts({ open: [8081, 22], shut: [8080] });
    await expectFilesInForce();
  });
});

describe("the state directory", () => {
  test("that cannot be written is a warning and a count, and the policy is enforced", async () => {
    rampart = await startRampart(lab.shield, { policies: GOOD, settings: { stateDirectory: "/proc/rampart" } });
    await expectPorts({ open: [8080], shut: [8081] });
    await rampart.waitForLog("a warning", (line) => line["level"] === "warn" && line["code"] === "RAMPART_W_LAST_GOOD");
    expect(await rampart.metric("rampart_last_good_failures_total")).toBe(1);
    expect(await rampart.metric("rampart_last_good_stored")).toBe(0);
    expect(await readiness()).toEqual({ status: 200, ready: true });
  });
});

describe("a node with pods, closed", () => {
  const POD = { namespace: "default", name: "w0", ipv4: "10.65.0.1", ipv6: "fd65::1" };
  let pods: PodLab;

  beforeAll(async () => {
    pods = await PodLab.create({ pods: [POD], tcpPorts: [22, 8055], udpPorts: [] });
  });
  afterAll(() => pods.destroy());

  test("nothing new passes to, from or between pods and the outside; the host's failsafe ports stay open", async () => {
    rampart = new RampartProcess(pods.node, { policies: { "web.yaml": BROKEN } });
    const pod = pods.pod("default/w0");
    const paths = [4, 6].flatMap((family) => {
      const podAddress = family === 4 ? POD.ipv4 : POD.ipv6;
      const outside = pods.address("ext", family as 4 | 6);
      const node = NODE_ADDRESS[family as 4 | 6];
      return [
        { from: pods.ext, to: podAddress },
        { from: pod, to: outside },
        { from: pod, to: node },
        { from: pods.node, to: podAddress },
      ];
    });
    for (const { from, to } of paths) await expectConnects(from, to, 8055);
    await rampart.start();
    expect(await rampart.status()).toMatchObject({ node: NODE, inForce: { source: "closed" } });
    for (const { from, to } of paths) await expectDropped(from, to, 8055);
    for (const family of [4, 6] as const) {
      await expectDropped(pods.ext, family === 4 ? POD.ipv4 : POD.ipv6, 22);
      await expectConnects(pods.ext, NODE_ADDRESS[family], 22);
      await expectConnects(pod, NODE_ADDRESS[family], 22);
    }
  });
});
