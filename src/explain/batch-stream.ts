/**
 * Lines in, answers out, in the same order and one for one. Memory is bounded:
 * nothing is read while answers wait to be written, and a line that is too
 * long is answered with an error without being held.
 */
import { StringDecoder } from "node:string_decoder";
import type { Readable, Writable } from "node:stream";
import { RampartError } from "../errors/rampart-error.ts";
import type { BatchAnswers } from "./batch-answers.ts";
import { errorText } from "./batch-answers.ts";

/** Characters; a question takes a few hundred. */
const MAX_LINE = 65_536;

/** Resolves when `input` has ended and its last answer is written, or when `output` takes no more. */
export async function answerStream(input: Readable, output: Writable, answers: BatchAnswers): Promise<void> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  /** In a line whose beginning was too long already. */
  let skipping = false;
  let closed = false;
  const close = (): void => {
    closed = true;
  };
  output.on("close", close).on("error", close);

  for await (const chunk of input as AsyncIterable<Buffer>) {
    const text = rest + decoder.write(chunk);
    let out = "";
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      if (skipping || end - start > MAX_LINE) out += `${TOO_LONG}\n`;
      else out += `${answers.answer(text.slice(start, end))}\n`;
      skipping = false;
      start = end + 1;
    }
    rest = text.slice(start);
    if (rest.length > MAX_LINE) skipping = true;
    if (skipping) rest = "";
    if (out !== "" && !output.write(out) && !closed) await room(output);
    if (closed) return;
  }
  rest += decoder.end();
  if (skipping) output.write(`${TOO_LONG}\n`);
  else if (rest !== "") output.write(`${answers.answer(rest)}\n`);
}

/** Resolves when `output` can take more, or nothing ever again. */
function room(output: Writable): Promise<void> {
  return new Promise((resolve) => {
    const events = ["drain", "close", "error"] as const;
    const done = (): void => {
      for (const event of events) output.off(event, done);
      resolve();
    };
    for (const event of events) output.on(event, done);
  });
}

const TOO_LONG = errorText(
  new RampartError("RAMPART_E_QUESTION", `the line is longer than ${MAX_LINE} characters`, {
    hint: "write one question a line",
  }),
);
