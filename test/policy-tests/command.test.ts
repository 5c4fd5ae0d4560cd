import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, describe, expect, it, vi } from "vitest";
import { registerTest } from "../../src/cli/test.ts";
import { INVENTORY, POLICIES } from "../explain/lab.ts";
import { temporaryFolder } from "../resources/temporary-folder.ts";

/** Runs `rampart test` in this process. */
function run(...args: string[]): { code: unknown; stdout: string; stderr: string } {
  let stdout = "";
  let stderr = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((stdout += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((stderr += String(text)), true));
  const program = new Command();
  registerTest(program);
  try {
    program.parse(["test", ...args], { from: "user" });
  } finally {
    vi.restoreAllMocks();
  }
  return { code: process.exitCode, stdout, stderr };
}

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const GOOD = "    - { name: web, from: prod/web, to: prod/db, port: 5432, expect: allow, policy: prod/knp.default.db }";
const BAD = "    - { name: shell, from: dev/shell, to: prod/db, port: 5432, expect: allow }";

function folder(...cases: string[]): string {
  return temporaryFolder({
    "policy.yaml": POLICIES,
    "inventory.yaml": INVENTORY,
    "cases.yaml": `policies: [policy.yaml]\ninventory: [inventory.yaml]\ncases:\n${cases.join("\n")}\n`,
  });
}

describe("rampart test", () => {
  it("exits with 0 if every case passed", () => {
    const { code, stdout, stderr } = run(join(folder(GOOD), "cases.yaml"));
    expect([code, stdout, stderr]).toEqual([0, "ok    web\n1 passed, 0 failed\n", ""]);
  });

  it("exits with 1 if one failed, and shows why; --quiet leaves out what passed", () => {
    const file = join(folder(GOOD, BAD), "cases.yaml");
    const { code, stdout } = run("--quiet", file);
    expect(code).toBe(1);
    expect(stdout.split("\n").slice(0, 2)).toEqual([`FAIL  shell (${file}:5)`, "      expected allow, got deny"]);
    expect(stdout).not.toContain("ok    web");
    expect(stdout).toMatch(/1 passed, 1 failed\n$/);
  });

  it("runs every file, also after one that cannot be used, and then exits with 1", () => {
    const broken = temporaryFolder({ "cases.yaml": "cases: 1" });
    const { code, stdout, stderr } = run(join(broken, "cases.yaml"), join(folder(GOOD), "cases.yaml"));
    expect([code, stdout]).toEqual([1, "ok    web\n1 passed, 0 failed\n"]);
    expect(stderr).toMatch(/cases\.yaml:1:\d+: RAMPART_E_CASES /);
  });

  it("does not test half a policy set: errors in what a file names are printed", () => {
    const names = temporaryFolder({ "cases.yaml": `policies: [none.yaml]\ncases:\n${GOOD}` });
    const { code, stderr } = run(join(names, "cases.yaml"));
    expect([code, stderr]).toEqual([1, expect.stringContaining("RAMPART_E_FILE_MISSING")]);
  });

  it("repairs lost indentation with a warning, and not with --strict-yaml", () => {
    const names = folder(GOOD);
    const tier = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata:\nname: t\nspec:\norder: 5\n";
    appendFileSync(join(names, "policy.yaml"), `\n---\n${tier}`);
    const lenient = run(join(names, "cases.yaml"));
    expect([lenient.code, lenient.stderr]).toEqual([0, expect.stringContaining("RAMPART_W_REPAIR_INDENTATION")]);
    const strict = run("--strict-yaml", join(names, "cases.yaml"));
    expect([strict.code, strict.stderr]).toEqual([1, expect.stringContaining("RAMPART_E_TYPE metadata")]);
  });

  it("--junit writes the results as XML too", () => {
    const place = folder(GOOD, BAD);
    const report = join(place, "report.xml");
    expect(run(join(place, "cases.yaml"), "--junit", report).code).toBe(1);
    expect(readFileSync(report, "utf8")).toContain('<testsuites tests="2" failures="1" errors="0">');
    const nowhere = (): unknown => run(join(place, "cases.yaml"), "--junit", join(place, "none/report.xml"));
    expect(nowhere).toThrow(expect.objectContaining({ code: "RAMPART_E_REPORT_WRITE" }));
  });
});
