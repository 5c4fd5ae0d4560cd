/**
 * Articles and YAML files in, clean resources out (SEMANTICS section 0).
 *
 *   text -> source-line -> line-numbers -> article (blocks)
 *        -> repair-document | repair-stream | repair-fragment -> finish -> documents
 *
 * A file that is YAML throughout goes past all of that: what is well indented
 * is never nested anew. The files given only suggest what is a resource; what
 * is written is exactly what the repairs say was read.
 */
import { basename } from "node:path";
import { Diagnostics } from "../resources/diagnostics.ts";
import { DEFAULT_LIMITS } from "../resources/load-limits.ts";
import type { YamlDocument } from "../resources/yaml-document.ts";
import type { YamlObject } from "../resources/yaml-value.ts";
import { isYamlObject } from "../resources/yaml-value.ts";
import { readYamlStream } from "../resources/yaml-stream.ts";
import type { Block } from "./article.ts";
import { nextBlock } from "./article.ts";
import { finishDocument } from "./finish.ts";
import { splitListings } from "./line-numbers.ts";
import type { ImportedDocument, ImportOutcome, Repair } from "./outcome.ts";
import type { BlockResult } from "./repair-document.ts";
import { repairDocument } from "./repair-document.ts";
import { repairRules, repairSpec, reportPart } from "./repair-fragment.ts";
import { repairStream } from "./repair-stream.ts";
import { declaredField } from "./schema-node.ts";
import { lookUpSchema } from "./schema-tree.ts";
import type { SourceLine } from "./source-line.ts";
import { splitLines } from "./source-line.ts";

/** Every resource in `text`, in the order in which they stand there; `file` names what has no name. */
export function importText(file: string, text: string): ImportOutcome {
  const outcomes = importStream(file, text) ?? importArticle(file, text);
  return {
    documents: outcomes.flatMap(({ documents }) => documents).toSorted((a, b) => a.line - b.line),
    skipped: outcomes.flatMap(({ skipped }) => skipped).toSorted((a, b) => a.line - b.line),
  };
}

/** undefined unless the whole text is a stream of resources with their nesting in place, and nothing else. */
function importStream(file: string, text: string): ImportOutcome[] | undefined {
  const diagnostics = new Diagnostics(0, 0);
  const outcomes: ImportOutcome[] = [];
  for (const document of readYamlStream(file, text, DEFAULT_LIMITS, diagnostics)) {
    if (document === "unreadable" || !isYamlObject(document.value) || !isNested(document.value)) return undefined;
    outcomes.push(finishNested(document, document.value));
  }
  return outcomes.length === 0 ? undefined : outcomes;
}

function finishNested(document: YamlDocument, value: YamlObject): ImportOutcome {
  const lineOf = (path: readonly (string | number)[]) => document.keyLocation(path).line;
  return finishDocument({ value, line: lineOf([]), lineOf, repairs: [] });
}

function isNested(value: YamlObject): boolean {
  const { apiVersion, kind } = value;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return false;
  const root = lookUpSchema(apiVersion, kind)?.root;
  if (root === undefined) return true;
  return Object.keys(value).every((key) => key === "status" || declaredField(root, key) !== undefined);
}

function importArticle(file: string, text: string): ImportOutcome[] {
  const namePrefix = nameFrom(file);
  const outcomes: ImportOutcome[] = [];
  let policy: ImportedDocument | undefined;
  for (const { lines, numbered } of splitListings(splitLines(text))) {
    let at = 0;
    for (let next = nextBlock(lines, at); next !== undefined; next = nextBlock(lines, at)) {
      const repairs = numbered ? [strippedNumbers(next.block)] : [];
      const { outcome, used } = repairBlock(next.block, namePrefix, policy, repairs);
      outcomes.push(outcome);
      policy = outcome.documents.findLast(({ schema }) => schema.calicoPolicy) ?? policy;
      at = next.at + Math.max(used, 1);
    }
  }
  return outcomes;
}

function repairBlock(
  block: Block,
  namePrefix: string,
  policy: ImportedDocument | undefined,
  repairs: readonly Repair[],
): BlockResult {
  switch (block.type) {
    case "document":
      return repairDocument(block, repairs);
    case "stream":
      return { outcome: repairStream(block.lines[0] as SourceLine, repairs), used: 1 };
    case "spec":
      return repairSpec(block, namePrefix, repairs);
    case "rules":
      return repairRules(block, policy, repairs);
    case "part":
      return reportPart(block);
  }
}

function strippedNumbers({ lines }: Block): Repair {
  const first = (lines[0] as SourceLine).number;
  const starts = lines.filter(({ number }, at) => at === 0 || number !== (lines[at - 1] as SourceLine).number + 1);
  const pieces = starts.length;
  const joined = pieces === 1 ? "" : `; its ${pieces} pieces were joined, the text between them left out`;
  const message = `the listing's line numbers were taken away${joined}`;
  return { code: "RAMPART_W_REPAIR_LINE_NUMBERS", line: first, message };
}

/** A resource name made of the file's. */
function nameFrom(file: string): string {
  const stem = basename(file).replace(/\.[^.]*$/, "");
  const name = stem.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").slice(0, 40).replaceAll(/^-+|-+$/g, "");
  return name === "" ? "imported" : name;
}
