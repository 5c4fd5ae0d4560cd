/** A document as the fast reader and as the `yaml` package read it: every value, and every place. */
import type { Document, Node } from "yaml";
import { parseAllDocuments } from "yaml";
import { DEFAULT_LIMITS } from "../../src/resources/load-limits.ts";
import { placeNodes } from "../../src/resources/placed-node.ts";
import { readPlainYaml } from "../../src/resources/plain-yaml.ts";
import { SourceText } from "../../src/resources/source-text.ts";
import type { ValuePath } from "../../src/resources/yaml-document.ts";
import { YamlDocument } from "../../src/resources/yaml-document.ts";
import type { YamlValue } from "../../src/resources/yaml-value.ts";
import { YamlValueReader } from "../../src/resources/yaml-value.ts";

/** A byte order mark, a directive or an end of document is a matter of the whole file. */
export const WHOLE_FILE = /\ufeff|^(?:%|\.\.\.)/m;

/** Every path that leads to a value. */
function* pathsOf(value: YamlValue, path: ValuePath = []): Generator<ValuePath> {
  yield path;
  if (typeof value !== "object" || value === null) return;
  const fields: [string | number, YamlValue][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  for (const [step, child] of fields) yield* pathsOf(child, [...path, step]);
}

function placesIn(document: YamlDocument): unknown[] {
  return [...pathsOf(document.value)].map((path) => [
    path,
    document.location(path),
    document.keyLocation(path),
    document.textLocation(path, 2),
    document.isMapping(path),
  ]);
}

/** What the package makes of it; undefined if it has anything to object to. */
function byPackage(text: string): YamlDocument | "empty" | undefined {
  const documents = parseAllDocuments(text, { version: "1.2", schema: "core", logLevel: "silent", uniqueKeys: false });
  if (!Array.isArray(documents) || documents.length === 0) return "empty";
  if (documents.length > 1) return undefined;
  const { errors, warnings, contents } = documents[0] as Document.Parsed;
  if (errors.length + warnings.length > 0) return undefined;
  if (contents === null) return "empty";
  const reader = new YamlValueReader(DEFAULT_LIMITS);
  const value = reader.read(contents);
  if (value === null) return "empty";
  return new YamlDocument(new SourceText("f", text, 1), value, placeNodes(contents as Node, reader.aliasTargets));
}

function seen(read: YamlDocument | "empty" | undefined): unknown {
  return read instanceof YamlDocument ? { value: read.value, places: placesIn(read) } : read;
}

/** What both readers make of a document; undefined where the fast one leaves it to the package. */
export function readBothWays(text: string): { readonly plain: unknown; readonly byPackage: unknown } | undefined {
  const plain = readPlainYaml(text, DEFAULT_LIMITS.depth);
  if (plain === "unknown") return undefined;
  const read = plain === "empty" ? plain : new YamlDocument(new SourceText("f", text, 1), plain.value, plain.root);
  return { plain: seen(read), byPackage: seen(byPackage(text)) };
}
