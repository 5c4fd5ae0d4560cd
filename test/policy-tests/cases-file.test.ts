import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CasesFile } from "../../src/policy-tests/cases-file.ts";
import { readCasesFile } from "../../src/policy-tests/cases-file.ts";
import { marked, temporaryFolder } from "../resources/temporary-folder.ts";

const ONE_CASE = "cases: [{ from: a/b, to: c/d, port: 80, expect: allow }]";

function read(text: string): ReturnType<typeof readCasesFile> {
  return readCasesFile(join(temporaryFolder({ "cases.yaml": text }), "cases.yaml"));
}

function good(text: string): CasesFile {
  const result = read(text);
  if (!("file" in result)) throw new Error(result.map(String).join("\n"));
  return result;
}

/** A case's fields among good ones. */
const inCase = (fields: string): string =>
  `policies: [p]\ncases:\n  - from: a/b\n    to: c/d\n    expect: allow\n    port: 80\n${fields}\n`;

describe("a file of cases", () => {
  it("names paths relative to itself, and cases by what they ask unless they have a name", () => {
    const folder = temporaryFolder({ "tests/cases.yaml": `policies: [../p, q]\ninventory: [/i.yaml]\n${ONE_CASE}` });
    const result = readCasesFile(join(folder, "tests/cases.yaml")) as CasesFile;
    expect(result.paths).toEqual([join(folder, "p"), join(folder, "tests/q"), "/i.yaml"]);
    expect(result.cases).toMatchObject([
      {
        name: "a/b -> c/d, tcp 80",
        location: { line: 3, column: 9 },
        question: { protocol: 6, port: 80 },
        expect: { verdict: "allow", policy: undefined, rule: undefined, direction: undefined },
      },
    ]);
  });

  it("may say all that a question can, and which rule is to decide", () => {
    const fields = ["name: n", "sport: 7", "family: 6", "hook: forward", "node: one", "policy: p", "rule: 0", "pending: deny"];
    const lines = [...fields, "direction: egress"].map((field) => `    ${field}`).join("\n");
    expect(good(inCase(lines)).cases[0]).toMatchObject({
      name: "n",
      question: { sourcePort: 7, family: 6 },
      scope: { hook: "forward", node: "one" },
      expect: { policy: "p", rule: 0, direction: "egress", pending: "deny" },
    });
    const icmp = good("policies: [p]\ncases: [{ from: a, to: b, protocol: icmp, icmpType: 0, expect: deny }]");
    expect(icmp.cases[0]?.question).toMatchObject({ protocol: 1, icmpType: 0 });
  });

  it.each([
    ["an unknown field", inCase("    @@expct: deny"), "CASES", "did you mean expect?"],
    ["an unknown field at the top", `policies: [p]\n@@policie: [q]\n${ONE_CASE}`, "CASES", "did you mean policies?"],
    ["a missing list", `@@${ONE_CASE}`, "CASES", "policies: required"],
    ["a missing expectation", "policies: [p]\ncases: [@@{ from: a, to: b, port: 1 }]", "CASES", "expect: required"],
    ["no case", "policies: [p]\ncases: @@[]", "CASES", "at least one case"],
    ["an unknown verdict", "policies: [p]\ncases: [{ from: a, to: b, port: 1, expect: @@maybe }]", "CASES", "allow"],
    ["a rule without its policy", inCase("    @@rule: 1"), "CASES", "name the policy"],
    ["a negative rule", inCase("    policy: p\n    rule: @@-1"), "CASES", "rule"],
    ["an impossible port", inCase("    sport: @@99999"), "QUESTION", "0 to 65535"],
    ["a port that ICMP has not", inCase("    protocol: icmp").replace("80", "@@80"), "QUESTION", "has no ports"],
    ["an unknown hook", inCase("    hook: @@nat"), "CASES", "forward"],
    ["two documents", `@@policies: [p]\n${ONE_CASE}\n---\n${ONE_CASE}`, "CASES", "one YAML document"],
    ["nothing", "@@", "CASES", "one YAML document"],
    ["text that is not YAML", "policies: [p@@", "YAML_SYNTAX", "not valid YAML"],
  ])("with %s is refused at its place", (_, source, code, part) => {
    const { text, line, column } = marked(source);
    const errors = read(text);
    expect(errors).toMatchObject([{ code: `RAMPART_E_${code}` }]);
    const [error] = errors as Exclude<typeof errors, CasesFile>;
    expect(`${error?.message} (${error?.hint})`).toContain(part);
    expect(error?.location).toMatchObject({ line, column });
  });

  it("names every problem at once, and a file that is not there", () => {
    const portless = "- { from: a, to: b, expect: allow }";
    const errors = read(`policies: [p]\ncases:\n  ${portless}\n  - { from: a, to: b, protocol: 0, expect: deny }`);
    expect(errors).toMatchObject([{ location: { line: 3 } }, { location: { line: 4 } }]);
    expect(readCasesFile("/does/not/exist.yaml")).toMatchObject([{ code: "RAMPART_E_FILE_MISSING" }]);
  });
});
