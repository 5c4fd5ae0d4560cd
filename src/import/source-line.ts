/**
 * A line of the input and what it could be in YAML. Blanks that only look like
 * spaces have become spaces here and nowhere else; `number` always counts in
 * the file as the user has it.
 */

export interface SourceLine {
  readonly number: number;
  readonly text: string;
  /** True where a tab, a no-break space or an invisible character was replaced. */
  readonly respaced: boolean;
}

/** `- - key: value`: how many dashes, the key if there is one, and the raw text after it. */
export interface Entry {
  readonly line: number;
  readonly dashes: number;
  readonly key: string | undefined;
  /** Trimmed; "" where nothing follows. */
  readonly raw: string;
}

export type LineShape =
  | { readonly shape: "blank" | "comment" | "separator" | "text"; readonly indent: number }
  | { readonly shape: "entry"; readonly indent: number; readonly entry: Entry };

// A colon inside a key is Cilium's `k8s:app`.
const KEY = String.raw`[A-Za-z0-9_][A-Za-z0-9_./-]*(?::[A-Za-z][A-Za-z0-9_./-]*)*`;
const QUOTED_KEY = String.raw`"[^"\\]*"|'[^']*'`;
const KEYED = new RegExp(String.raw`^((?:-\s+)*)(${KEY}|${QUOTED_KEY}):(?:\s+(.*))?$`);
const ITEM = /^((?:-\s+)*)-(?:\s+(.*))?$/;

export function splitLines(text: string): SourceLine[] {
  return text.split(/\r\n|\n|\r/).map((raw, index) => {
    const spaced = raw
      .replaceAll(/[\u00a0\u2000-\u200a\u202f\u3000]/g, " ")
      .replaceAll(/[\u200b-\u200d\u2060\ufeff]/g, "")
      .replace(/^[ \t]+/, (lead) => lead.replaceAll("\t", "  "));
    return { number: index + 1, text: spaced.trimEnd(), respaced: spaced !== raw && spaced.trim() !== "" };
  });
}

export function shapeOf({ number, text }: SourceLine): LineShape {
  const body = text.trim();
  const indent = text.length - text.trimStart().length;
  if (body === "") return { shape: "blank", indent };
  if (body.startsWith("#")) return { shape: "comment", indent };
  if (body === "---" || body === "...") return { shape: "separator", indent };
  const keyed = KEYED.exec(body);
  if (keyed !== null) {
    const key = (keyed[2] as string).replaceAll(/^["']|["']$/g, "");
    return {
      shape: "entry",
      indent,
      entry: { line: number, dashes: dashCount(keyed[1]), key, raw: (keyed[3] ?? "").trim() },
    };
  }
  const item = ITEM.exec(body);
  if (item !== null) {
    const entry = { line: number, dashes: dashCount(item[1]) + 1, key: undefined, raw: (item[2] ?? "").trim() };
    return { shape: "entry", indent, entry };
  }
  return { shape: "text", indent };
}

function dashCount(dashes: string | undefined): number {
  return (dashes ?? "").replaceAll(/\s/g, "").length;
}
