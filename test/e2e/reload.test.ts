/** A running daemon whose policy changes under it. */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { openTcp, openUdp, startTransfer } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0, policy } from "./support/documents.ts";
import { expectConnects, expectDropped, expectUdpAnswered, expectUdpDropped, FAMILIES, Lab } from "./support/lab.ts";
import { noOffload } from "./support/offload.ts";

const SILENCE_MS = 500;
const DEBOUNCE_MS = 200;
const WEB = allowPorts("web", "ingress", 8080, 9000);
const BACKEND = allowPorts("backend", "egress", 8081);

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

afterEach(async () => {
  await rampart.uninstall();
});

describe.skipIf(noOffload)("watching files", () => {
  beforeEach(async () => {
    rampart = await startRampart(lab.shield, {
      policies: { "endpoint.yaml": ETH0, "web.yaml": WEB },
      settings: { policy: { debounceMs: DEBOUNCE_MS } },
    });
  });

  test("a new file, a changed file and a removed file take effect", async () => {
    const { shield } = FAMILIES[0]!;
    await expectDropped(lab.client, shield, 8081);
    await rampart.changePolicy(() => rampart.writePolicy("more.yaml", allowPorts("more", "ingress", 8081)));
    await expectConnects(lab.client, shield, 8081);
    await rampart.changePolicy(() => rampart.writePolicy("more.yaml", allowPorts("more", "ingress", 8082)));
    await expectDropped(lab.client, shield, 8081);
    await rampart.changePolicy(() => rampart.removePolicy("web.yaml"));
    await expectDropped(lab.client, shield, 8080);
  });

  test("changes that come together take effect together", async () => {
    const before = await rampart.generation();
    for (const port of [8081, 8082, 8083]) {
      rampart.writePolicy(`p${port}.yaml`, allowPorts(`p${port}`, "ingress", port));
      await pause(DEBOUNCE_MS / 10);
    }
    const after = await rampart.generationAfter(before);
    await pause(3 * DEBOUNCE_MS);
    expect(await rampart.generation()).toBe(after);
    for (const { shield } of FAMILIES) await expectConnects(lab.client, shield, 8081);
  });

  test("a file that means the same as before, or is no policy file, disturbs nobody", async () => {
    const connection = await openTcp(lab.client, FAMILIES[0]!.shield, 8080);
    rampart.writePolicy("notes.txt", "not a policy");
    rampart.writePolicy("web.yaml", WEB);
    await pause(3 * DEBOUNCE_MS);
    expect(await connection.exchange("still here")).toMatchObject({ line: "still here" });
    expect(await rampart.status()).toMatchObject({ lastReload: { ok: true } });
    await connection.close();
  });

  test("a bad file leaves the policy in force, and log and status say where it is wrong", async () => {
    const before = await rampart.generation();
    const bad = WEB.replace("web", "bad").replace("Allow", "Alow");
    rampart.writePolicy("bad.yaml", `# one line\n${bad}`);
    const file = join(rampart.policyDirectory, "bad.yaml");
    const place = new RegExp(`${file}:\\d+:\\d+`);
    const line = await rampart.waitForLog("the bad file", (each) => place.test(JSON.stringify(each)));
    expect(line["level"]).toBe("error");
    expect(JSON.stringify(line)).toMatch(/RAMPART_E_[A-Z_]+/);
    const { lastReload } = (await rampart.status()) as { lastReload: { ok: boolean; errors: string[] } };
    expect(lastReload.ok).toBe(false);
    expect(lastReload.errors.join("\n")).toMatch(place);
    expect(lastReload.errors.join("\n")).toMatch(/RAMPART_E_[A-Z_]+/);
    expect(await rampart.generation()).toBe(before);
    for (const { shield } of FAMILIES) {
      await expectConnects(lab.client, shield, 8080);
      await expectDropped(lab.client, shield, 8081);
    }

    await rampart.changePolicy(() => rampart.writePolicy("bad.yaml", allowPorts("good", "ingress", 8081)));
    for (const { shield } of FAMILIES) await expectConnects(lab.client, shield, 8081);
    expect(await rampart.status()).toMatchObject({ lastReload: { ok: true, errors: [] } });
  });
});

describe.skipIf(noOffload)("SIGHUP", () => {
  beforeEach(async () => {
    rampart = await startRampart(lab.shield, {
      policies: { "endpoint.yaml": ETH0 },
      settings: { policy: { watch: false } },
    });
  });

  test("loads the files again, and nothing else does when watching is off", async () => {
    const { shield } = FAMILIES[1]!;
    const before = await rampart.generation();
    rampart.writePolicy("web.yaml", WEB);
    await pause(300);
    expect(await rampart.generation()).toBe(before);
    await expectDropped(lab.client, shield, 8080);
    await rampart.changePolicy(() => rampart.signal("SIGHUP"));
    await expectConnects(lab.client, shield, 8080);
  });
});

describe.each(FAMILIES)("live connections over $family", ({ shield, client }) => {
  let bumps = 0;

  /** Change the policy in a way that matters to none of the connections. */
  async function bump(): Promise<void> {
    bumps++;
    await rampart.changePolicy(() => {
      rampart.writePolicy("other.yaml", allowPorts("other", "ingress", 10_000 + bumps));
    });
  }

  beforeEach(async () => {
    rampart = await startRampart(lab.shield, {
      policies: { "endpoint.yaml": ETH0, "web.yaml": WEB, "backend.yaml": BACKEND },
    });
  });

  test("are cut when the policy that allowed them goes, and go on when it comes back", async () => {
    const inbound = await openTcp(lab.client, shield, 8080);
    const outbound = await openTcp(lab.shield, client, 8081);
    const datagrams = await openUdp(lab.client, shield, 8080);
    const all = [inbound, outbound, datagrams];
    for (const each of all) expect(await each.exchange("allowed")).toMatchObject({ line: "allowed" });

    await rampart.changePolicy(() => rampart.removePolicy("web.yaml"));
    expect(await inbound.exchange("cut", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
    expect(await datagrams.exchange("cut", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
    expect(await outbound.exchange("not me")).toMatchObject({ line: "not me" });

    await rampart.changePolicy(() => rampart.removePolicy("backend.yaml"));
    expect(await outbound.exchange("cut", SILENCE_MS)).toMatchObject({ outcome: "timeout" });

    await rampart.changePolicy(() => rampart.writePolicy("web.yaml", WEB));
    // TCP sends again what was lost; UDP does not.
    expect(await inbound.listen(5000)).toMatchObject({ line: "cut" });
    expect(await datagrams.exchange("back")).toMatchObject({ line: "back" });
    for (const each of all) await each.close();
  });

  test("are cut also when the server is the one to speak", async () => {
    const inbound = await openTcp(lab.client, shield, 8080);
    expect(await inbound.exchange("allowed")).toMatchObject({ line: "allowed" });
    await rampart.changePolicy(() => rampart.removePolicy("web.yaml"));
    await lab.server(lab.shield, 8080).speak("are you there");
    expect(await inbound.listen(SILENCE_MS)).toMatchObject({ outcome: "timeout" });
    await inbound.close();
  });

  test("go on over new generations, whichever side speaks first after the change", async () => {
    const inbound = await openTcp(lab.client, shield, 8080);
    const outbound = await openTcp(lab.shield, client, 8081);
    for (const [connection, server] of [
      [inbound, lab.server(lab.shield, 8080)],
      [outbound, lab.server(lab.client, 8081)],
    ] as const) {
      await bump();
      await server.speak("server first");
      expect(await connection.listen()).toMatchObject({ line: "server first" });
      await bump();
      expect(await connection.exchange("client first")).toMatchObject({ line: "client first" });
      await connection.close();
    }
  });

  test("lose no packet while the policy changes", async () => {
    // Nothing sends a lost datagram again, so silence would show.
    const datagrams = await openUdp(lab.client, shield, 8080);
    const transfer = await startTransfer(lab.shield, lab.client, shield, 9000, {
      bytes: 2_000_000,
      chunk: 20_000,
      intervalMs: 10,
    });
    const changes = (async () => {
      for (let change = 0; change < 5; change++) await bump();
      return "done" as const;
    })();
    let rounds = 0;
    while ((await Promise.race([changes, "changing" as const])) === "changing") {
      rounds++;
      expect(await datagrams.exchange(`round ${rounds}`, 2000)).toMatchObject({ line: `round ${rounds}` });
    }
    expect(rounds).toBeGreaterThan(20);
    expect(await transfer.finished()).toMatchObject({ received: 2_000_000, sha256: transfer.sha256 });
    await transfer.close();
    await datagrams.close();
  });
});

describe.each(FAMILIES)("a policy that becomes stricter for a protocol, over $family", ({ shield }) => {
  beforeEach(async () => {
    rampart = await startRampart(lab.shield, { policies: { "endpoint.yaml": ETH0, "web.yaml": WEB } });
  });

  test("is judged by the new rules at once", async () => {
    await expectUdpAnswered(lab.client, shield, 8080);
    const tcpOnly = { action: "Allow", protocol: "TCP", destination: { ports: [8080] } };
    await rampart.changePolicy(() => {
      rampart.writePolicy("web.yaml", policy("web", { types: ["Ingress"], ingress: [tcpOnly] }));
    });
    await expectUdpDropped(lab.client, shield, 8080);
    await expectConnects(lab.client, shield, 8080);
  });
});
