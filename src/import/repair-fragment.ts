/**
 * Pieces of policies that stand without their document. The inside of a
 * Kubernetes NetworkPolicy's spec becomes a policy of its own; a Calico rule
 * goes into a copy of the policy before it, where that can be meant in one way
 * only; anything else is reported.
 */
import { isYamlObject } from "../resources/yaml-value.ts";
import type { YamlObject, YamlValue } from "../resources/yaml-value.ts";
import type { Block } from "./article.ts";
import { finishDocument } from "./finish.ts";
import { readFlatLines } from "./flat-lines.ts";
import type { ImportedDocument, Repair } from "./outcome.ts";
import { NOTHING, skip } from "./outcome.ts";
import type { BlockResult } from "./repair-document.ts";
import { lineByKey, respacing } from "./repair-document.ts";
import type { MapNode } from "./schema-node.ts";
import { map } from "./schema-node.ts";
import { CALICO_RULES, KUBERNETES_POLICY_SPEC } from "./schema-tree.ts";
import type { SourceLine } from "./source-line.ts";
import { shapeOf } from "./source-line.ts";
import type { LineOf } from "./quirks.ts";
import { readStrictYaml } from "./strict-yaml.ts";

/** Fewer fields than this are a mention in a sentence. */
const MIN_FIELDS = 2;

/** A policy from the spec in the block; `namePrefix` begins the name it is given. */
export function repairSpec(block: Block, namePrefix: string, repairs: readonly Repair[]): BlockResult {
  const first = block.lines[0] as SourceLine;
  const fragment = readFragment(block, (value) => specIn(value) !== undefined, SPEC_OR_INSIDE);
  const spec = fragment === undefined ? undefined : specIn(fragment.value);
  if (fragment === undefined || spec === undefined) return reportPart(block);
  const name = `${namePrefix}-line-${first.number}`;
  const message = `a spec without its document; written as Kubernetes NetworkPolicy ${name} of namespace default`;
  const outcome = finishDocument({
    value: { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name }, spec },
    line: first.number,
    lineOf: ([, ...path]) => fragment.lineOf(path),
    repairs: [
      ...repairs,
      ...fragment.repairs,
      { code: "RAMPART_W_REPAIR_FRAGMENT", line: first.number, message },
    ],
  });
  return { outcome, used: fragment.used };
}

/** The rules in the block, in a copy of `policy`, the nearest Calico policy before them. */
export function repairRules(
  block: Block,
  policy: ImportedDocument | undefined,
  repairs: readonly Repair[],
): BlockResult {
  if (fieldCount(block.lines) < MIN_FIELDS) return { outcome: NOTHING, used: block.lines.length };
  const first = block.lines[0] as SourceLine;
  const fragment = readRules(block);
  const spec = policy?.value["spec"];
  if (fragment === undefined || policy === undefined || !isYamlObject(spec)) return reportPart(block);
  const directions = ["ingress", "egress"].filter((direction) => Array.isArray(spec[direction]));
  const direction = directions[0];
  if (direction === undefined || directions.length > 1) return reportPart(block);

  const rules = [...(spec[direction] as YamlValue[])];
  const closing = rules.at(-1);
  const denies = isYamlObject(closing) && /^deny$/i.test(String(closing["action"]));
  const beforeDeny = denies && Object.keys(closing).length === 1;
  rules.splice(beforeDeny ? -1 : rules.length, 0, ...fragment.rules);
  const name = String((policy.value["metadata"] as YamlObject)["name"]);
  const place = beforeDeny ? "before the Deny that ends its" : "at the end of its";
  const variant = `a variant of ${policy.schema.name} ${name} of line ${policy.line}`;
  const message = `rules without a policy; written as ${variant}, ${place} ${direction} rules`;
  const outcome = finishDocument({
    value: { ...policy.value, spec: { ...spec, [direction]: rules } },
    line: first.number,
    lineOf: () => first.number,
    repairs: [
      ...policy.repairs,
      ...repairs,
      ...fragment.repairs,
      { code: "RAMPART_W_REPAIR_FRAGMENT", line: first.number, message },
    ],
  });
  return { outcome, used: fragment.used };
}

/** Says that something here looks like policy and is not written. */
export function reportPart({ lines }: Block): BlockResult {
  const used = lines.length;
  if (fieldCount(lines) < MIN_FIELDS) return { outcome: NOTHING, used };
  const { number } = lines[0] as SourceLine;
  const message = "part of a policy without its document: it cannot be told which resource it belongs to";
  return { outcome: skip("RAMPART_E_IMPORT_FRAGMENT", number, message), used };
}

interface Fragment {
  readonly value: YamlObject;
  readonly used: number;
  readonly lineOf: LineOf;
  readonly repairs: readonly Repair[];
}

const SPEC_OR_INSIDE: MapNode = map({ ...KUBERNETES_POLICY_SPEC.fields, spec: KUBERNETES_POLICY_SPEC });
const RULES_ROOT: MapNode = map({ rules: CALICO_RULES });

/** The block as YAML if it `isWhole` as it stands, otherwise nested again. */
function readFragment(block: Block, isWhole: (value: YamlObject) => boolean, root: MapNode): Fragment | undefined {
  const { lines } = block;
  const strict = readStrictYaml(lines, shapeOf(lines[0] as SourceLine).indent);
  if (strict.ok && isYamlObject(strict.value) && isWhole(strict.value)) {
    return { value: strict.value, used: lines.length, lineOf: strict.lineOf, repairs: respacing(lines) };
  }
  const flat = readFlatLines({ lines, root, textFollows: block.textFollows });
  if (!flat.ok || !isWhole(flat.value)) return undefined;
  const line = (lines[0] as SourceLine).number;
  const message = "the indentation is lost; the nesting was rebuilt from the fields of the kind";
  const rebuilt: Repair = { code: "RAMPART_W_REPAIR_INDENTATION", line, message };
  const repairs = [...respacing(lines.slice(0, flat.used)), rebuilt, ...flat.repairs];
  return { value: flat.value, used: flat.used, lineOf: lineByKey(lines), repairs };
}

function readRules(block: Block): { rules: YamlValue[]; used: number; repairs: readonly Repair[] } | undefined {
  const first = block.lines[0] as SourceLine;
  const base = shapeOf(first).indent;
  const heading: SourceLine = { number: first.number, text: `${" ".repeat(base)}rules:`, respaced: false };
  const fragment = readFragment({ ...block, lines: [heading, ...block.lines] }, hasRules, RULES_ROOT);
  if (fragment === undefined) return undefined;
  return { rules: fragment.value["rules"] as YamlValue[], used: fragment.used - 1, repairs: fragment.repairs };
}

function hasRules(value: YamlObject): boolean {
  const rules = value["rules"];
  const fields = Object.keys(value).length;
  return fields === 1 && Array.isArray(rules) && rules.every((rule) => isYamlObject(rule) && "action" in rule);
}

/** The spec a fragment holds: it selects pods and says something about them. */
function specIn(value: YamlObject): YamlObject | undefined {
  const spec = Object.keys(value).length === 1 && isYamlObject(value["spec"]) ? value["spec"] : value;
  const keys = Object.keys(spec);
  const known = keys.every((key) => Object.hasOwn(KUBERNETES_POLICY_SPEC.fields, key));
  return known && keys.length > 1 && keys.includes("podSelector") ? spec : undefined;
}

function fieldCount(lines: readonly SourceLine[]): number {
  return lines.filter((line) => {
    const shape = shapeOf(line);
    return shape.shape === "entry" && shape.entry.key !== undefined;
  }).length;
}
