/** Lines whose indentation is still there, through the same parser and limits as the daemon's own files. */
import { Diagnostics } from "../resources/diagnostics.ts";
import { DEFAULT_LIMITS } from "../resources/load-limits.ts";
import type { YamlValue } from "../resources/yaml-value.ts";
import { readYamlStream } from "../resources/yaml-stream.ts";
import type { LineOf } from "./quirks.ts";
import type { SourceLine } from "./source-line.ts";

export type StrictYaml =
  | { readonly ok: true; readonly value: YamlValue; readonly lineOf: LineOf }
  | { readonly ok: false; readonly line: number; readonly message: string };

/** Reads one document; `base` is the indentation all of it has. */
export function readStrictYaml(lines: readonly SourceLine[], base: number): StrictYaml {
  const diagnostics = new Diagnostics(1, 0);
  const text = lines.map((line) => line.text.slice(base)).join("\n");
  const fileLine = (line: number | undefined) => (lines[(line ?? 1) - 1] ?? (lines[0] as SourceLine)).number;
  for (const document of readYamlStream("", text, DEFAULT_LIMITS, diagnostics)) {
    if (document === "unreadable") break;
    return { ok: true, value: document.value, lineOf: (path) => fileLine(document.keyLocation(path).line) };
  }
  const error = diagnostics.errors[0];
  return { ok: false, line: fileLine(error?.location?.line), message: error?.message ?? "there is nothing in it" };
}
