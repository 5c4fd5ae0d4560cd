import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { RampartError } from "../../src/errors/rampart-error.ts";
import { readConntrackUsage } from "../../src/metrics/conntrack-usage.ts";
import { createRegistry } from "../../src/metrics/registry.ts";
import { MetricsServer, type MetricsServerOptions } from "../../src/metrics/server.ts";
import type { MetricsSnapshot } from "../../src/metrics/snapshot.ts";

const queue = {
  queue: 100,
  pending: 3,
  kernelDropped: 4,
  userDropped: 5,
  packets: 60,
  batches: 7,
  enobufs: 8,
  truncated: 9,
  malformed: 10,
  verdictErrors: 11,
  unanswered: 12,
};

const SNAPSHOT: MetricsSnapshot = {
  version: "1.2.3",
  generation: 17,
  ready: true,
  packets: [
    { hook: "input", direction: "original", verdict: "drop", reason: "policy", count: 40 },
    { hook: "input", direction: "original", verdict: "drop", reason: "policy", count: 2 },
    { hook: "output", direction: "reply", verdict: "accept", reason: "no-policy", count: 1 },
  ],
  policy: [
    { direction: "ingress", tier: "default", policy: 'we"b\\', rule: 2, action: "Deny", count: 42 },
    { direction: "egress", tier: "default", policy: "", rule: "end-of-tier", action: "Deny", count: 1 },
  ],
  staged: [
    {
      direction: "ingress",
      tier: "default",
      policy: "staged:shop/web",
      rule: 1,
      enforced: "allow",
      pending: "deny",
      count: 25,
    },
  ],
  parseFailures: [{ failure: "truncated", count: 6 }],
  queues: [queue, { ...queue, queue: 101, pending: undefined, kernelDropped: undefined }],
  canaries: [{ queue: 100, missed: 27, roundTripSeconds: 0.25, heartbeatAgeSeconds: 0.5 }],
  returned: 13,
  tables: { used: 101, free: 102 },
  flows: { active: 14, capacity: 15, evicted: 16 },
  connections: [{ stage: "denied", active: 25, evicted: 26 }],
  kernelRules: [{ family: 6, rule: "fast-path", packets: 1_000_000 }],
  conntrack: { entries: 18, max: 19, dropped: 30, evicted: 31, insertFailed: 32 },
  unread: 33,
  log: { dropped: 34 },
  reloads: { ok: 20, failed: 21 },
  lastReload: { unixSeconds: 1_700_000_000, ok: false },
  events: { lost: 22 },
  tap: { subscribers: 1, lost: 23 },
  fallback: "last-good",
  lastGood: { stored: true, failures: 27 },
  trial: { secondsLeft: 28, ended: { confirmed: 29, expired: 30, asked: 31 } },
  hooks: { byCause: [{ cause: "notified", verifications: 28, repairs: 24 }], unfilteredSeconds: 1.5 },
};

let servers: MetricsServer[] = [];

afterEach(async () => {
  for (const server of servers) await server.close();
  servers = [];
});

async function serve(options: Partial<MetricsServerOptions> = {}): Promise<string> {
  const server = new MetricsServer({
    host: "127.0.0.1",
    port: 0,
    registry: createRegistry(() => Promise.resolve(SNAPSHOT)),
    alive: () => true,
    ready: () => ({ ready: true }),
    ...options,
  });
  servers.push(server);
  return `http://127.0.0.1:${await server.listen()}`;
}

const NOTHING_READ = { conntrack: undefined, trial: { ...SNAPSHOT.trial, secondsLeft: undefined } };

/** Samples of a page by "name{labels}", read the way a scraper does. */
function samples(page: string): Map<string, number> {
  const rows = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    rows.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

function own(page: Map<string, number>): unknown[] {
  return [...page].filter(([name]) => name.startsWith("rampart_"));
}

async function scrape(base: string): Promise<Map<string, number>> {
  const response = await fetch(`${base}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  return samples(await response.text());
}

describe("/metrics", () => {
  it("shows the snapshot's values under their labels, equal labels added up", async () => {
    const page = await scrape(await serve());
    const dropped = 'hook="input",direction="original",verdict="drop",reason="policy"';
    expect(page.get(`rampart_packets_total{${dropped}}`)).toBe(42);
    const staged = 'direction="ingress",tier="default",policy="staged:shop/web",rule="1",enforced="allow",pending="deny"';
    expect(page.get(`rampart_staged_decisions_total{${staged}}`)).toBe(25);
    expect(page.get('rampart_kernel_rule_packets_total{family="ipv6",rule="fast-path"}')).toBe(1_000_000);
    expect(page.get('rampart_queue_user_dropped_total{queue="100"}')).toBe(5);
    expect(page.get('rampart_reloads_total{result="failed"}')).toBe(21);
    expect(page.get('rampart_connections{stage="denied"}')).toBe(25);
    expect(page.get('rampart_connections_evicted_total{stage="denied"}')).toBe(26);
    expect(page.get('rampart_build_info{version="1.2.3"}')).toBe(1);
    expect(page.get('rampart_hooks_repaired_total{cause="notified"}')).toBe(24);
    expect(page.get('rampart_hook_verifications_total{cause="notified"}')).toBe(28);
    expect(page.get('rampart_tables_bytes{state="used"}')).toBe(101);
    expect(page.get('rampart_tables_bytes{state="free"}')).toBe(102);
    expect(page.get('rampart_trials_total{outcome="confirmed"}')).toBe(29);
    expect(page.get('rampart_trials_total{outcome="expired"}')).toBe(30);
    expect(page.get('rampart_trials_total{outcome="rolled-back"}')).toBe(31);
    const plain = Object.fromEntries([...page].filter(([name]) => name.startsWith("rampart_") && !name.includes("{")));
    expect(plain).toEqual({
      rampart_generation: 17,
      rampart_ready: 1,
      rampart_returned_packets_total: 13,
      rampart_flows: 14,
      rampart_flows_capacity: 15,
      rampart_flows_evicted_total: 16,
      rampart_conntrack_entries: 18,
      rampart_conntrack_entries_max: 19,
      rampart_conntrack_dropped_total: 30,
      rampart_conntrack_evicted_total: 31,
      rampart_conntrack_insert_failed_total: 32,
      rampart_unread_packets: 33,
      rampart_log_dropped_total: 34,
      rampart_last_reload_timestamp_seconds: 1_700_000_000,
      rampart_last_reload_successful: 0,
      rampart_events_lost_total: 22,
      rampart_tap_subscribers: 1,
      rampart_tap_lost_total: 23,
      rampart_last_good_in_force: 1,
      rampart_last_good_stored: 1,
      rampart_last_good_failures_total: 27,
      rampart_confirmation_seconds_left: 28,
      rampart_hooks_unfiltered_seconds_total: 1.5,
    });
  });

  it("tells which startup holds where there is no last good set", async () => {
    const registry = createRegistry(() => Promise.resolve({ ...SNAPSHOT, fallback: "closed" }));
    const page = await scrape(await serve({ registry }));
    expect(page.get("rampart_last_good_in_force")).toBe(0);
    expect(page.get('rampart_startup_in_force{startup="closed"}')).toBe(1);
    expect(page.get('rampart_startup_in_force{startup="open"}')).toBe(0);
  });

  it("escapes label values", async () => {
    const page = await scrape(await serve());
    const labels = String.raw`direction="ingress",tier="default",policy="we\"b\\",rule="2",action="Deny"`;
    expect(page.get(`rampart_policy_packets_total{${labels}}`)).toBe(42);
  });

  it("shows absolute values: a second scrape does not add them again", async () => {
    const base = await serve();
    const first = await scrape(base);
    const second = await scrape(base);
    expect(own(second)).toEqual(own(first));
  });

  it("leaves out what cannot be read instead of showing 0", async () => {
    const registry = createRegistry(() => Promise.resolve({ ...SNAPSHOT, ...NOTHING_READ }));
    const page = await scrape(await serve({ registry }));
    expect(page.has("rampart_conntrack_entries")).toBe(false);
    expect(page.has("rampart_conntrack_entries_max")).toBe(false);
    expect(page.has("rampart_confirmation_seconds_left")).toBe(false);
    expect(page.get('rampart_queue_pending_packets{queue="100"}')).toBe(3);
    expect(page.has('rampart_queue_pending_packets{queue="101"}')).toBe(false);
    expect(page.get('rampart_queue_packets_total{queue="101"}')).toBe(60);
  });

  it("has the process's memory, processor time and event loop lag", async () => {
    const page = await scrape(await serve());
    expect(page.get("process_resident_memory_bytes")).toBeGreaterThan(1_000_000);
    expect(page.get("process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(page.has("nodejs_eventloop_lag_p99_seconds")).toBe(true);
  });

  it("is 500 with the reason when the snapshot fails, and works again after", async () => {
    let broken = true;
    const read = (): Promise<MetricsSnapshot> =>
      broken ? Promise.reject(new Error("worker 2 is gone")) : Promise.resolve(SNAPSHOT);
    const base = await serve({ registry: createRegistry(read) });
    const response = await fetch(`${base}/metrics`);
    expect(response.status).toBe(500);
    expect(await response.text()).toContain("worker 2 is gone");
    broken = false;
    await scrape(base);
  });

  it("is read once for scrapers that come together", async () => {
    let reads = 0;
    const read = async (): Promise<MetricsSnapshot> => {
      reads++;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return SNAPSHOT;
    };
    const base = await serve({ registry: createRegistry(read) });
    await Promise.all(Array.from({ length: 5 }, () => scrape(base)));
    expect(reads).toBe(1);
  });

  it("names every metric as docs/metrics.md does, counters ending in _total", async () => {
    const page = await (await fetch(`${await serve()}/metrics`)).text();
    const types = [...page.matchAll(/^# TYPE (rampart_\w+) (\w+)$/gm)].map((match) => [match[1], match[2]]);
    const documented = [...readFileSync("docs/metrics.md", "utf8").matchAll(/^\| `(rampart_\w+)` \| (\w+) \|/gm)];
    expect(documented.map((match) => [match[1], match[2]])).toEqual(types);
    const counters = types.filter(([, type]) => type === "counter");
    expect(types.filter(([name]) => name?.endsWith("_total"))).toEqual(counters);
  });
});

describe("health", () => {
  it("/healthz is 200 while alive and 503 otherwise", async () => {
    let alive = true;
    const base = await serve({ alive: () => alive });
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
    alive = false;
    expect((await fetch(`${base}/healthz`)).status).toBe(503);
  });

  it("/readyz is 200 only when ready, else 503 with the reason", async () => {
    const base = await serve({ ready: () => ({ ready: false, reason: "queue 101 has no reader" }) });
    const response = await fetch(`${base}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, reason: "queue 101 has no reader" });
    expect((await fetch(`${await serve()}/readyz`)).status).toBe(200);
  });
});

describe("the HTTP server", () => {
  it("answers HEAD without a body, refuses other methods and paths", async () => {
    const base = await serve();
    const head = await fetch(`${base}/metrics`, { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
    const post = await fetch(`${base}/metrics`, { method: "POST", body: "x" });
    expect(post.status).toBe(405);
    expect(post.headers.get("allow")).toBe("GET, HEAD");
    expect((await fetch(`${base}/etc/passwd`)).status).toBe(404);
    expect((await fetch(`${base}/metrics?x=1`)).status).toBe(200);
  });

  it("hangs up on a client that never finishes its headers", async () => {
    const base = await serve();
    const socket = connect(Number(new URL(base).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    socket.write("GET /metrics HTTP/1.1\r\nhost: x\r\nx-slow: ");
    await once(socket, "close");
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  }, 15_000);

  it("says who is in the way when the port is taken", async () => {
    const base = await serve();
    const port = Number(new URL(base).port);
    const error = await serve({ port }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RampartError);
    expect(error).toMatchObject({ code: "RAMPART_E_METRICS_LISTEN" });
    expect((error as RampartError).message).toContain(`127.0.0.1:${port}: another program listens there`);
  });

  it("close is idempotent and hangs up on open connections", async () => {
    const base = await serve();
    const socket = connect(Number(new URL(base).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    await once(socket, "connect");
    const gone = once(socket, "close");
    await servers[0]!.close();
    await servers[0]!.close();
    await gone;
    await expect(fetch(`${base}/healthz`)).rejects.toThrow("fetch failed");
  });
});

describe("conntrack usage", () => {
  it("is the kernel's two numbers, or nothing", async () => {
    const usage = await readConntrackUsage();
    expect(usage !== undefined).toBe(existsSync("/proc/sys/net/netfilter/nf_conntrack_count"));
    expect(usage?.max ?? 1).toBeGreaterThan(0);
  });
});
