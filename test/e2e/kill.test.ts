/** The daemon killed in the middle of things: what was allowed goes on, what is new waits for a judge. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { openTcp, openUdp, startTransfer, tcpConnect } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, expectUdpAnswered, expectUdpDropped, FAMILIES, Lab } from "./support/lab.ts";

const POLICY = ETH0 + allowPorts("in", "ingress", 8080, 9000) + allowPorts("out", "egress", 8080, 9000);
const TRANSFER = { bytes: 2_000_000, chunk: 20_000, intervalMs: 10 };

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

beforeEach(async () => {
  rampart = await startRampart(lab.shield, { policies: { "policy.yaml": POLICY } });
});
afterEach(async () => {
  await rampart.uninstall();
});

describe.each(FAMILIES)("SIGKILL over $family", ({ shield, client }) => {
  test("during a download from the host: it finishes whole, also when the daemon comes back meanwhile", async () => {
    const transfer = await startTransfer(lab.shield, lab.client, shield, 9000, TRANSFER);
    await transfer.received(TRANSFER.bytes / 5);
    await rampart.kill();
    const before = (await transfer.progress()).received;
    const meanwhile = await transfer.received(before + TRANSFER.bytes / 5);
    expect(meanwhile.state).toBe("running");
    await rampart.start();
    expect(await transfer.finished()).toMatchObject({ received: TRANSFER.bytes, sha256: transfer.sha256 });
    await transfer.close();
  });

  test("during a download by the host: it finishes whole with the daemon dead", async () => {
    const transfer = await startTransfer(lab.client, lab.shield, client, 9000, TRANSFER);
    await transfer.received(TRANSFER.bytes / 5);
    await rampart.kill();
    expect(await transfer.finished()).toMatchObject({ received: TRANSFER.bytes, sha256: transfer.sha256 });
    await transfer.close();
  });

  test("failsafe ports connect, nothing new is let through unjudged", async () => {
    await expectConnects(lab.client, shield, 8080);
    await rampart.kill();
    await expectConnects(lab.client, shield, 22);
    await expectConnects(lab.shield, client, 179);
    await expectUdpAnswered(lab.shield, client, 53);
    await expectDropped(lab.client, shield, 8080);
    await expectDropped(lab.client, shield, 8081);
    await expectUdpDropped(lab.client, shield, 8080);
    await expectDropped(lab.shield, client, 8080);
  });

  test("after a restart all is as before, and open connections were never lost", async () => {
    const inbound = await openTcp(lab.client, shield, 8080);
    const outbound = await openTcp(lab.shield, client, 8080);
    const datagrams = await openUdp(lab.client, shield, 8080);
    const conversations = [inbound, outbound, datagrams];
    for (const each of conversations) expect(await each.exchange("before")).toMatchObject({ line: "before" });

    await rampart.kill();
    for (const each of conversations) expect(await each.exchange("dead")).toMatchObject({ line: "dead" });
    await expectDropped(lab.client, shield, 8080);

    await rampart.start();
    for (const each of conversations) expect(await each.exchange("after")).toMatchObject({ line: "after" });
    await expectConnects(lab.client, shield, 8080);
    await expectDropped(lab.client, shield, 8081);
    await expectConnects(lab.client, shield, 22);
    for (const each of conversations) await each.close();
  });

  test("a connection that was waiting when the daemon came back is judged then", async () => {
    await rampart.kill();
    const waiting = tcpConnect(lab.client, shield, 8080, { timeoutMs: 10_000 });
    const hopeless = tcpConnect(lab.client, shield, 8081, { timeoutMs: 4000 });
    await rampart.start();
    expect(await waiting).toBe("connected");
    expect(await hopeless).toBe("timeout");
  });
});
