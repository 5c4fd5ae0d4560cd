/** The daemon restarted on purpose: packets wait for the new process, and nobody is refused or let through unjudged. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { MarkLayout } from "../../src/hooks/marks.ts";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { openTcp, openUdp, tcpConnect } from "../../src/sandbox/probe.ts";
import { packageLoads } from "../nfqueue/package-loads.ts";
import { allowPorts } from "./support/documents.ts";
import { expectConnects, expectDropped, expectUdpAnswered, FAMILIES, Lab } from "./support/lab.ts";
import {
  ALLOWED,
  DENIED,
  expectNothingLost,
  expectNothingUnjudged,
  killOften,
  manage,
  POLICY,
  restartOften,
  restartServiceOften,
  underTraffic,
} from "./support/restart-scenario.ts";

const policies = { "policy.yaml": POLICY };
const [IPV4] = FAMILIES as [(typeof FAMILIES)[number]];
const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
afterEach(() => rampart.uninstall());

const pid = async (): Promise<unknown> => (await rampart.status())["pid"];

/** Change the daemon's settings file, for its next start. */
function changeSettings(change: Readonly<Record<string, unknown>>): void {
  const settings = JSON.parse(readFileSync(rampart.configFile, "utf8")) as Record<string, unknown>;
  writeFileSync(rampart.configFile, JSON.stringify({ ...settings, ...change }));
}

describe("rampart restart", () => {
  test.each(FAMILIES.map((family, i) => ({ ...family, times: [3, 2][i] as number })))(
    "$times times under a storm of connections over $family: none refused, none unjudged",
    async ({ shield, times }) => {
      rampart = await startRampart(lab.shield, { policies });
      expectNothingLost(await underTraffic(lab, shield, 8, () => restartOften(rampart, times)));
    },
  );

  test("says which process took over from which, judges by the files as they are then, and open connections go on", async () => {
    rampart = await startRampart(lab.shield, { policies, settings: { policy: { watch: false } } });
    const before = await pid();
    const conversations = [await openTcp(lab.client, IPV4.shield, ALLOWED), await openUdp(lab.client, IPV4.shield, ALLOWED)];
    for (const each of conversations) expect(await each.exchange("before")).toMatchObject({ line: "before" });
    await expectDropped(lab.client, IPV4.shield, 8081);
    rampart.writePolicy("more.yaml", allowPorts("more", "ingress", 8081));
    const said = await rampart.restart();
    expect(said).toBe(`process ${await pid()} took over 2 queues from process ${before}\n`);
    for (const each of conversations) expect(await each.exchange("after")).toMatchObject({ line: "after" });
    await expectConnects(lab.client, IPV4.shield, 8081);
    await expectDropped(lab.client, IPV4.shield, DENIED);
    for (const each of conversations) await each.close();
  });

  test("leaves a connection that is silent meanwhile to the kernel, so that it outlives the new process, too", async () => {
    rampart = await startRampart(lab.shield, { policies });
    const silent = await openTcp(lab.client, IPV4.shield, ALLOWED);
    expect(await silent.exchange("before")).toMatchObject({ line: "before" });
    await rampart.restart();
    const mark = `mark=${new MarkLayout().connectionMark(await rampart.generation())} `;
    const list = ["conntrack", "-L", "-p", "tcp", "--dport", String(ALLOWED)];
    await expect.poll(async () => (await lab.shield.run(list)).stdout, { timeout: 5000 }).toContain(mark);
    await rampart.kill();
    expect(await silent.exchange("dead")).toMatchObject({ line: "dead" });
    await silent.close();
  });

  test("brings other settings into force: more workers, then fewer", async () => {
    rampart = await startRampart(lab.shield, { policies });
    for (const workers of [3, 1]) {
      changeSettings({ datapath: { workers } });
      await rampart.restart();
      expect((await rampart.status())["queues"]).toHaveLength(workers + 1);
      await expectConnects(lab.client, IPV4.shield, ALLOWED);
      await expectDropped(lab.client, IPV4.shield, DENIED);
    }
  });

  test.each([
    ["settings", () => changeSettings({ queue: { number: "none" } }), /RAMPART_E_CONFIG/],
    ["policy files", () => rampart.writePolicy("broken.yaml", "kind: Nonsense\n"), /RAMPART_E_HANDOVER.*policy files/],
  ])("with errors in the %s fails, says why, and the running daemon goes on", async (_what, spoil, why) => {
    rampart = await startRampart(lab.shield, { policies, settings: { policy: { watch: false } } });
    const before = await pid();
    const intact = readFileSync(rampart.configFile, "utf8");
    spoil();
    const socket = join(rampart.policyDirectory, "../control.sock");
    const failed = await lab.shield.run([...rampart.cli, "restart", "--socket", socket]);
    writeFileSync(rampart.configFile, intact);
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toMatch(/^RAMPART_E_RESTART the new process did not take over/);
    expect(failed.stderr).toMatch(why);
    expect(await pid()).toBe(before);
    await expectConnects(lab.client, IPV4.shield, ALLOWED);
    await expectDropped(lab.client, IPV4.shield, DENIED);
  });

  test("is refused by the first process of a container, which would take the new one along", async () => {
    rampart = await startRampart(lab.shield, { policies, wrapper: ["unshare", "-pf", "--kill-child", "--mount-proc"] });
    const refused = await rampart.command(["restart"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^RAMPART_E_RESTART this is process 1/);
    await expectConnects(lab.client, IPV4.shield, ALLOWED);
  });

  test.runIf(packageLoads)("with the backend nfqueue stops and starts, and says so", async () => {
    rampart = await startRampart(lab.shield, { policies, settings: { queue: { backend: "nfqueue" } } });
    const connection = await openTcp(lab.client, IPV4.shield, ALLOWED);
    expect(await rampart.restart()).toMatch(/^process \d+ was started after .* new connections were dropped meanwhile\n$/);
    expect(await connection.exchange("after")).toMatchObject({ line: "after" });
    await expectConnects(lab.client, IPV4.shield, ALLOWED);
    await expectDropped(lab.client, IPV4.shield, DENIED);
    await connection.close();
  });
});

test("a process that dies while it takes over: the old daemon reads on, and what was read is dropped", async () => {
  rampart = await startRampart(lab.shield, { policies });
  const before = await pid();
  const socket = join(rampart.policyDirectory, "../control.sock");
  const taker = lab.shield.spawn([process.execPath, fixture("failed-takeover.mjs"), socket]);
  await taker.waitForOutput(/^reading$/m);
  // Asked for once, so that it comes only if the packet that was read gets through.
  const stolen = await openUdp(lab.client, IPV4.shield, ALLOWED);
  const heard = stolen.exchange("stolen", 1000);
  await taker.waitForOutput(/^held$/m);
  await expectUdpAnswered(lab.client, IPV4.shield, ALLOWED);
  await expectConnects(lab.client, IPV4.shield, ALLOWED);
  await expectDropped(lab.client, IPV4.shield, DENIED);
  expect(await heard).toMatchObject({ outcome: "timeout" });
  expect(await pid()).toBe(before);
  await stolen.close();
});

test("a second takeover at the same time is refused", async () => {
  rampart = await startRampart(lab.shield, { policies });
  const socket = join(rampart.policyDirectory, "../control.sock");
  const taker = lab.shield.spawn([process.execPath, fixture("failed-takeover.mjs"), socket]);
  await taker.waitForOutput(/^reading$/m);
  const second = await lab.shield.run([...rampart.cli, "run", "--takeover", "--config", rampart.configFile]);
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(/RAMPART_E_HANDOVER another process is taking over already/);
  await taker.stop();
  await expectConnects(lab.client, IPV4.shield, ALLOWED);
});

describe("systemctl restart, with the queues in the descriptor store", () => {
  test("under a storm of connections: none refused, none unjudged", async () => {
    rampart = await startRampart(lab.shield, { policies, ...manage() });
    expectNothingLost(await underTraffic(lab, IPV4.shield, 8, () => restartServiceOften(rampart, 2, "SIGHUP")));
  });

  test("after a crash connections wait for the next process, too", async () => {
    rampart = await startRampart(lab.shield, { policies, ...manage() });
    expectNothingLost(await underTraffic(lab, IPV4.shield, 8, () => restartServiceOften(rampart, 1, "SIGUSR1")));
  });

  test("`rampart restart` tells the service manager of the new main process, which can be restarted in turn", async () => {
    rampart = await startRampart(lab.shield, { policies, ...manage() });
    const said = await rampart.command(["restart"], { check: true });
    expect(said.stdout).toMatch(/took over 2 queues/);
    await restartServiceOften(rampart, 1, "SIGHUP");
    await expectConnects(lab.client, IPV4.shield, ALLOWED);
    await expectDropped(lab.client, IPV4.shield, DENIED);
  });

  test("a queue that the settings name no more is let go", async () => {
    rampart = await startRampart(lab.shield, { policies, settings: { datapath: { workers: 2 } }, ...manage() });
    await rampart.waitForOutput(/^stored rampart-queue-102$/m);
    changeSettings({ datapath: { workers: 1 } });
    await restartServiceOften(rampart, 1, "SIGHUP");
    await rampart.waitForOutput(/^removed rampart-queue-102$/m);
    await expectConnects(lab.client, IPV4.shield, ALLOWED);
  });

  test("with failOpen a queue is in the store only from a stop to the next start, and nothing passes unjudged", async () => {
    rampart = await startRampart(lab.shield, { policies, settings: { queue: { failOpen: true } }, ...manage() });
    expect(rampart.output).not.toMatch(/^stored/m);
    expectNothingLost(await underTraffic(lab, IPV4.shield, 4, () => restartServiceOften(rampart, 1, "SIGHUP")));
    const [stored, removed, ready] = ["stored rampart-queue-100", "removed rampart-queue-100", "ready"].map((line) => {
      return rampart.output.lastIndexOf(line);
    });
    expect([stored > 0, removed > stored, ready > removed]).toEqual([true, true, true]);
  });
});

describe("SIGKILL and a new start", () => {
  test("under traffic: no established connection lost, nothing unjudged", async () => {
    rampart = await startRampart(lab.shield, { policies });
    expectNothingUnjudged(await underTraffic(lab, IPV4.shield, 8, () => killOften(rampart, 8)));
  });
});

describe("without offload", () => {
  test("rampart restart: open connections go on, nothing passes unjudged", async () => {
    rampart = await startRampart(lab.shield, { policies, settings: { datapath: { offload: "none" } } });
    expectNothingLost(await underTraffic(lab, IPV4.shield, 8, () => restartOften(rampart, 2)));
    expect(await tcpConnect(lab.client, IPV4.shield, DENIED, { timeoutMs: 300 })).toBe("timeout");
  });

  test("the new process knows the connections of the old one: one that was silent survives the next policy change", async () => {
    rampart = await startRampart(lab.shield, { policies, settings: { datapath: { offload: "none", workers: 2 } } });
    const silent = await Promise.all(Array.from({ length: 8 }, () => openTcp(lab.client, IPV4.shield, ALLOWED)));
    for (const each of silent) expect(await each.exchange("before")).toMatchObject({ line: "before" });
    await rampart.restart();
    await rampart.changePolicy(() => rampart.signal("SIGHUP"));
    expect(await lab.server(lab.shield, ALLOWED).speak("unasked")).toBeGreaterThanOrEqual(8);
    for (const each of silent) expect(await each.listen()).toMatchObject({ line: "unasked" });
    for (const each of silent) await each.close();
  });
});
