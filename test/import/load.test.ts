/** What the import writes is what the daemon reads. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { planOutput } from "../../src/import/output.ts";
import type { OutputFile } from "../../src/import/output.ts";
import { formatError } from "../../src/errors/rampart-error.ts";
import { loadResources } from "../../src/resources/load.ts";
import { temporaryFolder } from "../resources/temporary-folder.ts";
import { article, SEED_FILES } from "./seed-documents.ts";

function load(files: readonly OutputFile[]) {
  const folder = temporaryFolder();
  for (const { name, text } of files) writeFileSync(join(folder, name), text);
  return loadResources([folder]);
}

function written(file: string): readonly OutputFile[] {
  const { files } = planOutput([{ file, outcome: article(file) }]);
  return files.filter(({ title }) => !title.startsWith("Cilium"));
}

describe.each(SEED_FILES)("%s", (file) => {
  it.each(written(file).map((output) => [output.name, output] as const))("%s loads on its own", (_name, output) => {
    expect(load([output]).errors.map(formatError)).toEqual([]);
  });

  it("loads as a whole, once each name is there only once", () => {
    const files = written(file).filter(
      ({ repairs }) => !repairs.some(({ code }) => code === "RAMPART_W_IMPORT_SAME_NAME"),
    );
    const { errors, resources } = load(files);
    expect(errors.map(formatError)).toEqual([]);
    const policies = files.filter(({ title }) => title.includes("NetworkPolicy "));
    expect(resources.policies).toHaveLength(policies.length);
  });
});
