/**
 * `rampart apply` and its kin on real packets: in force when it returns, and
 * the way back, by itself, by command and over a crash.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import type { RunResult } from "../../src/sandbox/host.ts";
import { openTcp, openUdp } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";

const SILENCE_MS = 500;
/** In force at first: 8080. */
const FIRST = { "endpoint.yaml": ETH0, "web.yaml": allowPorts("web", "ingress", 8080) };
/** The candidate: 8081 instead. */
const SECOND = { "endpoint.yaml": ETH0, "other.yaml": allowPorts("other", "ingress", 8081) };
const { shield, client } = FAMILIES[0]!;

let lab: Lab;
let rampart: RampartProcess;
let candidate: string;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
beforeEach(async () => {
  candidate = mkdtempSync(join(tmpdir(), "rampart-candidate-"));
  for (const [name, text] of Object.entries(SECOND)) writeFileSync(join(candidate, name), text);
  rampart = await startRampart(lab.shield, { policies: FIRST });
});
afterEach(async () => {
  rmSync(candidate, { recursive: true, force: true });
  await rampart.uninstall();
});

/** The command's outcome; a rampart that was to succeed and did not fails the test with what it said. */
function command(...args: string[]): Promise<RunResult> {
  return rampart.command(args);
}

async function succeeds(...args: string[]): Promise<string> {
  const result = await command(...args);
  expect(result, result.stderr).toMatchObject({ code: 0 });
  return result.stdout;
}

async function expectSet(which: "first" | "second"): Promise<void> {
  const [open, shut] = which === "first" ? [8080, 8081] : [8081, 8080];
  await expectConnects(lab.client, shield, open);
  await expectDropped(lab.client, shield, shut);
}

function policyFiles(): string[] {
  return readdirSync(rampart.policyDirectory).toSorted();
}

async function confirmation(): Promise<unknown> {
  return (await rampart.status())["confirmation"];
}

describe("apply", () => {
  test("of a directory: in force, shown as a diff, and what the policy files say from then on", async () => {
    const printed = await succeeds("apply", candidate);
    expect(printed).toMatch(/^\+ GlobalNetworkPolicy other \(tier default\)$/m);
    expect(printed).toMatch(/^- GlobalNetworkPolicy web \(tier default\)$/m);
    expect(printed).toMatch(/^generation \d+ in force$/m);
    await expectSet("second");
    expect(policyFiles()).toEqual(["endpoint.yaml", "other.yaml"]);
    expect(readFileSync(join(rampart.policyDirectory, "other.yaml"), "utf8")).toBe(SECOND["other.yaml"]);
    expect(readFileSync(join(rampart.stateDirectory, "replaced", "policy.d", "web.yaml"), "utf8")).toBe(FIRST["web.yaml"]);
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" }, lastReload: { ok: true } });
    await rampart.kill();
    await rampart.start();
    await expectSet("second");
    expect(await rampart.status()).toMatchObject({ inForce: { source: "files" } });
  });
});
