import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { loadResources } from "../../src/resources/load.ts";
import type { LoadResult } from "../../src/resources/load.ts";
import { loadText, policy, resource, temporaryFolder } from "./temporary-folder.ts";

const codes = ({ errors }: LoadResult): string[] => errors.map((error) => error.code);
const names = ({ resources }: LoadResult): string[] => resources.policies.map((one) => one.name);

describe("which files are read", () => {
  it("of a folder: *.yaml, *.yml and *.json, recursively, sorted, hidden ones left out", () => {
    const folder = temporaryFolder({
      "b.yml": policy("  order: 1", "b"),
      "a/z.yaml": policy("  order: 1", "z"),
      "c.json": JSON.stringify({ apiVersion: "v1", kind: "List", items: [] }),
      ".a.yaml.swp": "not: [yaml",
      ".hidden.yaml": "not: [yaml",
      ".git/x.yaml": "not: [yaml",
      "a.yaml~": "not: [yaml",
      "README.md": "# text",
    });
    const result = loadResources([folder]);
    expect(result.errors).toEqual([]);
    expect(result.files.map((file) => relative(folder, file))).toEqual(["a/z.yaml", "b.yml", "c.json"]);
    expect(names(result)).toEqual(["b", "z"]);
  });

  it("each once, whatever links and names lead to it, and no link loop is followed", () => {
    const folder = temporaryFolder({ "..data/p.yaml": policy("  order: 1"), "sub/q.yaml": policy("  order: 1", "q") });
    symlinkSync(join("..data", "p.yaml"), join(folder, "p.yaml"));
    symlinkSync("..", join(folder, "sub", "up"));
    const result = loadResources([folder, join(folder, "p.yaml"), join(folder, "sub")]);
    expect(codes(result)).toEqual([]);
    expect(names(result)).toEqual(["p", "q"]);
  });

  it("a file that is named is read whatever it is called", () => {
    const folder = temporaryFolder({ policies: policy("  order: 1") });
    expect(names(loadResources([join(folder, "policies")]))).toEqual(["p"]);
  });

  it("a path that does not exist is an error, and the others are still checked", () => {
    const folder = temporaryFolder({ "p.yaml": policy("  tier: nowhere") });
    const missing = join(folder, "missing");
    const result = loadResources([missing, folder]);
    expect(codes(result)).toEqual(["RAMPART_E_FILE_MISSING"]);
    expect(result.errors[0]?.location?.file).toBe(missing);
  });

  it("a dangling link, a FIFO and a folder named x.yaml do not stop the load", () => {
    const folder = temporaryFolder();
    symlinkSync("nowhere", join(folder, "a.yaml"));
    execFileSync("mkfifo", [join(folder, "b.yaml")]);
    mkdirSync(join(folder, "c.yaml"));
    expect(codes(loadResources([folder]))).toEqual(["RAMPART_E_FILE_MISSING", "RAMPART_E_FILE_READ"]);
  });

  it("devices, links in a circle and files of the kernel's that say they are empty do not stop it either", () => {
    const folder = temporaryFolder();
    symlinkSync("/dev/zero", join(folder, "a.yaml"));
    symlinkSync("c.yaml", join(folder, "b.yaml"));
    symlinkSync("b.yaml", join(folder, "c.yaml"));
    symlinkSync("/proc/self/limits", join(folder, "d.yaml"));
    const result = loadResources([folder]);
    expect(result.errors.map(({ code, location }) => [basename(location?.file ?? ""), code])).toEqual([
      ["b.yaml", "RAMPART_E_FILE_READ"],
      ["c.yaml", "RAMPART_E_FILE_READ"],
      ["a.yaml", "RAMPART_E_FILE_READ"],
      ["d.yaml", expect.stringMatching(/^RAMPART_E_/)],
    ]);
    expect(result.texts.map(({ file }) => basename(file))).toEqual(["d.yaml"]);
  });

  it("a folder without policies is warned about", () => {
    expect(loadResources([temporaryFolder()]).warnings.map((warning) => warning.code)).toEqual(["RAMPART_W_NO_FILES"]);
  });

  it("bytes that are not UTF-8 are an error; a byte order mark is not", () => {
    expect(codes(loadText(Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe])))).toEqual(["RAMPART_E_YAML_SYNTAX"]);
    expect(names(loadText(`\uFEFF${policy("  order: 1")}`))).toEqual(["p"]);
  });
});

describe("which documents are read", () => {
  it("empty ones are fine", () => {
    expect(loadText("---\n# nothing\n---\n---\nnull\n")).toMatchObject({ errors: [], warnings: [] });
    expect(loadText("")).toMatchObject({ errors: [], warnings: [] });
  });

  it("Windows line ends do not move positions", () => {
    const [error] = loadText(policy("  order: 1\n  types: [x]").replaceAll("\n", "\r\n")).errors;
    expect(error?.location).toMatchObject({ line: 7, column: 11 });
  });

  it("kinds that are no policy are ignored with a warning", () => {
    const text = [
      ["v1", "ConfigMap"],
      ["v1", "Endpoints"],
      ["apps/v1", "Deployment"],
      ["networking.k8s.io/v1", "Ingress"],
      ["projectcalico.org/v3", "IPPool"],
    ]
      .map(([apiVersion, kind]) => `apiVersion: ${apiVersion}\nkind: ${kind}\n`)
      .join("---\n");
    const { errors, warnings } = loadText(text);
    expect(errors).toEqual([]);
    expect(warnings.map(({ code, location }) => [code, location.line])).toEqual([
      ["RAMPART_W_KIND_IGNORED", 2],
      ["RAMPART_W_KIND_IGNORED", 5],
      ["RAMPART_W_KIND_IGNORED", 8],
      ["RAMPART_W_KIND_IGNORED", 11],
      ["RAMPART_W_KIND_IGNORED", 14],
    ]);
  });

  it("lists are their items, which may leave out what a list of one kind says", () => {
    const item = "  - { metadata: { name: a }, spec: { order: 1 } }\n";
    const typed = loadText(`apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicyList\nitems:\n${item}`);
    expect(names(typed)).toEqual(["a"]);
    expect(loadText("apiVersion: v1\nkind: List\nitems:\n").errors).toEqual([]);
    expect(codes(loadText(`apiVersion: v1\nkind: List\nitems:\n${item}`))).toEqual(["RAMPART_E_KIND_UNKNOWN"]);
  });

  it("a document with an error yields nothing, not even the good items of its list", () => {
    const type = "apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy";
    const good = `  - { ${type}, metadata: { name: a }, spec: {} }\n`;
    const bad = good.replace("name: a", "name: A");
    const result = loadText(`kind: List\napiVersion: v1\nitems:\n${good}${bad}---\n${policy("  order: 1")}`);
    expect(codes(result)).toEqual(["RAMPART_E_NAME"]);
    expect(names(result)).toEqual(["p"]);
  });

  it("an error in one document leaves the others checked, in every file", () => {
    const folder = temporaryFolder({
      "a.yaml": `${policy("  types: [x]", "a")}---\nb: [\n---\n${policy("  order: x", "c")}`,
      "b.yaml": policy("  selector: '='", "d"),
    });
    expect(codes(loadResources([folder]))).toContain("RAMPART_E_SELECTOR");
    expect(codes(loadResources([folder])).slice(0, 2)).toEqual(["RAMPART_E_VALUE", "RAMPART_E_YAML_SYNTAX"]);
  });
});

describe("across documents and files", () => {
  it("the same kind and name twice is an error at the second that names the first", () => {
    const folder = temporaryFolder({
      "a.yaml": policy("  order: 1"),
      "b.yaml": `---\n${policy("  order: 2").replace("projectcalico.org/v3", "crd.projectcalico.org/v1")}`,
    });
    const result = loadResources([folder]);
    expect(codes(result)).toEqual(["RAMPART_E_DUPLICATE"]);
    expect(result.errors[0]?.location).toEqual({ file: join(folder, "b.yaml"), line: 2, column: 1 });
    expect(result.errors[0]?.message).toContain(`${join(folder, "a.yaml")}:1:1`);
    expect(result.resources.policies.map((one) => one.order)).toEqual([1]);
  });

  it("the same name for different kinds is fine", () => {
    const text = `${policy("  order: 1", "x")}---\n${resource("GlobalNetworkSet", "{ name: x }", "{}")}`;
    expect(loadText(text).errors).toEqual([]);
  });

  it("a tier may stand in another file, before or after its policies", () => {
    const folder = temporaryFolder({ "a.yaml": policy("  tier: t"), "b.yaml": resource("Tier", "{ name: t }", "{}") });
    expect(codes(loadResources([folder]))).toEqual([]);
  });

  it("a policy is not blamed for a tier that could not be read", () => {
    const broken = resource("Tier", "{ name: t }", "{ order: x }");
    expect(codes(loadText(`${policy("  tier: t")}---\n${broken}`))).toEqual(["RAMPART_E_TYPE"]);
    expect(codes(loadText(`${policy("  tier: t")}---\n${broken}  ]`))).toEqual(["RAMPART_E_YAML_SYNTAX"]);
    const badLabel = resource("Tier", "{ name: t, labels: { v: a b } }", "{}");
    expect(codes(loadText(`${policy("  tier: t")}---\n${badLabel}`))).toEqual(["RAMPART_E_VALUE"]);
  });

  it("lists are sorted by name, whatever the order of documents", () => {
    const text = ["b", "a.b", "a", "a-b", "b0"].map((name) => policy("  order: 1", name)).join("---\n");
    expect(names(loadText(text))).toEqual(["a", "a-b", "a.b", "b", "b0"]);
  });
});
