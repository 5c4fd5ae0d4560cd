/** A loader that remembers gives what one that knows nothing gives, and keeps what did not change. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatError } from "../../src/errors/rampart-error.ts";
import { loadOptions } from "../../src/daemon/load-options.ts";
import type { LoadResult } from "../../src/resources/load.ts";
import { loadResources, ResourceLoader } from "../../src/resources/load.ts";
import { policy, resource, temporaryFolder } from "./temporary-folder.ts";

function outcome({ resources, errors, warnings, files }: LoadResult): unknown {
  return { resources, errors: errors.map(formatError), warnings, files };
}

function pod(name: string, label: string): string {
  const labels = `labels: { app: ${label} }`;
  const metadata = `{ name: ${name}, namespace: shop, ${labels} }`;
  return `apiVersion: v1\nkind: Pod\nmetadata: ${metadata}\nstatus: { podIP: 10.0.0.1 }\n`;
}

describe("a second load", () => {
  it("reads again only the document that changed", () => {
    const text = (label: string) =>
      [policy("  order: 1", "a"), pod("one", label), policy("  order: 2", "b"), policy("  {}", "c")].join("---\n");
    const folder = temporaryFolder({ "all.yaml": text("x") });
    const loader = new ResourceLoader();
    const first = loader.load([folder]);
    writeFileSync(join(folder, "all.yaml"), text("y"));
    const second = loader.load([folder]);
    expect(outcome(second)).toEqual(outcome(loadResources([folder])));
    expect(second.resources.workloadEndpoints[0]?.labels).toMatchObject({ app: "y" });
    expect(second.resources.policies).toHaveLength(3);
    for (const [at, each] of second.resources.policies.entries()) expect(each).toBe(first.resources.policies[at]);
  });

  it("keeps an endpoint unless its own or an inherited label changed", () => {
    const namespace = (team: string) =>
      `apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { team: ${team} } }\n`;
    const other = pod("three", "x").replace("namespace: shop", "namespace: other").replace("10.0.0.1", "10.0.0.3");
    const two = pod("two", "LABEL").replace("10.0.0.1", "10.0.0.2");
    const host = resource("HostEndpoint", "{ name: h }", "{ node: n, interfaceName: eth0, profiles: [kns.shop] }");
    const set = resource("NetworkSet", "{ name: s, namespace: shop }", "{}");
    const write = (label: string, team: string) =>
      writeFileSync(
        join(folder, "all.yaml"),
        [pod("one", "x"), two.replace("LABEL", label), other, host, set, namespace(team)].join("---\n"),
      );
    const folder = temporaryFolder();
    const loader = new ResourceLoader();
    const load = () => {
      const { resources, errors } = loader.load([folder]);
      expect(errors).toEqual([]);
      return [...resources.workloadEndpoints, ...resources.hostEndpoints, ...resources.networkSets];
    };
    write("x", "a");
    const first = load();
    expect(first.map(({ name }) => name)).toEqual(["three", "one", "two", "h", "s"]);
    write("y", "a");
    const second = load();
    expect(second.map((each, at) => each === first[at])).toEqual([true, true, false, true, true]);
    write("y", "b");
    const third = load();
    expect(third.map((each, at) => each === second[at])).toEqual([true, false, false, false, false]);
    expect(outcome(loader.load([folder]))).toEqual(outcome(loadResources([folder])));
  });

  it("gives what moved down its new place", () => {
    const folder = temporaryFolder({ "all.yaml": `${policy("  order: 1", "a")}---\n${policy("  order: 2", "b")}` });
    const loader = new ResourceLoader();
    loader.load([folder]);
    const longer = `# a comment\n${readFileSync(join(folder, "all.yaml"), "utf8")}`;
    writeFileSync(join(folder, "all.yaml"), longer);
    const { resources } = loader.load([folder]);
    expect(resources.policies.map(({ location }) => location.line)).toEqual([2, 9]);
  });

  it("counts the documents it did not read again", () => {
    const folder = temporaryFolder({ "all.yaml": "apiVersion: v1\nkind: X\n---\n".repeat(5) });
    const loader = new ResourceLoader({ limits: { documents: 5 } });
    expect(loader.load([folder]).errors).toEqual([]);
    writeFileSync(join(folder, "0.yaml"), "apiVersion: v1\nkind: X\n");
    writeFileSync(join(folder, "all.yaml"), `${"apiVersion: v1\nkind: X\n---\n".repeat(5)}# more\n`);
    expect(loader.load([folder]).errors.map(({ code }) => code)).toEqual(["RAMPART_E_LIMIT"]);
    rmSync(join(folder, "0.yaml"));
    expect(loader.load([folder]).errors).toEqual([]);
  });
});

const DOCUMENTS = [
  ...[1, 2, 3].map((order) => policy(`  order: ${order}`, `p${order}`)),
  policy("  order: x", "broken"),
  policy("  tier: none", "none.lost"),
  policy("  selector: a ==", "selector"),
  pod("one", "x"),
  pod("one", "y"),
  pod("two", "y"),
  resource("Tier", "{ name: none }", "{ order: 1 }"),
  resource("HostEndpoint", "{ name: h }", "{ node: n, interfaceName: eth0, profiles: [kns.shop, gone] }"),
  "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata:\nname: flat\nspec:\norder: 5\n",
  "apiVersion: v1\nkind: List\nitems: [{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { t: a } } }]\n",
  "apiVersion: apps/v1\nkind: Deployment\n",
  "text: |\n  ---\n   x\nkind: [\n",
  "# a comment only\n",
  "",
  "...\n",
  `x: ${"[".repeat(70)}\n`,
];

describe("whatever changes in the files", () => {
  it("a loader that remembers says what a new one says", () => {
    const file = fc.array(fc.constantFrom(...DOCUMENTS), { maxLength: 6 }).map((documents) => documents.join("---\n"));
    const state = fc.dictionary(fc.constantFrom("a.yaml", "b.yaml", "c.yaml"), file);
    const limits = fc.constantFrom({}, { documents: 7 }, { errors: 2, warnings: 1 });
    fc.assert(
      fc.property(fc.array(state, { minLength: 2, maxLength: 5 }), limits, fc.boolean(), (states, bounds, lenient) => {
        const folder = temporaryFolder();
        const options = { ...loadOptions(lenient), limits: bounds };
        const loader = new ResourceLoader(options);
        for (const files of states) {
          for (const name of ["a.yaml", "b.yaml", "c.yaml"]) rmSync(join(folder, name), { force: true });
          for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
          expect(outcome(loader.load([folder]))).toEqual(outcome(loadResources([folder], options)));
        }
      }),
      { numRuns: 100 },
    );
  });
});
