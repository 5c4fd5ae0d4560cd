/** Bad policy files, given to a running daemon and to one that starts. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { BAD_DOCUMENTS } from "./support/bad-documents.ts";
import type { BadDocument } from "./support/bad-documents.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";

const GOOD = { "endpoint.yaml": ETH0, "web.yaml": allowPorts("web", "ingress", 8080) };

function placeIn(file: string, bad: BadDocument): RegExp {
  return new RegExp(`${file.replaceAll(".", "\\.")}:${bad.line ?? "\\d+"}:\\d+`);
}

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

describe("given to a running daemon", () => {
  let rampart: RampartProcess;

  async function lastReloadOk(): Promise<boolean> {
    return ((await rampart.status()) as { lastReload: { ok: boolean } }).lastReload.ok;
  }

  beforeAll(async () => {
    rampart = await startRampart(lab.shield, { policies: GOOD });
  });
  afterAll(async () => {
    await rampart.uninstall();
  });

  test.each(BAD_DOCUMENTS.map((bad, index) => ({ ...bad, name: `bad-${index}.yaml` })))(
    "$what is named with its place and changes nothing",
    async (bad) => {
      const generation = await rampart.generation();
      rampart.writePolicy(bad.name, bad.text);
      const file = join(rampart.policyDirectory, bad.name);
      const line = await rampart.waitForLog(bad.what, (each) => JSON.stringify(each).includes(bad.name));
      expect(JSON.stringify(line)).toMatch(placeIn(file, bad));
      expect(JSON.stringify(line)).toMatch(bad.code);
      expect(line["level"]).toBe("error");
      expect(await rampart.generation()).toBe(generation);
      for (const { shield } of FAMILIES) {
        await expectConnects(lab.client, shield, 8080);
        await expectDropped(lab.client, shield, 8081);
      }
      rampart.removePolicy(bad.name);
      await expect.poll(lastReloadOk).toBe(true);
    },
  );

  test("the daemon still takes good input afterwards", async () => {
    await rampart.changePolicy(() => rampart.writePolicy("more.yaml", allowPorts("more", "ingress", 8081)));
    for (const { shield } of FAMILIES) await expectConnects(lab.client, shield, 8081);
  });
});

describe("given at the start", () => {
  test.each(BAD_DOCUMENTS)("$what is named with its place, and the host is closed", async (bad) => {
    const rampart = await startRampart(lab.shield, { policies: { ...GOOD, "bad.yaml": bad.text } });
    onTestFinished(() => rampart.uninstall());
    const file = join(rampart.policyDirectory, "bad.yaml");
    const errors = rampart.logs().filter((line) => line["level"] === "error").map((line) => JSON.stringify(line));
    const named = errors.find((line) => placeIn(file, bad).test(line));
    expect(named).toMatch(bad.code);
    expect(errors.join("\n")).not.toMatch(/\bat .*\.js:\d+/);
    expect(await rampart.status()).toMatchObject({ inForce: { source: "closed" }, lastReload: { ok: false } });
    const { shield } = FAMILIES[0]!;
    await expectConnects(lab.client, shield, 22);
    await expectDropped(lab.client, shield, 8080);
  });

  test("endpoints that are all for other hosts are a loud warning, not protection", async () => {
    const elsewhere = ETH0.replace('"node":"shield"', '"node":"shield.example.org"');
    expect(elsewhere).toContain("shield.example.org");
    const rampart = await startRampart(lab.shield, { policies: { "endpoint.yaml": elsewhere } });
    const warning = await rampart.waitForLog("a warning", (line) => {
      return line["level"] === "warn" && JSON.stringify(line).includes("shield.example.org");
    });
    expect(JSON.stringify(warning)).toContain("HostEndpoint");
    const status = (await rampart.status()) as { warnings: string[]; endpoints: unknown[] };
    expect(status.warnings.join("\n")).toContain("shield.example.org");
    expect(status.endpoints).toEqual([]);
    for (const { shield } of FAMILIES) await expectConnects(lab.client, shield, 8081);
    await rampart.uninstall();
  });
});
