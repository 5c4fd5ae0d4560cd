/**
 * Imported documents as files to write: one document each, named by kind,
 * namespace and name, no two alike. What is the same twice is written once;
 * what only has the same name is written beside it, for a person to choose.
 */
import { isDeepStrictEqual } from "node:util";
import type { YamlValue } from "../resources/yaml-value.ts";
import { isYamlObject } from "../resources/yaml-value.ts";
import { canonicalYaml } from "./canonical-yaml.ts";
import type { ImportedDocument, ImportOutcome, Repair, Skipped } from "./outcome.ts";

export interface ImportedFile {
  readonly file: string;
  readonly outcome: ImportOutcome;
}

export interface OutputFile {
  readonly name: string;
  /** `kind namespace/name`, for people. */
  readonly title: string;
  readonly text: string;
  readonly source: string;
  readonly line: number;
  readonly repairs: readonly Repair[];
}

export interface Output {
  readonly files: readonly OutputFile[];
  readonly skipped: readonly (Skipped & { readonly source: string })[];
}

const MAX_NAME_PART = 100;

export function planOutput(imported: readonly ImportedFile[]): Output {
  const files: OutputFile[] = [];
  const skipped: (Skipped & { source: string })[] = [];
  const names = new Set<string>();
  const byTitle = new Map<string, { source: string; document: ImportedDocument }[]>();
  for (const { file: source, outcome } of imported) {
    skipped.push(...outcome.skipped.map((one) => ({ ...one, source })));
    for (const document of outcome.documents) {
      const { line, value } = document;
      const title = titleOf(document);
      const namesakes = byTitle.get(title) ?? [];
      const same = namesakes.find((other) => isDeepStrictEqual(other.document.value, value));
      if (same !== undefined) {
        const message = `${title} is the same as at ${same.source}:${same.document.line}; written once`;
        skipped.push({ code: "RAMPART_W_IMPORT_DUPLICATE", line, message, source });
        continue;
      }
      const repairs = [...document.repairs];
      const namesake = namesakes[0];
      if (namesake !== undefined) {
        const place = `${namesake.source}:${namesake.document.line}`;
        const message = `there is another ${title}, of ${place}; load only one of them`;
        repairs.push({ code: "RAMPART_W_IMPORT_SAME_NAME", line, message });
      }
      byTitle.set(title, [...namesakes, { source, document }]);
      const name = freeName(document, names);
      names.add(name);
      files.push({ name, title, text: textOf({ ...document, repairs }, source), source, line, repairs });
    }
  }
  return { files, skipped };
}

function titleOf(document: ImportedDocument): string {
  const { name, namespace } = identity(document);
  return `${document.schema.name} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
}

function identity({ schema, value }: ImportedDocument): { name: string; namespace: string | undefined } {
  const metadata = value["metadata"];
  const field = (key: string): YamlValue => (isYamlObject(metadata) ? (metadata[key] ?? null) : null);
  const given = field("namespace");
  const namespace = typeof given === "string" && given !== "" ? given : "default";
  return { name: String(field("name")), namespace: schema.namespaced ? namespace : undefined };
}

function freeName(document: ImportedDocument, taken: ReadonlySet<string>): string {
  const { name, namespace } = identity(document);
  const parts = [document.schema.name, ...(namespace === undefined ? [] : [namespace]), name];
  const stem = parts.map(fileNamePart).join("-");
  for (let copy = 1; ; copy++) {
    const candidate = copy === 1 ? `${stem}.yaml` : `${stem}-${copy}.yaml`;
    if (!taken.has(candidate)) return candidate;
  }
}

/** Whatever a document calls itself, its file stays in the folder. */
function fileNamePart(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, "-").slice(0, MAX_NAME_PART);
}

function textOf({ value, line, repairs }: ImportedDocument, source: string): string {
  const notes = repairs.map((repair) => `# line ${repair.line}: ${repair.code} ${repair.message}`);
  const head = [`# Imported from ${JSON.stringify(source)}, line ${line}.`, ...notes];
  const comments = head.map((comment) => comment.replaceAll(/[\n\r\u0085\u2028\u2029]+/g, " "));
  return `${comments.join("\n")}\n${canonicalYaml(value)}`;
}
