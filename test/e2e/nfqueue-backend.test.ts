/**
 * The daemon on the backend `nfqueue`. What policies mean does not depend on it: with RAMPART_SANDBOX_BACKEND=nfqueue
 * every other file of this folder runs on it too. Here is what is its own, and a look at every kind of hook.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RampartProcess, RampartStartError } from "../../src/sandbox/daemon.ts";
import { startRampart } from "../../src/sandbox/daemon.ts";
import { packageLoads } from "../nfqueue/package-loads.ts";
import { allowPort, allowPorts, ETH0, policy } from "./support/documents.ts";
import { expectConnects, expectDropped, expectUdpAnswered, expectUdpDropped, FAMILIES, Lab } from "./support/lab.ts";

const BACKEND = { queue: { backend: "nfqueue" } };

describe.runIf(packageLoads)("queue.backend nfqueue", () => {
  let lab: Lab;
  let rampart: RampartProcess;

  beforeAll(async () => {
    lab = await Lab.create();
    const policies = { "endpoint.yaml": ETH0, "policy.yaml": allowPorts("web", "ingress", 8080) };
    rampart = await startRampart(lab.shield, { policies, settings: BACKEND });
  });
  afterAll(async () => {
    await rampart?.stop();
    await lab?.destroy();
  });

  test("the package reads the queues, on the main thread", async () => {
    const { pid } = await rampart.status();
    const maps = await lab.shield.run(["cat", `/proc/${String(pid)}/maps`], { check: true });
    expect(maps.stdout).toContain("nfqueue.node");
    const { stdout } = await lab.shield.run(["iptables-save", "-t", "filter"], { check: true });
    expect(stdout).toContain("--queue-num 100");
  });

  test("canaries come back through both queues", async () => {
    for (const queue of ["100", "101"]) {
      const back = (): Promise<number> => rampart.metric("rampart_canary_round_trip_seconds", { queue });
      await expect.poll(back, { timeout: 15_000 }).toBeGreaterThan(0);
    }
    expect((await rampart.get("/healthz")).status).toBe(200);
  });

  test.each(FAMILIES)("an allowed port connects over $family, another does not, in and out", async (family) => {
    await expectConnects(lab.client, family.shield, 8080);
    await expectDropped(lab.client, family.shield, 8081);
    await expectDropped(lab.client, family.shield, 8081);
    await expectConnects(lab.shield, family.client, 179);
    expect(await rampart.metric("rampart_packets_total", { verdict: "drop" })).toBeGreaterThan(0);
  });

  test("a policy change is in force for the next packet, also of a connection that is there", async () => {
    const [{ shield }] = FAMILIES;
    await expectUdpDropped(lab.client, shield, 8081);
    const rules = [allowPort("UDP", 8081)];
    await rampart.changePolicy(() => rampart.writePolicy("more.yaml", policy("udp", { types: ["Ingress"], ingress: rules })));
    await expectUdpAnswered(lab.client, shield, 8081);
    await rampart.changePolicy(() => rampart.removePolicy("more.yaml"));
    await expectUdpDropped(lab.client, shield, 8081);
  });

  test("preDNAT and doNotTrack are asked at their own hooks", async () => {
    const [{ shield }] = FAMILIES;
    const open = { order: 1, types: ["Ingress"], applyOnForward: true };
    const early = policy("early", { ...open, preDNAT: true, ingress: [allowPort("TCP", 8081)] });
    const answers = [{ action: "Allow", protocol: "UDP", source: { ports: [8081] } }];
    const untracked = policy("untracked", {
      ...open,
      types: ["Ingress", "Egress"],
      doNotTrack: true,
      ingress: [allowPort("UDP", 8081)],
      egress: answers,
    });
    await rampart.changePolicy(() => rampart.writePolicy("early.yaml", early + untracked));
    await expectConnects(lab.client, shield, 8081);
    await expectUdpAnswered(lab.client, shield, 8081);
    const metrics = await rampart.metrics();
    for (const hook of ["prerouting", "raw"]) {
      expect(metrics).toMatch(new RegExp(`rampart_packets_total\\{[^}]*hook="[^"]*${hook}[^"]*"`, "i"));
    }
    await rampart.changePolicy(() => rampart.removePolicy("early.yaml"));
    await expectDropped(lab.client, shield, 8081);
  });

  test("SIGTERM ends the daemon, and the next one has the queues again", async () => {
    await rampart.signal("SIGTERM");
    expect((await rampart.exited()).code).toBe(0);
    await rampart.start();
    await expectConnects(lab.client, FAMILIES[0].shield, 8080);
  });

  test("more than one worker is refused at its place in the settings", async () => {
    const settings = { queue: { backend: "nfqueue" }, datapath: { workers: 2 } };
    const refused = startRampart(lab.client, { policies: {}, settings });
    const error = (await refused.then(
      () => undefined,
      (reason: unknown) => reason,
    )) as RampartStartError;
    expect(error.stderr).toMatch(/rampart\.yaml:\d+:\d+: RAMPART_E_CONFIG datapath\.workers: 2 workers with the backend nfqueue/);
  });
});
