import { join } from "node:path";
import { Command } from "commander";
import { afterEach, describe, expect, it, vi } from "vitest";
import { checkCommand, registerCheck } from "../../src/cli/check.ts";
import { inRule, policy, temporaryFolder } from "../resources/temporary-folder.ts";

/** Runs the check and returns what it printed. */
function run(paths: string[], options: { json?: boolean } = {}): { code: number; stdout: string; stderr: string } {
  let stdout = "";
  let stderr = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((stdout += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((stderr += String(text)), true));
  const code = checkCommand(paths, options);
  vi.restoreAllMocks();
  return { code, stdout, stderr };
}

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

describe("rampart check", () => {
  it("good policies: exit code 0, a summary, nothing on stderr", () => {
    const { code, stdout, stderr } = run([join(import.meta.dirname, "../fixtures/policies")]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe("ok: 4 files, 2 policies, 2 host endpoints, 2 network sets, 4 tiers; 0 errors, 0 warnings\n");
  });

  it("a bad policy: exit code 1 and one line that names file, line, column, code, problem and remedy", () => {
    const folder = temporaryFolder({ "p.yaml": inRule("{ action: Allow, protocol: GRE }") });
    const { code, stdout, stderr } = run([folder]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `${join(folder, "p.yaml")}:7:34: RAMPART_E_VALUE spec.ingress[0].protocol: "GRE" is not a protocol ` +
        "(expected TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255)\n",
    );
    expect(stdout).toMatch(/^not applicable as it is: 1 file, 0 policies, .* 1 error, 0 warnings\n$/);
  });

  it("a warning is printed and does not change the exit code", () => {
    const folder = temporaryFolder({ "p.yaml": policy("  extra: 1") });
    const { code, stderr } = run([folder]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/p\.yaml:6:3: RAMPART_W_FIELD_IGNORED spec\.extra: /);
  });

  it("--json prints one array and nothing else", () => {
    const folder = temporaryFolder({ "p.yaml": policy("  extra: 1\n  order: x") });
    const { code, stdout, stderr } = run([folder, join(folder, "none")], { json: true });
    expect([code, stderr]).toEqual([1, ""]);
    expect(JSON.parse(stdout)).toMatchObject([
      { severity: "error", code: "RAMPART_E_FILE_MISSING", location: { file: join(folder, "none") } },
      { severity: "error", code: "RAMPART_E_TYPE", location: { file: join(folder, "p.yaml"), line: 7, column: 10 } },
    ]);
  });

  it("is a command that sets the process's exit code", () => {
    const folder = temporaryFolder({ "p.yaml": policy("  order: x") });
    vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const program = new Command();
    registerCheck(program);
    program.parse(["check", "--json", folder], { from: "user" });
    expect(process.exitCode).toBe(1);
  });
});
