/**
 * docs/failure-modes.md, row by row: what new, established and failsafe traffic meets in each state of the daemon, with
 * `queue.failOpen` off and on.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { openTcp, openUdp } from "../../src/sandbox/probe.ts";
import type { Conversation } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, expectUdpAnswered, expectUdpDropped, FAMILIES, Lab } from "./support/lab.ts";

const POLICY = ETH0 + allowPorts("in", "ingress", 8080) + allowPorts("out", "egress", 8080);
/** More datagrams than the queue holds, each a flow of its own. */
const QUEUE_LENGTH = 16;
const FLOOD = `
  const { createSocket } = require("node:dgram");
  const [, address, port, count] = process.argv;
  let left = Number(count);
  for (let i = left; i > 0; i--) {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.send("flood", Number(port), address, () => { socket.close(); if (--left === 0) process.exit(); });
  }`;

type Traffic = "passes" | "waits";

interface Row {
  readonly state: string;
  /** From a running daemon into the state. */
  enter(rampart: RampartProcess): Promise<void>;
  /** Out of it, to a running daemon. */
  leave(rampart: RampartProcess): Promise<void>;
  /** What policy allows, and what it denies, with failOpen off; with it both pass. */
  readonly closed: { readonly allowed: Traffic; readonly denied: Traffic };
}

const NOT_JUDGED = { allowed: "waits", denied: "waits" } as const;

let lab: Lab;
let rampart: RampartProcess;
let established: Conversation[];

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

async function overrun(): Promise<void> {
  await rampart.signal("SIGSTOP");
  for (const { shield } of FAMILIES) {
    // The second lane takes what goes to a closed port.
    for (const port of ["8080", "8081"]) {
      await lab.client.run([process.execPath, "-e", FLOOD, shield, port, String(4 * QUEUE_LENGTH)], { check: true });
    }
  }
}

const ROWS: readonly Row[] = [
  {
    state: "overloaded: nobody reads, and the queue is full",
    enter: overrun,
    leave: async (daemon) => {
      const judged = (): Promise<number> => daemon.metric("rampart_packets_total", { verdict: "drop" });
      await daemon.signal("SIGCONT");
      await expect.poll(judged, { timeout: 10_000 }).toBeGreaterThanOrEqual(QUEUE_LENGTH);
    },
    closed: NOT_JUDGED,
  },
  { state: "crashed", enter: (daemon) => daemon.kill(), leave: (daemon) => daemon.start(), closed: NOT_JUDGED },
  {
    state: "stopped",
    enter: async (daemon) => {
      await daemon.signal("SIGTERM");
      await daemon.exited();
    },
    leave: (daemon) => daemon.start(),
    closed: NOT_JUDGED,
  },
  {
    state: "starting again, hooks in place and no queue bound yet",
    enter: async (daemon) => {
      await daemon.kill();
      const starting = daemon.launch();
      await starting.signal("SIGSTOP");
    },
    leave: async (daemon) => {
      await daemon.signal("SIGCONT");
      await daemon.waitForLog("enforcing", (line) => line.msg === "enforcing", 15_000);
    },
    closed: NOT_JUDGED,
  },
  {
    state: "hooks removed, daemon stopped",
    enter: async (daemon) => {
      await daemon.kill();
      await daemon.removeHooks();
    },
    leave: (daemon) => daemon.start(),
    closed: { allowed: "passes", denied: "passes" },
  },
];

describe.each([false, true])("failOpen: %s", (failOpen) => {
  beforeEach(async () => {
    const settings = {
      queue: { failOpen, maxLength: QUEUE_LENGTH },
      overload: { queueLength: QUEUE_LENGTH },
      datapath: { workers: 1 },
    };
    rampart = await startRampart(lab.shield, { policies: { "policy.yaml": POLICY }, settings });
    established = [];
    for (const { shield, client } of FAMILIES) {
      established.push(await openTcp(lab.client, shield, 8080));
      established.push(await openTcp(lab.shield, client, 8080));
      established.push(await openUdp(lab.client, shield, 8080));
    }
    for (const each of established) await each.exchange("before", 4000);
  });
  afterEach(async () => {
    await rampart.signal("SIGCONT");
    for (const each of established) await each.close();
    await rampart.uninstall();
  });

  test("running", async () => {
    await expectNew({ allowed: "passes", denied: "waits" });
    await expectOpenAndFailsafe();
  });

  test.each(ROWS)("$state", async ({ enter, leave, closed }) => {
    await enter(rampart);
    await expectOpenAndFailsafe();
    await expectNew(failOpen ? { allowed: "passes", denied: "passes" } : closed);
    const intruders = failOpen || closed.denied === "passes" ? await intrude() : [];

    await leave(rampart);
    await expectNew({ allowed: "passes", denied: "waits" });
    await expectOpenAndFailsafe();
    // Who came in unjudged does not stay.
    for (const each of intruders) expect(await each.exchange("after", 300)).toMatchObject({ outcome: "timeout" });
  });
});

/** Everything at once: silence takes its time to be believed. */
async function expectNew(traffic: Row["closed"]): Promise<void> {
  const ports = [[8080, traffic.allowed], [8081, traffic.denied]] as const;
  const probes = FAMILIES.flatMap(({ shield, client }) =>
    ports.flatMap(([port, outcome]) => {
      const [connect, answer] =
        outcome === "passes" ? [expectConnects, expectUdpAnswered] : [expectDropped, expectUdpDropped];
      return [connect(lab.client, shield, port), connect(lab.shield, client, port), answer(lab.client, shield, port)];
    }),
  );
  await Promise.all(probes);
}

async function expectOpenAndFailsafe(): Promise<void> {
  const exchanges = established.map(async (each) => {
    expect(await each.exchange("now", 4000)).toMatchObject({ line: "now" });
  });
  const failsafes = FAMILIES.flatMap(({ shield, client }) => [
    expectConnects(lab.client, shield, 22),
    expectConnects(lab.shield, client, 179),
    expectUdpAnswered(lab.shield, client, 53),
  ]);
  await Promise.all([...exchanges, ...failsafes]);
}

async function intrude(): Promise<Conversation[]> {
  const open = await Promise.all(FAMILIES.map(({ shield }) => openTcp(lab.client, shield, 8081)));
  for (const each of open) expect(await each.exchange("inside")).toMatchObject({ line: "inside" });
  return open;
}
