/** What the daemon itself repairs (SEMANTICS 0.2): indentation that is lost throughout a document, and nothing else. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { formatError } from "../../src/errors/rampart-error.ts";
import { rebuildNesting } from "../../src/import/rebuild-nesting.ts";
import type { LoadResult } from "../../src/resources/load.ts";
import type { YamlObject } from "../../src/resources/yaml-value.ts";
import { loadText, marked } from "../resources/temporary-folder.ts";
import { arbitraryDocument } from "./arbitrary-document.ts";

const LENIENT = { rebuildNesting };
const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: p
  namespace: shop
spec:
  podSelector:
    matchLabels:
      app: a
  policyTypes:
    - Ingress
  ingress:
    - from:
        - podSelector:
            matchLabels:
              role: frontend
        - ipBlock:
            cidr: 10.0.0.0/8
            except: [10.1.0.0/16]
      ports:
        - protocol: TCP
          port: 80
`;

function flattened(text: string): string {
  return text.replaceAll(/^ +/gm, "");
}

/** What it means, without where it stands; file names differ from load to load. */
function meaning({ resources }: LoadResult): unknown {
  const plain = (key: string, value: unknown): unknown => {
    if (key === "location") return undefined;
    return typeof value === "bigint" ? String(value) : value;
  };
  return JSON.parse(JSON.stringify({ ...resources, profiles: [...resources.profiles] }, plain));
}

function problems({ errors }: LoadResult): string[] {
  return errors.map(({ code, location }) => `${code} ${location?.line}:${location?.column}`);
}

function notes({ warnings }: LoadResult): string[] {
  return warnings.map(({ code, location }) => `${location.line}:${location.column} ${code}`);
}

describe("a document whose indentation is lost", () => {
  it("means what it meant with it, and a warning has the place and the document as it is read", () => {
    const lost = loadText(`# copied\n---\n${flattened(POLICY)}`, LENIENT);
    expect(lost.errors.map(formatError)).toEqual([]);
    expect(meaning(lost)).toEqual(meaning(loadText(POLICY)));
    expect(notes(lost)).toEqual(["3:1 RAMPART_W_REPAIR_INDENTATION"]);
    expect(parse(lost.warnings[0]?.yaml ?? "")).toEqual(parse(POLICY));
    expect(loadText(lost.warnings[0]?.yaml ?? "").warnings).toEqual([]);
  });

  it("is an error where it is not to be repaired", () => {
    expect(loadText(flattened(POLICY)).errors).not.toEqual([]);
    const host = "apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata:\nname: h\nspec:\nnode: n\n";
    expect(problems(loadText(host))).toEqual(["RAMPART_E_TYPE 3:1", "RAMPART_E_TYPE 5:1"]);
  });

  it("does not touch the documents beside it", () => {
    const beside = POLICY.replace("name: p", "name: q");
    const result = loadText(`${beside}---\n${flattened(POLICY)}---\n${POLICY.replace("name: p", "name: r")}`, LENIENT);
    expect(result.errors).toEqual([]);
    expect(result.resources.policies.map(({ name }) => name)).toEqual(["p", "q", "r"]);
    expect(notes(result)).toEqual(["24:1 RAMPART_W_REPAIR_INDENTATION"]);
  });

  it("may have Windows line ends, and kinds without a spec too", () => {
    const text = "apiVersion: v1\nkind: Namespace\nmetadata:\nname: shop\nlabels:\nteam: a\n";
    const result = loadText(text.replaceAll("\n", "\r\n"), LENIENT);
    expect(result.errors).toEqual([]);
    expect(result.resources.profiles.get("kns.shop")?.labels).toMatchObject({ "pcns.team": "a" });
  });

  it("is warned of where a line could have meant something else", () => {
    const rule = "ingress:\n- action: Allow\nsource:\nnets: [10.0.0.0/8]\nselector: all()\n";
    const text = `apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata:\nname: p\nspec:\n${rule}`;
    expect(notes(loadText(text, LENIENT))).toEqual(["1:1 RAMPART_W_REPAIR_INDENTATION", "10:1 RAMPART_W_REPAIR_DOUBT"]);
  });
});

const HEAD = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata:\nname: p\nspec:\n";

describe("errors point into the file as it is", () => {
  it.each([
    ["a value", "CIDR", `${HEAD}ingress:\n- action: Allow\nsource:\nnets:\n- 10.0.0.0/8\n- @@10.0.0.0/33\n`],
    ["a value after its key", "TYPE", `# one\n# two\n---\n${HEAD}order:   @@ten\n`],
    ["text inside a value", "SELECTOR", `${HEAD}selector: "a == @@"\n`],
    ["an item", "FIELD_MISSING", `${HEAD}ingress:\n- action: Allow\n- @@protocol: TCP\n`],
    ["a placeholder", "PLACEHOLDER", `${HEAD}selector: @@<the selector>\n`],
    ["a value in brackets, by its bracket", "CIDR", `${HEAD}ingress:\n- action: Deny\nsource:\nnets: @@[1.2.3.4/40]\n`],
  ])("%s", (_what, code, source) => {
    const { text, line, column } = marked(source);
    expect(problems(loadText(text, LENIENT))).toEqual([`RAMPART_E_${code} ${line}:${column}`]);
    expect(problems(loadText(text.replaceAll("\n", "\r\n"), LENIENT))).toEqual([`RAMPART_E_${code} ${line}:${column}`]);
  });
});

describe("what only looks like it is refused", () => {
  it.each([
    ["a line that fits nowhere", `${HEAD}selector: all()\n@@podSelector: {}\n`],
    ["a field twice", `${HEAD}order: 1\n@@order: 2\n`],
    ["text after a value", `${HEAD}order: 1\ntypes:\n@@- Ingress Egress\n`],
    ["a line that is indented", `${HEAD}ingress:\n  @@- action: Allow\n- action: Deny\nprotocol: TCP\n`],
    ["prose after it", `${HEAD}ingress:\n- action: Allow\n\n@@Note: this allows everything.\n`],
  ])("%s", (_what, source) => {
    const { text, line, column } = marked(source);
    const result = loadText(text, LENIENT);
    expect(problems(result)).toEqual([`RAMPART_E_NESTING ${line}:${column}`]);
    expect(result.resources.policies).toEqual([]);
    expect(result.warnings).toEqual([]);
  });

  it.each([
    ["line numbers", POLICY.split("\n").map((line, at) => ` ${at + 1}${line}`).join("\n")],
    ["a document on one line", `cat p.yaml ${POLICY.replaceAll(/\s+/g, " ")}`],
    ["the inside of a spec", "podSelector: {}\npolicyTypes:\n- Ingress\ningress:\n- from: []\n"],
    ["a kind that is not enforced", "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\nname: c\nspec:\n"],
    ["metadata alone", POLICY.replace("  name: p\n  namespace: shop", "name: p\nnamespace: shop")],
    ["a field that is indented wrongly", POLICY.replace("  policyTypes", "   policyTypes")],
    ["nothing in metadata and spec", "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata:\nspec:\n"],
  ])("and %s is as without it", (_what, text) => {
    const lenient = loadText(text, LENIENT);
    const strict = loadText(text);
    expect(lenient.errors).not.toEqual([]);
    expect(problems(lenient)).toEqual(problems(strict));
    expect(notes(lenient)).toEqual(notes(strict));
    expect(lenient.resources.policies).toEqual([]);
  });
});

describe("a text that is made to be expensive", () => {
  const spec = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata:\nname: p\nspec:\n";
  it.each([
    ["a line of colons", `${spec}${"a:".repeat(1_000_000)}`],
    ["a line of dashes", `${spec}${"- ".repeat(1_000_000)}`],
    ["a line of brackets", `${spec}selector: ${"[".repeat(1_000_000)}`],
    ["many lines", `${spec}ingress:\n${"- action: Allow\nprotocol: TCP\n".repeat(20_000)}`],
  ])("%s is not looked at", (_what, text) => {
    expect(rebuildNesting(text)).toBeUndefined();
    const { errors, resources } = loadText(text, LENIENT);
    expect(errors).not.toEqual([]);
    expect(resources.policies).toEqual([]);
  });
});

const DOUBTS = ["RAMPART_W_REPAIR_LABEL", "RAMPART_W_REPAIR_DOUBT"];

describe("of any document", () => {
  it("what is flattened means what it did, or is refused, or the doubt is named", () => {
    let rebuilt = 0;
    fc.assert(
      fc.property(arbitraryDocument, (document) => {
        const flat = flattened(stringify(document, { lineWidth: 0 }));
        const result = rebuildNesting(flat);
        if (result === undefined || "problem" in result) return;
        if (result.notes.some(({ code }) => DOUBTS.includes(code))) return;
        expect(result.value).toEqual(document);
        rebuilt++;
      }),
      { numRuns: 300 },
    );
    expect(rebuilt).toBeGreaterThan(50);
  });

  it("what is good without the repair is the same with it", () => {
    const fixtures = join(import.meta.dirname, "../fixtures/policies");
    const files = readdirSync(fixtures).map((name) => readFileSync(join(fixtures, name), "utf8"));
    const generated = arbitraryDocument.map((document: YamlObject) => stringify(document, { lineWidth: 0 }));
    const change = fc.record({ line: fc.nat({ max: 200 }), spaces: fc.nat({ max: 6 }) });
    const fixed = fc.constantFrom(POLICY, ...files);
    let good = 0;
    fc.assert(
      fc.property(fc.oneof(generated, fixed), fc.array(change, { maxLength: 2 }), (text, changes) => {
        const lines = text.split("\n");
        for (const { line, spaces } of changes) {
          const at = line % lines.length;
          lines[at] = " ".repeat(spaces) + (lines[at] as string).trimStart();
        }
        const changed = lines.join("\n");
        const strict = loadText(changed);
        if (strict.errors.length > 0) return;
        const lenient = loadText(changed, LENIENT);
        expect([meaning(lenient), problems(lenient), notes(lenient)]).toEqual([meaning(strict), [], notes(strict)]);
        good++;
      }),
      { numRuns: 200 },
    );
    expect(good).toBeGreaterThan(20);
  });
});
