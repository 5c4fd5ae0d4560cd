import { join } from "node:path";
import { Command } from "commander";
import { afterEach, describe, expect, it, vi } from "vitest";
import { checkCommand, registerCheck } from "../../src/cli/check.ts";
import type { CheckOptions } from "../../src/cli/check.ts";
import type { Host } from "../../src/lint/locks-out.ts";
import { readSshConnection } from "../../src/lint/ssh-session.ts";
import { inRule, policy, temporaryFolder } from "../resources/temporary-folder.ts";

const HOST_ENDPOINT = `---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: { name: web-1-eth0 }
spec: { node: web-1, interfaceName: eth0 }
`;
const HOST: Host = { node: "web-1", interfaces: [], session: undefined };

/** Runs the check and returns what it printed. */
function run(
  paths: string[],
  options: CheckOptions = {},
  host = HOST,
): { code: number; stdout: string; stderr: string } {
  let stdout = "";
  let stderr = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((stdout += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((stderr += String(text)), true));
  const code = checkCommand(paths, options, host);
  vi.restoreAllMocks();
  return { code, stdout, stderr };
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
});

describe("rampart check", () => {
  it("good policies: exit code 0, a summary, nothing on stderr", () => {
    const folder = temporaryFolder({ "p.yaml": policy("  ingress:\n    - action: Allow") + HOST_ENDPOINT });
    const { code, stdout, stderr } = run([folder], { strict: true });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe("ok: 1 file, 1 policy, 1 host endpoint, 0 network sets, 3 tiers; 0 errors, 0 warnings\n");
  });

  it("what is valid but hardly meant: a line with place, code, problem and remedy, and exit code 0", () => {
    const fixtures = join(import.meta.dirname, "../fixtures/policies");
    const { code, stdout, stderr } = run([fixtures]);
    expect(code).toBe(0);
    expect(stderr).toBe(
      `${join(fixtures, "30-policies.yml")}:49:11: RAMPART_W_POINTLESS_ALLOW GlobalNetworkPolicy web: the egress ` +
        "rule allows udp 53 only, which the failsafe ports always allow on every HostEndpoint the policy chooses " +
        "(remove the rule and keep the policy's types, or take the port off the failsafe list to let policy decide)\n",
    );
    expect(stdout).toBe("ok: 4 files, 2 policies, 2 host endpoints, 2 network sets, 4 tiers; 0 errors, 1 warning\n");
  });

  it("--strict: any warning means exit code 1, whether of the loader or of the lint", () => {
    const fixtures = join(import.meta.dirname, "../fixtures/policies");
    expect(run([fixtures], { strict: true }).code).toBe(1);
    expect(run([temporaryFolder({ "p.yaml": policy("  extra: 1") })], { strict: true }).code).toBe(1);
  });

  it("looks for nothing more in files with an error, which are only half read", () => {
    const half = policy('  selector: "role == \'web\'"') + HOST_ENDPOINT;
    expect(run([temporaryFolder({ "p.yaml": half })]).stderr).toContain("RAMPART_W_SELECTS_NOTHING");
    const { stderr } = run([temporaryFolder({ "p.yaml": `${half}---\n${policy("  order: x", "q")}` })]);
    expect(stderr).toContain("RAMPART_E_TYPE");
    expect(stderr).not.toContain("RAMPART_W");
  });

  it("says if the policies would end the session it is run from, on the node it is run on", () => {
    const folder = temporaryFolder({ "p.yaml": policy("  ingress: []") + HOST_ENDPOINT });
    const session = readSshConnection("198.51.100.7 50022 192.0.2.10 2222");
    const { code, stderr } = run([folder], {}, { ...HOST, session });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^\S+:\d+:1: RAMPART_W_LOCKS_OUT THESE POLICIES WOULD LOCK YOU OUT OF web-1: /);
    expect(stderr).toMatch(/is denied on HostEndpoint web-1-eth0 by the end of tier default /);
    expect(run([folder], {}, { ...HOST, session, node: "db-1" }).stderr).toBe("");
  });

  it("takes the session from SSH_CONNECTION and the node from --node", () => {
    const folder = temporaryFolder({ "p.yaml": policy("  ingress: []") + HOST_ENDPOINT });
    vi.stubEnv("SSH_CONNECTION", "198.51.100.7 50022 192.0.2.10 2222");
    let stdout = "";
    vi.spyOn(process.stdout, "write").mockImplementation((text) => ((stdout = String(text)), true));
    const program = new Command();
    registerCheck(program);
    program.parse(["check", "--json", "--strict", "--node", "web-1", folder], { from: "user" });
    expect(process.exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject([
      { severity: "warning", code: "RAMPART_W_LOCKS_OUT", hint: expect.stringContaining("tcp:2222") as string },
    ]);
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

  it("lost indentation: a warning and the document as it is read; with --strict-yaml an error", () => {
    const text = "metadata:\nname: flat\nspec:\nselector: nowhere == 'x'\n";
    const folder = temporaryFolder({ "p.yaml": `apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\n${text}` });
    const { code, stderr } = run([folder]);
    expect(code).toBe(0);
    const [warning, ...yaml] = stderr.split("\n");
    expect(warning).toMatch(/p\.yaml:1:1: RAMPART_W_REPAIR_INDENTATION GlobalNetworkPolicy: /);
    expect(yaml.slice(2, 6)).toEqual(["    metadata:", "      name: flat", "    spec:", "      selector: nowhere == 'x'"]);
    const shown = expect.stringContaining("  name: flat") as string;
    expect(JSON.parse(run([folder], { json: true }).stdout)).toMatchObject([
      { severity: "warning", code: "RAMPART_W_REPAIR_INDENTATION", yaml: shown },
    ]);
    const strict = run([folder], { strictYaml: true });
    expect(strict.code).toBe(1);
    expect(strict.stderr).toMatch(/p\.yaml:3:1: RAMPART_E_TYPE metadata: /);
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
