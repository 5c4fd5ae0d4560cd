/**
 * The last step of every repair: a value with its nesting right becomes a
 * document to write, or is skipped with the reason. List documents become
 * their items.
 */
import { findPlaceholders } from "../resources/placeholder.ts";
import { lookUpKind } from "../resources/resource-registry.ts";
import type { YamlObject, YamlValue } from "../resources/yaml-value.ts";
import { isYamlObject } from "../resources/yaml-value.ts";
import type { ImportOutcome, Repair, Skipped } from "./outcome.ts";
import { skip } from "./outcome.ts";
import type { LineOf } from "./quirks.ts";
import { withoutQuirks } from "./quirks.ts";
import { lookUpSchema } from "./schema-tree.ts";

export interface Unfinished {
  readonly value: YamlObject;
  readonly line: number;
  readonly lineOf: LineOf;
  readonly repairs: readonly Repair[];
}

export function finishDocument(unfinished: Unfinished): ImportOutcome {
  const { value, line } = unfinished;
  const { apiVersion, kind } = value;
  if (typeof apiVersion !== "string" || typeof kind !== "string" || apiVersion === "" || kind === "") {
    return skip("RAMPART_E_KIND_UNKNOWN", line, "a resource needs apiVersion and kind, both text");
  }
  if (isListKind(kind) && Object.hasOwn(value, "items")) return finishItems(unfinished, apiVersion, kind);
  const schema = lookUpSchema(apiVersion, kind);
  if (schema === undefined) return skipKind(apiVersion, kind, line);
  const placeholders = findPlaceholders(value);
  if (placeholders.length > 0) {
    const skipped = placeholders.map(({ path, text }): Skipped => {
      const what = `${JSON.stringify(text)} is a placeholder`;
      const message = `${schema.name}: ${what}; replace it with the value it stands for`;
      return { code: "RAMPART_E_PLACEHOLDER", line: unfinished.lineOf(path), message };
    });
    return { documents: [], skipped };
  }
  const metadata = value["metadata"];
  const name = isYamlObject(metadata) ? metadata["name"] : undefined;
  if ((typeof name !== "string" || name === "") && typeof name !== "number") {
    return skip("RAMPART_E_FIELD_MISSING", line, `${schema.name}: it has no metadata.name`);
  }
  const repairs = [...unfinished.repairs];
  const straight = withoutQuirks(value, schema.root, unfinished.lineOf, repairs);
  return { documents: [{ schema, value: straight, line, repairs }], skipped: [] };
}

export function isListKind(kind: string): boolean {
  return kind.endsWith("List");
}

/** What a document of a kind that is not read becomes: ignored if it cannot matter, otherwise an error. */
export function skipKind(apiVersion: string, kind: string, line: number): ImportOutcome {
  const lookup = lookUpKind(apiVersion, kind);
  if (lookup.found === "unrelated") {
    return skip("RAMPART_W_KIND_IGNORED", line, `${kind} of apiVersion ${apiVersion} is no policy; not written`);
  }
  const message = `kind ${kind} of apiVersion ${apiVersion} is none that can be imported; check how it is spelled`;
  return skip("RAMPART_E_KIND_UNKNOWN", line, message);
}

function finishItems({ value, lineOf, repairs }: Unfinished, apiVersion: string, kind: string): ImportOutcome {
  const items: YamlValue = value["items"] ?? [];
  if (!Array.isArray(items)) return skip("RAMPART_E_TYPE", lineOf(["items"]), `${kind}: items is not a list`);
  const outcomes = items.map((item, index): ImportOutcome => {
    const itemLine = lineOf(["items", index]);
    if (!isYamlObject(item)) return skip("RAMPART_E_TYPE", itemLine, `${kind}: an item is not a resource`);
    // Items of a GlobalNetworkPolicyList may leave out what the list already says.
    const inherited = kind === "List" ? {} : { apiVersion, kind: kind.slice(0, -"List".length) };
    const message = `item ${index + 1} of the ${kind} is written as a document of its own`;
    return finishDocument({
      value: { ...inherited, ...item },
      line: itemLine,
      lineOf: (path) => lineOf(["items", index, ...path]),
      repairs: [...repairs, { code: "RAMPART_W_REPAIR_LIST_ITEM", line: itemLine, message }],
    });
  });
  return {
    documents: outcomes.flatMap(({ documents }) => documents),
    skipped: outcomes.flatMap(({ skipped }) => skipped),
  };
}
