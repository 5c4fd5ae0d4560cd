import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { parseAllDocuments } from "yaml";
import { registerImport } from "../../src/cli/import.ts";
import { SEED_FILES, SEED_FOLDER } from "./seed-documents.ts";

const POLICY = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata:\nname: t\nspec:\norder: 1\n";

const REBUILT = "the indentation is lost; the nesting was rebuilt from the fields of the kind";

function folder(files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), "rampart-import-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

async function run(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const printed = { stdout: "", stderr: "" };
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((printed.stdout += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((printed.stderr += String(text)), true));
  const program = new Command("rampart");
  registerImport(program);
  try {
    await program.parseAsync(["import", ...args], { from: "user" });
  } finally {
    vi.restoreAllMocks();
  }
  return { code: process.exitCode, ...printed };
}

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

describe("rampart import", () => {
  it("writes a file a document and says what it repaired, with file and line", async () => {
    const input = folder({ "a.txt": `An article.\n${POLICY}` });
    const output = join(input, "out");
    const { code, stdout, stderr } = await run(join(input, "a.txt"), "-o", output);
    expect([code, stderr]).toEqual([0, ""]);
    expect(readdirSync(output)).toEqual(["tier-t.yaml"]);
    expect(readFileSync(join(output, "tier-t.yaml"), "utf8")).toContain(
      "\napiVersion: projectcalico.org/v3\nkind: Tier\nmetadata:\n  name: t\nspec:\n  order: 1\n",
    );
    const place = `${join(input, "a.txt")}:2:`;
    expect(stdout.split("\n")).toEqual([
      `${place} Tier t -> ${join(output, "tier-t.yaml")}`,
      `  ${place} RAMPART_W_REPAIR_INDENTATION ${REBUILT}`,
      "1 document, 1 of them with repairs; 0 problems in pieces that were not written",
      "",
    ]);
  });

  it("all five articles: namesakes stand beside one another, what is the same is written once", async () => {
    const output = folder();
    const { code, stdout } = await run(...SEED_FILES.map((file) => join(SEED_FOLDER, file)), "-o", output);
    expect(code).toBe(1);
    const names = readdirSync(output);
    expect(names).toContain("kubernetesnetworkpolicy-calico-demo-default-deny.yaml");
    expect(names.filter((name) => name.includes("namespace-allow"))).toHaveLength(3);
    expect(names.filter((name) => name.startsWith("hostendpoint-control1"))).toHaveLength(2);
    expect(names).toHaveLength(8 + 39 + 10 + 2 + 6 - 2);
    expect(stdout.match(/RAMPART_W_IMPORT_DUPLICATE/g)).toHaveLength(2);
    expect(stdout).toContain("2 problems in pieces that were not written");
  });

  it("--stdout prints one YAML stream and nothing else there", async () => {
    const input = folder({ "a.txt": `${POLICY}---\n${POLICY.replace("name: t", "name: u")}` });
    const { code, stdout, stderr } = await run(join(input, "a.txt"), "--stdout");
    const documents = parseAllDocuments(stdout).map((document) => document.toJS() as unknown);
    expect(documents).toMatchObject([{ metadata: { name: "t" } }, { metadata: { name: "u" } }]);
    expect(code).toBe(0);
    expect(stderr).toContain("RAMPART_W_REPAIR_INDENTATION");
    expect(readdirSync(input)).toEqual(["a.txt"]);
  });

  it("overwrites nothing without --force; running it again is fine", async () => {
    const input = folder({ "a.txt": POLICY, "tier-t.yaml": "mine\n" });
    const file = join(input, "tier-t.yaml");
    await expect(run(join(input, "a.txt"), "-o", input)).rejects.toMatchObject({ code: "RAMPART_E_FILE_EXISTS" });
    expect(readFileSync(file, "utf8")).toBe("mine\n");
    await run(join(input, "a.txt"), "-o", input, "--force");
    expect(readFileSync(file, "utf8")).toContain("kind: Tier");
    expect((await run(join(input, "a.txt"), "-o", input)).code).toBe(0);
  });

  it("a file that is not there is an error, and the others are still imported", async () => {
    const input = folder({ "a.txt": POLICY });
    const { code, stderr } = await run(join(input, "missing"), join(input, "a.txt"), "-o", join(input, "out"));
    expect(code).toBe(1);
    expect(stderr).toContain("RAMPART_E_FILE_MISSING");
    expect(existsSync(join(input, "out", "tier-t.yaml"))).toBe(true);
  });

  it("a folder that cannot be written to is an error with a code", async () => {
    const input = folder({ "a.txt": POLICY, file: "" });
    const run1 = run(join(input, "a.txt"), "-o", join(input, "file"));
    await expect(run1).rejects.toMatchObject({ code: "RAMPART_E_FILE_WRITE" });
  });

  it("no name leads out of the folder", async () => {
    const input = folder({ "a.txt": POLICY.replace("name: t", "name: ../../etc/t") });
    await run(join(input, "a.txt"), "-o", join(input, "out"));
    expect(readdirSync(join(input, "out"))).toEqual(["tier-..-..-etc-t.yaml"]);
  });

  it("text that YAML 1.1 takes for a boolean is quoted", async () => {
    const input = folder({ "a.yaml": POLICY.replace("name: t", "name: t\nlabels:\na: 'on'\nb: '08'") });
    const { stdout } = await run(join(input, "a.yaml"), "--stdout");
    expect(stdout).toContain('a: "on"');
    expect(stdout).toContain('b: "08"');
  });
});
