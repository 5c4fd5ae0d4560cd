/** `rampart run --profile`: CPU profiles of the packet path that DevTools and speedscope can open. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { RampartProcess, RampartStartError } from "../../src/sandbox/daemon.ts";
import { startRampart } from "../../src/sandbox/daemon.ts";
import { udpEcho } from "../../src/sandbox/probe.ts";
import { allowPort, ETH0, policy } from "./support/documents.ts";
import { FAMILIES, Lab } from "./support/lab.ts";

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** From 0. */
  readonly lineNumber: number;
}

interface CpuProfile {
  readonly nodes: readonly { readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const PACKETS = 150;
const [{ shield }] = FAMILIES;
const policies = { "policy.yaml": ETH0 + policy("udp", { types: ["Ingress"], ingress: [allowPort("UDP", 8080)] }) };

let lab: Lab;
let folder: string;
let rampart: RampartProcess | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rampart-profile-"));
  lab = await Lab.create();
});
afterEach(async () => {
  await rampart?.uninstall();
  rampart = undefined;
});
afterAll(async () => {
  await lab?.destroy();
  rmSync(folder, { recursive: true, force: true });
});

function read(file: string): CpuProfile {
  return JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
}

test("the packet path is profiled for the time asked, and the daemon goes on", async () => {
  const file = join(folder, "path.cpuprofile");
  rampart = await startRampart(lab.shield, { policies, args: ["--profile", file, "--profile-seconds", "1"] });
  await rampart.waitForLog("the profile", ({ msg }) => msg?.startsWith("profile written") === true, 20_000);
  const { nodes, samples, timeDeltas } = read(file);
  expect(samples.length).toBeGreaterThan(0);
  expect(timeDeltas).toHaveLength(samples.length);
  expect(nodes.map(({ callFrame }) => callFrame.functionName)).toContain("(root)");
  expect(await udpEcho(lab.client, shield, 8080, { timeoutMs: 4000 })).toBe("answered");
});

test("with several workers each has its file, and a stop writes what there is", async () => {
  const settings = { queue: { backend: "native" }, datapath: { workers: 2 } };
  rampart = await startRampart(lab.shield, { policies, settings, args: ["--profile", join(folder, "two.cpuprofile")] });
  await rampart.waitForLog("the start of the profile", ({ msg }) => msg?.startsWith("profiling") === true, 20_000);
  // A profile is made of samples: one packet is too short to be sure of one.
  for (let n = 0; n < PACKETS; n++) expect(await udpEcho(lab.client, shield, 8080, { timeoutMs: 4000 })).toBe("answered");
  await rampart.signal("SIGTERM");
  expect((await rampart.exited()).code).toBe(0);
  const profiles = ["two", "two-queue101"].map((name) => read(join(folder, `${name}.cpuprofile`)));
  for (const { samples } of profiles) expect(samples.length).toBeGreaterThan(0);
  // One of the two threads judged the datagrams, and nothing but the path ran in either. Places are those of the sources.
  const files = profiles.flatMap(({ nodes }) => nodes.map(({ callFrame }) => callFrame.url));
  expect(files.some((url) => url.includes("/src/datapath/"))).toBe(true);
  expect(files.some((url) => url.includes("/src/daemon/"))).toBe(false);
  for (const { callFrame } of profiles.flatMap(({ nodes }) => nodes)) {
    if (!callFrame.url.includes("/src/") || callFrame.functionName === "") continue;
    const lines = readFileSync(fileURLToPath(callFrame.url), "utf8").split("\n");
    expect(lines[callFrame.lineNumber]).toContain(callFrame.functionName);
  }
});

test("a place where no file can be made is refused before anything is in force", async () => {
  const refused = startRampart(lab.shield, { policies, args: ["--profile", join(folder, "no/such/file.cpuprofile")] });
  const error = (await refused.then(
    () => undefined,
    (reason: unknown) => reason,
  )) as RampartStartError;
  expect(error.stderr).toContain("RAMPART_E_CPU_PROFILE");
  expect((await lab.shield.run(["iptables-save"], { check: true })).stdout).not.toContain("RAMPART");
  expect(existsSync(join(folder, "no"))).toBe(false);
});
