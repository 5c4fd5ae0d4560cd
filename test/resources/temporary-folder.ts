/** Files of a test, in a folder of its own that is gone after the test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import type { LoadOptions, LoadResult } from "../../src/resources/load.ts";
import { loadResources } from "../../src/resources/load.ts";

export function temporaryFolder(files: Readonly<Record<string, string | Buffer>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "rampart-resources-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** Loads `text` as one file. */
export function loadText(text: string | Buffer, options?: LoadOptions): LoadResult {
  return loadResources([join(temporaryFolder({ "policy.yaml": text }), "policy.yaml")], options);
}

/** A GlobalNetworkPolicy whose spec is `spec`, which brings its own indentation of two. */
export function policy(spec: string, name = "p"): string {
  return `apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata:\n  name: ${name}\nspec:\n${spec}\n`;
}

/** A policy of one ingress rule, given in flow style: `{ action: Allow, ... }`. */
export function inRule(rule: string): string {
  return policy(`  ingress:\n    - ${rule}`);
}

/** Any Calico resource with its metadata and spec in flow style. */
export function resource(kind: string, metadata: string, spec: string): string {
  return `apiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: ${metadata}\nspec: ${spec}\n`;
}

/**
 * Text with the place of an expected error marked by `@@`: the text without
 * the mark, and the mark's line and column.
 */
export function marked(text: string): { text: string; line: number; column: number } {
  const at = text.indexOf("@@");
  if (at < 0) throw new Error("no @@ in the test's text");
  const before = text.slice(0, at).split("\n");
  return {
    text: before.join("\n") + text.slice(at + 2),
    line: before.length,
    column: (before.at(-1) as string).length + 1,
  };
}
