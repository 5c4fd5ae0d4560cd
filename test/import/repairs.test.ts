/** One repair at a time (SEMANTICS 0.2), and what is refused instead of guessed. */
import { describe, expect, it } from "vitest";
import { importText } from "../../src/import/import.ts";
import type { YamlValue } from "../../src/resources/yaml-value.ts";

const KNP = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\nname: p\nspec:\n";
const GNP = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata:\nname: p\nspec:\n";
const INDENTED =
  "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\nspec:\n  podSelector: {}\n";

function spec(text: string): YamlValue | undefined {
  return importText("x.txt", text).documents[0]?.value["spec"];
}

function repairs(text: string): string[] {
  return importText("x.txt", text).documents.flatMap((one) => one.repairs.map(({ code, line }) => `${line} ${code}`));
}

function refusals(text: string): string[] {
  const { documents, skipped } = importText("x.txt", text);
  expect(documents).toEqual([]);
  return skipped.map(({ code, line }) => `${line} ${code}`);
}

describe("lost indentation", () => {
  it("a key goes to the innermost open node that declares it and has it unset", () => {
    const rule = "- action: Allow\nsource:\nselector: a == 'b'\nnets:\n- 10.0.0.0/8\n";
    const flat = `${GNP}selector: all()\negress:\n${rule}types:\n- Egress\n`;
    expect(spec(flat)).toEqual({
      selector: "all()",
      egress: [{ action: "Allow", source: { selector: "a == 'b'", nets: ["10.0.0.0/8"] } }],
      types: ["Egress"],
    });
    expect(repairs(flat)).toEqual(["1 RAMPART_W_REPAIR_INDENTATION"]);
  });

  it("labels take any key but an unset field of what encloses them", () => {
    const rule = "- from:\n- podSelector:\nmatchLabels:\nrole: c\nports:\n- port: 80\n";
    const flat = `${KNP}podSelector:\nmatchLabels:\napp: a\nport: b\ningress:\n${rule}`;
    expect(spec(flat)).toEqual({
      podSelector: { matchLabels: { app: "a", port: "b" } },
      ingress: [{ from: [{ podSelector: { matchLabels: { role: "c" } } }], ports: [{ port: 80 }] }],
    });
  });

  it("an item goes to the innermost open list whose items declare its key", () => {
    const peers = "- podSelector: {}\n- namespaceSelector: {}\n";
    const flat = `${KNP}ingress:\n- from:\n${peers}- ports:\n- port: 1\n- port: 2\n`;
    expect(spec(flat)).toEqual({
      ingress: [{ from: [{ podSelector: {} }, { namespaceSelector: {} }] }, { ports: [{ port: 1 }, { port: 2 }] }],
    });
  });

  it("a key that further out could have too is named as a doubt", () => {
    const flat = `${GNP}ingress:\n- action: Allow\nsource:\nnets: [10.0.0.0/8]\nselector: all()\n`;
    expect(spec(flat)).toEqual({
      ingress: [{ action: "Allow", source: { nets: ["10.0.0.0/8"], selector: "all()" } }],
    });
    expect(repairs(flat)).toContain("10 RAMPART_W_REPAIR_DOUBT");
  });

  it("comments are left out, and a value ends where its comment begins", () => {
    const flat = `${GNP}# all of them\nselector: a == '#' # here\norder: 5 # five\n`;
    expect(spec(flat)).toEqual({ selector: "a == '#'", order: 5 });
  });

  it("an empty field stays empty", () => {
    expect(spec(`${KNP}podSelector:\ningress:\n- from:\nports:\n- port: 80\negress:\n`)).toEqual({
      podSelector: null,
      ingress: [{ from: null, ports: [{ port: 80 }] }],
      egress: null,
    });
  });

  it("prose after a blank line is no field, and neither is prose of several words", () => {
    const flat = `${KNP}podSelector: {}\npolicyTypes:\n- Ingress\n- this denies all of it\n`;
    expect(spec(flat)).toEqual({ podSelector: {}, policyTypes: ["Ingress"] });
    expect(repairs(flat)).toEqual(["1 RAMPART_W_REPAIR_INDENTATION", "9 RAMPART_W_REPAIR_END"]);
    expect(spec(`${KNP}podSelector: {}\n\nNote: this denies nothing\n`)).toEqual({ podSelector: {} });
  });

  it.each([
    ["a misspelled field, which would widen its rule", `${GNP}ingress:\n- action: Allow\nprotcol: TCP\n`, 8],
    ["one with more of the rule after it", `${GNP}ingress:\n- action: Allow\nProtcol: x\nprotocol: TCP\n`, 8],
    ["a field that is there twice", `${GNP}ingress:\n- action: Allow\nprotocol: TCP\nprotocol: UDP\n`, 9],
    ["text after a value", `${GNP}ingress:\n- action: Allow\nprotocol: TCP or UDP\n`, 8],
    ["a value that its field cannot hold", `${KNP}podSelector: app\n`, 6],
    ["a value of several lines", `${KNP}podSelector:\nmatchLabels:\napp: |\n  a\n`, 8],
    ["an item of no list", `${KNP}podSelector: {}\n- 80\n`, 7],
    ["indentation that is there in part", `${KNP}podSelector: {}\ningress:\n  - from:\n`, 8],
    ["a key that would change what objects are", `${KNP}podSelector:\nmatchLabels:\n__proto__: x\n`, 8],
  ])("refuses %s", (_what, text, line) => {
    expect(refusals(text)).toEqual([`${line} RAMPART_E_IMPORT_NESTING`]);
  });

  it("a kind inside the document does not begin the next one", () => {
    const slice =
      "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\nname: s\naddressType: IPv4\n" +
      "endpoints:\n- addresses:\n- 10.0.0.1\ntargetRef:\nkind: Pod\nname: a\nports:\n- port: 80\n";
    const { documents } = importText("x.txt", slice);
    expect(documents.map(({ value }) => [value["endpoints"], value["ports"]])).toEqual([
      [[{ addresses: ["10.0.0.1"], targetRef: { kind: "Pod", name: "a" } }], [{ port: 80 }]],
    ]);
  });
});

describe("indentation that is there", () => {
  it("decides, whatever the fields are called", () => {
    const labels = "            matchLabels:\n              ingress: x\n";
    const text = `Apply this:\n${INDENTED}  ingress:\n    - from:\n        - podSelector:\n${labels}`;
    expect(spec(text)).toEqual({
      podSelector: {},
      ingress: [{ from: [{ podSelector: { matchLabels: { ingress: "x" } } }] }],
    });
    expect(repairs(text)).toEqual([]);
  });

  it("may be that of a quotation", () => {
    expect(spec(`Apply:\n\n${INDENTED.replaceAll(/^/gm, "    ").trimEnd()}\n\nDone.\n`)).toEqual({ podSelector: {} });
  });

  it("tabs and no-break spaces become spaces, and that is said", () => {
    const text = `Apply:\n${INDENTED.replaceAll("  name", "\tname").replaceAll("  pod", "\u00a0\u00a0pod")}`;
    expect(spec(text)).toEqual({ podSelector: {} });
    expect(repairs(text)).toEqual(["5 RAMPART_W_REPAIR_WHITESPACE"]);
  });

  it("values of several lines belong to the document, blank lines and all", () => {
    const annotated = INDENTED.replace("name: p", "name: p\n  annotations:\n    a: |\n      one\n\n      two: 2");
    const text = `Apply:\n${annotated}\nDone\n`;
    expect(importText("x.txt", text).documents[0]?.value["metadata"]).toEqual({
      name: "p",
      annotations: { a: "one\n\ntwo: 2\n" },
    });
    expect(spec(`Apply:\n${INDENTED}  policyTypes: [\n    Ingress,\n    Egress\n  ]\n`)).toEqual({
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
    });
  });

  it("a field at the margin that belongs inside is refused", () => {
    expect(refusals(`Apply:\n${INDENTED}policyTypes:\n- Egress\n`)).toEqual(["8 RAMPART_E_IMPORT_NESTING"]);
  });

  it("bad YAML is refused at its line, and the document after it is still read", () => {
    const text = `Apply:\n${INDENTED}  ingress: [\n---\n${INDENTED}`;
    const { documents, skipped } = importText("x.txt", text);
    expect(documents.map(({ line }) => line)).toEqual([10]);
    expect(skipped.map(({ code }) => code)).toEqual(["RAMPART_E_YAML_SYNTAX"]);
  });

  it("an empty list that prose cuts off is pointed out", () => {
    expect(repairs(`Apply:\n${INDENTED}  ingress:\n    - from:\nand then the peers.\n`)).toEqual([
      "9 RAMPART_W_REPAIR_END",
    ]);
  });
});

describe("documents on one line", () => {
  const head = "cat p.yaml apiVersion: projectcalico.org/v3 kind: GlobalNetworkPolicy metadata: name: p spec:";

  it("a selector is as long as it parses", () => {
    expect(spec(`${head} order: 1 selector: role in {'a b', "c"} && has(x) types: - Ingress`)).toEqual({
      order: 1,
      selector: `role in {'a b', "c"} && has(x)`,
      types: ["Ingress"],
    });
    expect(spec(`${head} selector: a == 'b' kubectl apply -f p.yaml`)).toEqual({ selector: "a == 'b'" });
  });

  it("a commented-out field takes its value with it", () => {
    expect(spec(`${head} # order: 1 selector: all()`)).toEqual({ selector: "all()" });
  });

  it("several documents stand between separators, and one that is broken does not harm the others", () => {
    const two = `${head} selector: all() --- ${head.slice(head.indexOf("api"))} nonsense: 1 --- ${head} order: 2`;
    const { documents, skipped } = importText("x.txt", two);
    expect(documents.map(({ value }) => value["spec"])).toEqual([{ selector: "all()" }]);
    expect(skipped.map(({ code }) => code)).toEqual(["RAMPART_E_IMPORT_NESTING", "RAMPART_E_IMPORT_NESTING"]);
  });

  it("a field after text that is no value is refused, not guessed", () => {
    expect(refusals(`${head} order: 1 then comes selector: all()`)).toEqual(["1 RAMPART_E_IMPORT_NESTING"]);
  });

  it("a sentence that mentions apiVersion: and kind: is no document", () => {
    expect(importText("x.txt", "Use apiVersion: projectcalico.org/v3 with kind: Tier here.")).toEqual({
      documents: [],
      skipped: [],
    });
  });
});

describe("line numbers", () => {
  const numbered = (text: string, first = 1): string =>
    text
      .trimEnd()
      .split("\n")
      .map((line, at) => `${String(first + at).padStart(2)}${line}`)
      .join("\n");

  it("are taken away where they grow by one a line", () => {
    expect(spec(`Listing:\n${numbered(INDENTED)}\nDone\n`)).toEqual({ podSelector: {} });
    expect(repairs(`Listing:\n${numbered(INDENTED)}\n`)).toEqual(["2 RAMPART_W_REPAIR_LINE_NUMBERS"]);
  });

  it("are left where they do not", () => {
    expect(importText("x.txt", " 1apiVersion: v1\n 1kind: Pod\n 3metadata:\n")).toEqual({ documents: [], skipped: [] });
  });

  it("a listing that starts anew at 1 is another document", () => {
    const { documents } = importText("x.txt", `${numbered(INDENTED)}\nand\n${numbered(INDENTED)}\n`);
    expect(documents.map(({ line }) => line)).toEqual([1, 8]);
  });
});

describe("quirks", () => {
  it("a mapping where a list belongs becomes its only entry", () => {
    const text = `${INDENTED}  ingress:\n    from:\n      podSelector: {}\n`;
    expect(spec(text)).toEqual({ podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] });
    expect(repairs(text)).toEqual(["7 RAMPART_W_OBJECT_AS_LIST", "8 RAMPART_W_OBJECT_AS_LIST"]);
  });

  it("Felix's settings get their own spelling, unless both are there", () => {
    const felix = (fields: string) =>
      `apiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: default}\nspec: {${fields}}\n`;
    expect(spec(felix("FailsafeInboundHostPorts: [none]"))).toEqual({ failsafeInboundHostPorts: ["none"] });
    expect(repairs(felix("FailsafeInboundHostPorts: [none]"))).toEqual(["4 RAMPART_W_REPAIR_SPELLING"]);
    const both = { FailsafeInboundHostPorts: [], failsafeinboundhostports: ["none"] };
    expect(Object.values(spec(felix("FailsafeInboundHostPorts: [], failsafeinboundhostports: [none]")) ?? {})).toEqual(
      Object.values(both),
    );
  });

  it("a placeholder is refused at its line", () => {
    expect(refusals(INDENTED.replace("name: p", "name: <your name>"))).toEqual(["4 RAMPART_E_PLACEHOLDER"]);
    expect(refusals(KNP.replace("name: p", "name: <your name>"))).toEqual(["4 RAMPART_E_PLACEHOLDER"]);
  });
});

describe("fragments", () => {
  it("a spec without a document becomes a policy named after its place", () => {
    const fragment = "podSelector:\nmatchLabels:\napp: a\npolicyTypes:\n- Egress\n";
    const { documents } = importText("My Article.txt", `So:\n\n${fragment}`);
    expect(documents.map(({ value }) => value)).toEqual([
      {
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: { name: "my-article-line-3" },
        spec: { podSelector: { matchLabels: { app: "a" } }, policyTypes: ["Egress"] },
      },
    ]);
  });

  it("a rule goes into a copy of the policy before it, at the end or before the Deny that ends it", () => {
    const policy = (last: string) => `${GNP}ingress:\n- action: ${last}\n\nAdd:\n- action: Allow\nprotocol: TCP\n`;
    const rule = { action: "Allow", protocol: "TCP" };
    expect(importText("x.txt", policy("Log")).documents.map(({ value }) => value["spec"])).toEqual([
      { ingress: [{ action: "Log" }] },
      { ingress: [{ action: "Log" }, rule] },
    ]);
    expect(importText("x.txt", policy("Deny")).documents[1]?.value["spec"]).toEqual({
      ingress: [rule, { action: "Deny" }],
    });
  });

  it("a rule that could be for ingress or egress, or for no policy, is reported", () => {
    const rule = "\nAdd:\n- action: Allow\nprotocol: TCP\n";
    const both = importText("x.txt", `${GNP}ingress:\n- action: Log\negress:\n- action: Log\n${rule}`);
    expect(both.documents).toHaveLength(1);
    expect(both.skipped).toMatchObject([{ code: "RAMPART_E_IMPORT_FRAGMENT", line: 12 }]);
    expect(refusals(rule)).toEqual(["3 RAMPART_E_IMPORT_FRAGMENT"]);
  });

  it("another part of a policy is reported, a single field in a sentence is not", () => {
    expect(refusals("Peers:\n- namespaceSelector:\n    matchLabels:\n      a: b\n")).toEqual([
      "2 RAMPART_E_IMPORT_FRAGMENT",
    ]);
    expect(refusals("- podSelector:\n- selects the pods\n")).toEqual([]);
  });
});

describe("what is no policy", () => {
  it("other kinds are left out and named, misspelled ones are errors", () => {
    const kind = (apiVersion: string, name: string) =>
      `apiVersion: ${apiVersion}\nkind: ${name}\nmetadata:\n  name: x\n`;
    expect(refusals(kind("apps/v1", "Deployment"))).toEqual(["1 RAMPART_W_KIND_IGNORED"]);
    expect(refusals(`See here.\n${kind("apps/v1", "Deployment")}`)).toEqual(["2 RAMPART_W_KIND_IGNORED"]);
    expect(refusals(kind("projectcalico.org/v3", "GlobalNetworkPolcy"))).toEqual(["1 RAMPART_E_KIND_UNKNOWN"]);
    expect(refusals(`See here.\n${kind("projectcalico.org/v3", "IPPool")}`)).toEqual(["2 RAMPART_W_KIND_IGNORED"]);
  });

  it("a document without apiVersion, kind or name is an error", () => {
    expect(refusals("kind: Tier\nmetadata:\n  name: t\n")).toEqual(["1 RAMPART_E_KIND_UNKNOWN"]);
    expect(refusals(INDENTED.replace("name: p", "labels: {}"))).toEqual(["1 RAMPART_E_FIELD_MISSING"]);
  });

  it("an empty file is nothing", () => {
    expect(importText("x", "")).toEqual({ documents: [], skipped: [] });
  });
});

describe("lists", () => {
  it("become a document for each item, with what the list says of them", () => {
    const list =
      "apiVersion: projectcalico.org/v3\nkind: TierList\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n- {}\n";
    const { documents, skipped } = importText("x.yaml", list);
    expect(documents.map(({ value, line }) => [value["kind"], value["metadata"], line])).toEqual([
      ["Tier", { name: "a" }, 4],
      ["Tier", { name: "b" }, 5],
    ]);
    expect(skipped.map(({ code, line }) => [code, line])).toEqual([["RAMPART_E_FIELD_MISSING", 6]]);
  });
});
