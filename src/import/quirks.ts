/**
 * Ways of writing that the YAML parser takes and the resource does not mean
 * (SEMANTICS 0.2): put into their canonical form, each with a repair. Applied
 * to what is nested rightly already; the value that is given stays untouched.
 */
import { formatPath } from "../resources/yaml-document.ts";
import type { ValuePath } from "../resources/yaml-document.ts";
import type { YamlObject, YamlValue } from "../resources/yaml-value.ts";
import { isYamlObject } from "../resources/yaml-value.ts";
import type { Repair } from "./outcome.ts";
import type { SchemaNode } from "./schema-node.ts";
import { declaredField } from "./schema-node.ts";

/** Where in the file the value at a path stands. */
export type LineOf = (path: ValuePath) => number;

export function withoutQuirks(value: YamlObject, root: SchemaNode, lineOf: LineOf, repairs: Repair[]): YamlObject {
  return straighten(value, root, [], lineOf, repairs) as YamlObject;
}

function straighten(
  value: YamlValue,
  node: SchemaNode | undefined,
  path: ValuePath,
  lineOf: LineOf,
  repairs: Repair[],
): YamlValue {
  if (node === undefined) return value;
  if (node.type === "list") {
    if (Array.isArray(value)) {
      return value.map((item, index) => straighten(item, node.item, [...path, index], lineOf, repairs));
    }
    if (!isYamlObject(value)) return value;
    const message = `${formatPath(path)} is a mapping where a list is required; written as a list of this one entry`;
    repairs.push({ code: "RAMPART_W_OBJECT_AS_LIST", line: lineOf(path), message });
    return [straighten(value, node.item, path, lineOf, repairs)];
  }
  if (node.type !== "map" || !isYamlObject(value)) return value;
  const straight: YamlObject = {};
  for (const [key, field] of Object.entries(value)) {
    const declared = declaredField(node, key);
    // With several spellings there, which one counts is for the loader to refuse.
    const taken = declared === undefined || Object.hasOwn(value, declared) || Object.hasOwn(straight, declared);
    const name = taken ? key : declared;
    const at = [...path, key];
    if (name !== key) {
      const message = `${formatPath(at)} is spelled ${name} by the resource; written so`;
      repairs.push({ code: "RAMPART_W_REPAIR_SPELLING", line: lineOf(at), message });
    }
    const child = declared === undefined ? undefined : node.fields[declared];
    straight[name] = straighten(field, child, at, lineOf, repairs);
  }
  return straight;
}
