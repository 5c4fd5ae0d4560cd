/**
 * Documents on one line, nested by the schema. There is no line end to tell
 * where a document stops and a shell command goes on, so what follows the last
 * value is left out only if no field comes after it.
 */
import { finishDocument, skipKind } from "./finish.ts";
import { clip, doubtful } from "./flat-lines.ts";
import type { ImportOutcome, Repair } from "./outcome.ts";
import { NOTHING, skip } from "./outcome.ts";
import { Renesting } from "./renest.ts";
import { lookUpSchema } from "./schema-tree.ts";
import type { SourceLine } from "./source-line.ts";
import type { TokenDocument } from "./token-stream.ts";
import { readTokenStream } from "./token-stream.ts";

export function repairStream({ text, number }: SourceLine, repairs: readonly Repair[]): ImportOutcome {
  const stream = readTokenStream(text, number);
  if (stream === undefined) return NOTHING;
  const message = "the line breaks are lost; the line was cut into fields and nested by the fields of the kind";
  const found: Repair[] = [...repairs, { code: "RAMPART_W_REPAIR_ONE_LINE", line: number, message }];
  if (stream.prefix !== "") found.push(leftOut(number, stream.prefix));
  const outcomes = stream.documents.map((document) => repairOne(document, number, found));
  return {
    documents: outcomes.flatMap(({ documents }) => documents),
    skipped: outcomes.flatMap(({ skipped }) => skipped),
  };
}

function repairOne({ entries, comments }: TokenDocument, line: number, before: readonly Repair[]): ImportOutcome {
  const header = (key: string): string => {
    const raw = entries.find((entry) => entry.key === key && entry.dashes === 0)?.raw ?? "";
    return (raw.split(/\s/)[0] as string).replaceAll(/^["']|["']$/g, "");
  };
  const apiVersion = header("apiVersion");
  const kind = header("kind");
  if (apiVersion === "" || kind === "") {
    return skip("RAMPART_E_KIND_UNKNOWN", line, "a document on this line has no apiVersion or no kind");
  }
  const schema = lookUpSchema(apiVersion, kind);
  if (schema === undefined) return skipKind(apiVersion, kind, line);

  const repairs: Repair[] = [...before];
  for (const comment of comments) {
    const message = `${JSON.stringify(clip(comment))} is read as a comment, up to the next field`;
    repairs.push({ code: "RAMPART_W_REPAIR_COMMENT", line, message });
  }
  const renesting = new Renesting(schema.root);
  for (const [at, entry] of entries.entries()) {
    const placement = renesting.place(entry);
    const isLast = at === entries.length - 1;
    if (!placement.fits || (placement.rest !== "" && !isLast)) {
      const text = `${"- ".repeat(entry.dashes)}${entry.key === undefined ? "" : `${entry.key}: `}${entry.raw}`;
      const reason = `${JSON.stringify(clip(text))} fits nowhere`;
      const message = `${schema.name}: the line breaks are lost and cannot be rebuilt: ${reason}`;
      return skip("RAMPART_E_IMPORT_NESTING", line, message);
    }
    placement.commit();
    if (placement.doubt !== undefined) repairs.push(doubtful(entry, placement.doubt));
    if (placement.rest !== "") repairs.push(leftOut(line, placement.rest));
  }
  return finishDocument({ value: renesting.value, line, lineOf: () => line, repairs });
}

function leftOut(line: number, text: string): Repair {
  return { code: "RAMPART_W_REPAIR_LEFT_OUT", line, message: `${JSON.stringify(clip(text))} is no YAML; left out` };
}
