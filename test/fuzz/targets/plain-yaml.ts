/** The fast YAML reader: the values and places of the `yaml` package, or none. */
import { isDeepStrictEqual } from "node:util";
import { splitDocuments } from "../../../src/resources/document-split.ts";
import { readBothWays, WHOLE_FILE } from "../../resources/yaml-both-ways.ts";
import type { Random } from "../../packet/random.ts";
import { POLICY_TEXTS, SETTINGS_TEXT, YAML_PIECES } from "../corpus-texts.ts";
import { mutateText } from "../mutate-text.ts";
import { must, target } from "../target.ts";

const TEXTS = [...POLICY_TEXTS, SETTINGS_TEXT];

function generate(random: Random): string {
  if (random.below(4) > 0) return mutateText(random, random.pick(TEXTS), YAML_PIECES, TEXTS);
  const pieces = Array.from({ length: random.below(20) }, () => random.pick(YAML_PIECES));
  return pieces.join("");
}

function check(text: string): boolean {
  let read = false;
  for (const { text: document } of splitDocuments(text)) {
    if (WHOLE_FILE.test(document)) continue;
    const both = readBothWays(document);
    if (both === undefined) continue;
    read = true;
    must(isDeepStrictEqual(both.plain, both.byPackage), "the fast reader and the package disagree");
  }
  return read;
}

export const plainYamlTarget = target("plain-yaml", 2000, generate, check, JSON.stringify);
