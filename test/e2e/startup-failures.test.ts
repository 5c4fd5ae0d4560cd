/** A start that cannot succeed: one clear sentence, a non-zero exit, nothing left behind. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RampartProcess, startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartOptions } from "../../src/sandbox/daemon.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";

const POLICIES = { "policy.yaml": ETH0 + allowPorts("web", "ingress", 8080) };

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

async function rules(): Promise<string> {
  const saved = await Promise.all([lab.shield.run(["iptables-save"]), lab.shield.run(["ip6tables-save"])]);
  const lines = saved.flatMap((result) => result.stdout.split("\n"));
  return lines.filter((line) => !line.startsWith("#")).map((line) => line.replace(/\[\d+:\d+\]/, "")).join("\n");
}

/** Runs the daemon to its early end; gives its exit code and what it printed to stderr, a line each. */
async function failedStart(
  options: Omit<RampartOptions, "policies">,
): Promise<{ code: number | null; lines: string[] }> {
  const rampart = new RampartProcess(lab.shield, { policies: POLICIES, ...options });
  const daemon = rampart.launch();
  // A start that wrongly succeeds must not keep the test waiting.
  const killer = setTimeout(() => void daemon.signal("SIGKILL"), 10_000);
  const { code } = await daemon.exited;
  clearTimeout(killer);
  await rampart.stop();
  return { code, lines: daemon.stderr.split("\n").filter((line) => line !== "") };
}

describe.each([
  {
    what: "without the rights it needs",
    code: /RAMPART_E_PRIVILEGE/,
    sentence: /CAP_NET_ADMIN|root/,
    options: { wrapper: ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] },
  },
  {
    what: "without iptables",
    code: /RAMPART_E_IPTABLES_MISSING/,
    sentence: /iptables/,
    options: { wrapper: ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /usr/sbin && exec "$@"', "sh"] },
  },
  {
    what: "with settings that make no sense",
    code: /RAMPART_E_CONFIG/,
    sentence: /workers/,
    options: { settings: { datapath: { workers: "many" } } },
  },
])("started $what", ({ code, sentence, options }) => {
  test("it says so in one clear sentence, exits with an error and leaves nothing behind", async () => {
    const before = await rules();
    const start = await failedStart(options);
    expect(start.code).toBeGreaterThan(0);
    expect(start.lines).toHaveLength(1);
    expect(start.lines[0]).toMatch(code);
    expect(start.lines[0]).toMatch(sentence);
    expect(await rules()).toBe(before);
    for (const { shield } of FAMILIES) await expectConnects(lab.client, shield, 8081);
  });
});

test("a queue that another process holds is named with its holder, and the holder goes on undisturbed", async () => {
  const first = await startRampart(lab.shield, { policies: POLICIES });
  const before = await rules();
  const second = await failedStart({ settings: { metrics: { listen: "off" } } });
  expect(second.code).toBeGreaterThan(0);
  expect(second.lines).toHaveLength(1);
  expect(second.lines[0]).toMatch(/RAMPART_E_QUEUE_HELD.*queue 100 is held by process \d+/);
  expect(await rules()).toBe(before);
  for (const { shield } of FAMILIES) {
    await expectConnects(lab.client, shield, 8080);
    await expectDropped(lab.client, shield, 8081);
  }
  await first.uninstall();
});
