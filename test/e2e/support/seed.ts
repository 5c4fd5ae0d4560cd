/**
 * The policies of the five seed articles, as `rampart import` writes them from
 * the articles themselves. A test adds inventory beside them; what it has to
 * change in them goes through `adapted`, which refuses to change nothing.
 */
import { planOutput } from "../../../src/import/output.ts";
import type { OutputFile } from "../../../src/import/output.ts";
import { article } from "../../import/seed-documents.ts";

/** The number that an article's name begins with. */
export type Article = "000" | "001" | "002" | "003" | "004";

const imported = new Map<Article, readonly OutputFile[]>();

function filesOf(from: Article): readonly OutputFile[] {
  const files = imported.get(from) ?? planOutput([{ file: from, outcome: article(from) }]).files;
  imported.set(from, files);
  return files;
}

/** The `nth` document of a title (`Kind namespace/name`, `Kind name` where there is no namespace) in an article. */
export function seed(from: Article, title: string, nth = 1): string {
  const found = filesOf(from).filter((file) => file.title === title)[nth - 1];
  if (found === undefined) throw new Error(`article ${from} has no ${title} number ${nth}`);
  return `${found.text}---\n`;
}

/** `document` with every `author` text replaced by `ours`. */
export function adapted(document: string, author: string, ours: string): string {
  if (!document.includes(author)) throw new Error(`there is no ${JSON.stringify(author)} in\n${document}`);
  return document.replaceAll(author, ours);
}

/** A Pod as a node would report it once it runs: the articles' pods have neither node nor addresses. */
export function running(pod: string, node: string, addresses: readonly string[]): string {
  const status = { phase: "Running", podIPs: addresses.map((ip) => ({ ip })) };
  const onNode = adapted(pod, "\nspec:\n", `\nspec:\n  nodeName: ${node}\n`);
  return adapted(onNode, "\n---\n", `\nstatus: ${JSON.stringify(status)}\n---\n`);
}
