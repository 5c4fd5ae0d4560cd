/** What the lint says of YAML, short enough to compare: code and line of each warning. */
import { expect } from "vitest";
import { lint } from "../../src/lint/lint.ts";
import type { LintWarning } from "../../src/lint/lint-warning.ts";
import type { Host } from "../../src/lint/locks-out.ts";
import { loadText } from "../resources/temporary-folder.ts";

const NOWHERE: Host = { node: "node-a", interfaces: [], session: undefined };

/** Documents in short form, each `Kind name { spec }` or `Kind namespace/name [labels] { spec }`. */
export function documents(...lines: readonly string[]): string {
  return lines.map(document).join("---\n");
}

/** The warnings of a set that loads without an error. */
export function warningsOf(text: string, host: Partial<Host> = {}): LintWarning[] {
  const { resources, errors } = loadText(text);
  expect(errors).toEqual([]);
  return lint(resources, { ...NOWHERE, ...host });
}

/** Their codes, without what all have in common. */
export function said(text: string, host: Partial<Host> = {}): string[] {
  return warningsOf(text, host).map(({ code }) => code.replace("RAMPART_W_", ""));
}

const VERSION: Readonly<Record<string, string>> = {
  Namespace: "v1",
  ServiceAccount: "v1",
  Pod: "v1",
  KubernetesPolicy: "networking.k8s.io/v1",
};

function document(line: string): string {
  const parts = /^(\S+) (\S+)(?: \[(.*?)\])?(?: (\{.*\}))?$/.exec(line) ?? [];
  const [, kind = "", path = "", labels = "", spec = ""] = parts;
  const [name, namespace] = path.split("/").toReversed() as [string, string | undefined];
  const place = namespace === undefined ? "" : `, namespace: ${namespace}`;
  const rest = kind === "Namespace" || kind === "ServiceAccount" ? "" : `spec: ${spec}\n`;
  const written = kind === "KubernetesPolicy" ? "NetworkPolicy" : kind;
  return (
    `apiVersion: ${VERSION[kind] ?? "projectcalico.org/v3"}\nkind: ${written}\n` +
    `metadata: { name: ${name}${place}, labels: { ${labels} } }\n${rest}`
  );
}
