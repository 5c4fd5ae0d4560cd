/**
 * Multicast and broadcast are judged like everything else. They are where copies of one packet, with one connection
 * tracking entry between them, could meet the queue.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import type { Host } from "../../src/sandbox/host.ts";
import type { SandboxProcess } from "../../src/sandbox/process.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { Lab } from "./support/lab.ts";

const ALLOWED = 5353;
const DENIED = 5354;

/** Says what arrives at either port, by any group or broadcast address of the lab. */
const LISTENER = `
  const { createSocket } = require("node:dgram");
  let ready = 0;
  for (const [type, group] of [["udp4", "224.0.0.251"], ["udp6", "ff02::fb%eth0"]]) {
    for (const port of [${ALLOWED}, ${DENIED}]) {
      const socket = createSocket({ type, reuseAddr: true, ipv6Only: type === "udp6" });
      socket.on("message", (text) => console.log("heard " + text + " at " + port));
      socket.bind(port, () => {
        socket.addMembership(group, type === "udp4" ? process.argv[1] : "::%eth0");
        if (++ready === 4) console.log("listening");
      });
    }
  }`;
const SENDER = `
  const { createSocket } = require("node:dgram");
  const [, own, port, text, ...groups] = process.argv;
  let left = groups.length;
  for (const group of groups) {
    const six = group.includes(":");
    const socket = createSocket(six ? "udp6" : "udp4");
    socket.bind(0, six ? "::" : own, () => {
      if (!six) socket.setBroadcast(true);
      socket.setMulticastInterface(six ? "::%eth0" : own);
      socket.send(text + " to " + group, Number(port), group, (error) => {
        if (error) console.log(error.message);
        socket.close();
        if (--left === 0) process.exit();
      });
    });
  }`;

const GROUPS = ["224.0.0.251", "ff02::fb%eth0"];
const BROADCASTS = ["10.77.0.255"];

let lab: Lab;
let rampart: RampartProcess;
let listeners: Map<Host, SandboxProcess[]>;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

beforeEach(async () => {
  const policies = { "p.yaml": ETH0 + allowPorts("in", "ingress", ALLOWED) + allowPorts("out", "egress", ALLOWED) };
  rampart = await startRampart(lab.shield, { policies });
  listeners = new Map();
  for (const host of [lab.shield, lab.client]) {
    const pair = [0, 1].map(() => host.spawn([process.execPath, "-e", LISTENER, addressOf(host)]));
    for (const each of pair) await each.waitForOutput(/listening/);
    listeners.set(host, pair);
  }
});
afterEach(async () => {
  for (const each of [...listeners.values()].flat()) await each.stop();
  await rampart.uninstall();
});

function addressOf(host: Host): string {
  return host === lab.shield ? "10.77.0.1" : "10.77.0.2";
}

async function send(from: Host, port: number, text: string, to: readonly string[]): Promise<void> {
  const argv = [process.execPath, "-e", SENDER, addressOf(from), String(port), text, ...to];
  expect((await from.run(argv, { check: true })).stdout).toBe("");
}

async function expectHeard(at: Host, line: string): Promise<void> {
  for (const each of listeners.get(at) ?? []) await each.waitForOutput(new RegExp(`^heard ${line}$`, "m"));
}

const escaped = (text: string): string => text.replaceAll(".", "\\.");

describe("where policy allows the port", () => {
  test("every listener of the host hears each datagram, multicast and broadcast, again and again", async () => {
    for (const round of ["first", "second"]) {
      await send(lab.client, ALLOWED, round, [...GROUPS, ...BROADCASTS]);
      for (const group of [...GROUPS, ...BROADCASTS]) {
        await expectHeard(lab.shield, `${round} to ${escaped(group)} at ${ALLOWED}`);
      }
    }
  });

  test("what the host sends is heard on the link and by its own listeners", async () => {
    for (const round of ["first", "second"]) {
      await send(lab.shield, ALLOWED, round, GROUPS);
      for (const group of GROUPS) {
        await expectHeard(lab.client, `${round} to ${escaped(group)} at ${ALLOWED}`);
        await expectHeard(lab.shield, `${round} to ${escaped(group)} at ${ALLOWED}`);
      }
    }
  });
});

test("where policy does not allow it, nobody hears anything, in or out", async () => {
  await send(lab.client, DENIED, "unwanted", [...GROUPS, ...BROADCASTS]);
  await send(lab.client, ALLOWED, "wanted", GROUPS);
  for (const group of GROUPS) await expectHeard(lab.shield, `wanted to ${escaped(group)} at ${ALLOWED}`);
  for (const each of listeners.get(lab.shield) ?? []) expect(each.stdout).not.toContain("unwanted");

  const out = [process.execPath, "-e", SENDER, "10.77.0.1", String(DENIED), "leaked", ...GROUPS];
  await lab.shield.run(out);
  await send(lab.shield, ALLOWED, "wanted too", GROUPS);
  for (const group of GROUPS) await expectHeard(lab.client, `wanted too to ${escaped(group)} at ${ALLOWED}`);
  for (const each of listeners.get(lab.client) ?? []) expect(each.stdout).not.toContain("leaked");
});
