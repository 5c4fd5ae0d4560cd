import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, describe, expect, it, vi } from "vitest";
import { registerExplain } from "../../src/cli/explain.ts";
import { temporaryFolder } from "../resources/temporary-folder.ts";
import { INVENTORY, POLICIES } from "./lab.ts";

/** Runs `rampart explain` in this process. */
async function run(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  let stdout = "";
  let stderr = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((stdout += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((stderr += String(text)), true));
  const program = new Command().exitOverride().configureOutput({ writeErr: (text) => void (stderr += text) });
  registerExplain(program);
  for (const command of program.commands) command.exitOverride().copyInheritedSettings(program);
  try {
    await program.parseAsync(["explain", ...args], { from: "user" });
  } finally {
    vi.restoreAllMocks();
  }
  return { code: process.exitCode, stdout, stderr };
}

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const lab = (): string => temporaryFolder({ "policy.yaml": POLICIES, "inventory.yaml": INVENTORY });
const WEB_TO_DB = ["--from", "prod/web", "--to", "prod/db", "--protocol", "tcp", "--port", "5432"];

describe("rampart explain", () => {
  it("answers a question on standard output; a deny is an answer too, with exit code 0", async () => {
    const allowed = await run("--policy", lab(), ...WEB_TO_DB);
    expect([allowed.code, allowed.stderr]).toEqual([0, ""]);
    expect(allowed.stdout).toMatch(/^ALLOW: prod\/web \(10\.1\.0\.1\) -> prod\/db \(10\.2\.0\.1\), tcp 5432\n/);
    const denied = await run("--policy", lab(), ...WEB_TO_DB.with(1, "dev/shell"));
    expect([denied.code, denied.stdout.slice(0, 5)]).toEqual([0, "DENY:"]);
  });

  it("takes several files and directories", async () => {
    const folder = lab();
    const { stdout } = await run("--policy", join(folder, "policy.yaml"), join(folder, "inventory.yaml"), ...WEB_TO_DB);
    expect(stdout).toMatch(/^ALLOW/);
  });

  it("repairs lost indentation with a warning, and not with --strict-yaml", async () => {
    const folder = lab();
    const tier = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata:\nname: t\nspec:\norder: 5\n";
    writeFileSync(join(folder, "flat.yaml"), tier);
    const lenient = await run("--policy", folder, ...WEB_TO_DB);
    expect(lenient.stdout).toMatch(/^ALLOW/);
    expect(lenient.stderr).toMatch(/flat\.yaml:1:1: RAMPART_W_REPAIR_INDENTATION /);
    const strict = await run("--policy", folder, "--strict-yaml", ...WEB_TO_DB);
    expect([strict.code, strict.stdout]).toEqual([1, ""]);
    expect(strict.stderr).toMatch(/flat\.yaml:3:1: RAMPART_E_TYPE /);
  });

  it("--json prints the path as data", async () => {
    const { stdout } = await run("--policy", lab(), ...WEB_TO_DB, "--json");
    const stages = [{ direction: "egress" }, { direction: "ingress" }];
    expect(JSON.parse(stdout)).toMatchObject({ verdict: "allow", stages });
  });

  it("--node and --hook judge as that node does there", async () => {
    const args = ["--from", "prod/web", "--to", "203.0.113.9", "--protocol", "icmp", "--icmp-type", "0"];
    const { stdout } = await run("--policy", lab(), ...args, "--node", "one", "--hook", "forward", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      connection: { icmpType: 0 },
      stages: [
        { endpoint: "prod/web", policyClass: "normal" },
        { endpoint: "one-eth0", policyClass: "forward", reason: "forward-default" },
      ],
    });
  });

  it("does not answer from files with errors: it prints them and exits with 1", async () => {
    const folder = temporaryFolder({ "p.yaml": POLICIES.replace("action: Allow", "action: Perhaps") });
    const { code, stdout, stderr } = await run("--policy", folder, ...WEB_TO_DB);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/p\.yaml:\d+:\d+: RAMPART_E_\w+ /);
  });

  it("refuses a question without its parts, and a hook there is none of", async () => {
    await expect(run("--policy", lab(), "--from", "prod/web")).rejects.toMatchObject({ code: "RAMPART_E_QUESTION" });
    await expect(run(...WEB_TO_DB)).rejects.toMatchObject({ message: expect.stringContaining("--policy") as string });
    await expect(run("--policy", lab(), ...WEB_TO_DB, "--hook", "nat")).rejects.toMatchObject({
      message: expect.stringContaining("forward") as string,
    });
  });

  it("--batch takes its questions from standard input alone", async () => {
    await expect(run("--policy", lab(), "--batch", "--from", "prod/web")).rejects.toMatchObject({
      code: "RAMPART_E_QUESTION",
      message: expect.stringContaining("from") as string,
    });
  });
});
