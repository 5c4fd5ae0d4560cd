/** What the import makes of the five seed articles, read as they are. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { importText } from "../../src/import/import.ts";
import type { ImportedDocument, ImportOutcome } from "../../src/import/outcome.ts";
import type { YamlObject, YamlValue } from "../../src/resources/yaml-value.ts";

export const SEED_FOLDER = join(import.meta.dirname, "../fixtures/seeds");
export const SEED_FILES = readdirSync(SEED_FOLDER).toSorted();

/** The article whose number is the beginning of its name. */
export function article(number: string): ImportOutcome {
  const file = SEED_FILES.find((name) => name.startsWith(number)) as string;
  return importText(file, readFileSync(join(SEED_FOLDER, file), "utf8"));
}

/** The documents of a kind (`NetworkPolicy` is Calico's) and a name, in the article's order. */
export function named(outcome: ImportOutcome, kind: string, name: string): ImportedDocument[] {
  return outcome.documents.filter(
    ({ schema, value }) => schema.name === kind && (value["metadata"] as YamlObject)["name"] === name,
  );
}

export function specs(outcome: ImportOutcome, kind: string, name: string): YamlValue[] {
  return named(outcome, kind, name).map(({ value }) => value["spec"] as YamlValue);
}

export function codes({ repairs }: ImportedDocument): string[] {
  return repairs.map(({ code }) => code);
}
