/** What is kept of the policy files says the same when it is loaded again, on another day and in another place. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { decodeSet, encodeSet } from "../../src/daemon/last-good-format.ts";
import { FilePolicySource } from "../../src/daemon/policy-source.ts";
import { ResourceLoader } from "../../src/resources/load.ts";

const ENDPOINT = 'apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {name: host-1} # größe\nspec: {node: n, interfaceName: eth0}\n';

function folder(files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), "rampart-source-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

function source(...paths: readonly string[]): FilePolicySource {
  return new FilePolicySource({ paths, watch: false, debounceMs: 0, lenientYaml: true });
}

const policy = (name: string, rule = "{action: Allow}"): string =>
  `apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: ${name}}\nspec:\n  ingress: [${rule}]\n`;

it("names files from the directory that all policy paths are in", () => {
  const root = folder({ "etc/policy.d/a.yaml": policy("a"), "etc/policy.d/deep/b.yaml": policy("b"), "srv/c.yaml": policy("c") });
  const names = (...paths: string[]): string[] => {
    const from = source(...paths.map((path) => join(root, path)));
    return from.textsOf(from.load()).map(({ file }) => file);
  };
  expect(names("etc/policy.d")).toEqual(["policy.d/a.yaml", "policy.d/deep/b.yaml"]);
  expect(names("etc/policy.d/a.yaml")).toEqual(["a.yaml"]);
  expect(names("etc/policy.d", "srv/c.yaml")).toEqual([
    "etc/policy.d/a.yaml",
    "etc/policy.d/deep/b.yaml",
    "srv/c.yaml",
  ]);
});

it("is the same set, with every message at its place under that name", () => {
  const files = { "policy.d/a.yaml": ENDPOINT, "policy.d/b.yaml": `# one\n---\n${policy("b")}---\n${policy("c")}` };
  const root = folder(files);
  const from = source(join(root, "policy.d"));
  const loaded = from.load();
  expect(loaded.errors).toEqual([]);
  const decoded = decodeSet(Buffer.concat(encodeSet(from.textsOf(loaded)).chunks));
  const texts = "texts" in decoded ? decoded.texts : [];
  expect(texts.map(({ text }) => text)).toEqual(Object.values(files));
  const again = new ResourceLoader().loadTexts(texts);
  const withoutRoot = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll(`${root}/`, ""));
  expect(withoutRoot(again.resources)).toEqual(withoutRoot(loaded.resources));

  const broken = new ResourceLoader().loadTexts([
    { file: "policy.d/b.yaml", text: `${policy("b")}---\n${policy("c", "{action: Alow}")}` },
  ]);
  expect(broken.errors[0]?.location).toEqual({ file: "policy.d/b.yaml", line: 11, column: 22 });
});

it("tells of changes that never end", async () => {
  const root = folder({ "a.yaml": policy("a") });
  const watched = new FilePolicySource({ paths: [root], watch: true, debounceMs: 200, lenientYaml: true });
  onTestFinished(() => watched.close());
  let told = 0;
  await watched.watch(
    () => told++,
    (error) => expect.unreachable(String(error)),
  );
  let changes = 0;
  const writer = setInterval(() => writeFileSync(join(root, "a.yaml"), policy(`a${changes++}`)), 20);
  onTestFinished(() => clearInterval(writer));
  await expect.poll(() => told, { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
  // Not by every change either.
  expect(changes).toBeGreaterThan(3 * told);
});

it("is bounded as files are", () => {
  const loader = new ResourceLoader({ limits: { fileBytes: 100 } });
  const { errors, resources } = loader.loadTexts([{ file: "a.yaml", text: policy("a") }]);
  expect(errors.map(({ code }) => code)).toEqual(["RAMPART_E_YAML_LIMIT"]);
  expect(resources.policies).toEqual([]);
});
