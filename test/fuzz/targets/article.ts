/** The importer: nothing is thrown whatever an article holds, and what it writes down has a place in it. */
import { importText } from "../../../src/import/import.ts";
import type { Random } from "../../packet/random.ts";
import { ARTICLE_TEXTS, POLICY_TEXTS, YAML_PIECES } from "../corpus-texts.ts";
import { mutateText } from "../mutate-text.ts";
import { must, target } from "../target.ts";

/** Longest part of an article, so that a run has many. */
const PART = 3000;

function generate(random: Random): string {
  const article = random.pick(ARTICLE_TEXTS);
  const from = random.below(article.length);
  return mutateText(random, article.slice(from, from + PART), YAML_PIECES, [...ARTICLE_TEXTS, ...POLICY_TEXTS]);
}

function check(text: string): boolean {
  const { documents, skipped } = importText("article", text);
  const lines = text.split("\n").length + 1;
  for (const { line } of [...documents, ...skipped]) must(line >= 1 && line <= lines, `line ${line} of ${lines}`);
  return documents.length > 0;
}

export const articleTarget = target("article", 500, generate, check, JSON.stringify);
