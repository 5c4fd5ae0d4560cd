/** Lines of the control socket: however a stream is cut, the same lines; whatever a line holds, a message or none. */
import { LineSplitter } from "../../../src/control/line-splitter.ts";
import { parseMessage, parseRequest } from "../../../src/control/protocol.ts";
import type { Random } from "../../packet/random.ts";
import { mutateText } from "../mutate-text.ts";
import { must, target } from "../target.ts";

const MAX_LINE = 512;
const LINES = [
  '{"id":1,"method":"status","params":{}}\n{"id":2,"method":"reload"}\n',
  '{"id":1,"result":{"a":[1,2,{"b":null}]}}\n{"id":3,"event":"x"}\n',
  '{"id":1,"error":{"code":"RAMPART_E_CONFIG","message":"no","hint":"do"}}\n',
  '{"id":7,"method":"tap","params":{"filter":"tcp port 80","text":"\\u00e9é"}}\n\n',
];
const PIECES = [
  ..."{}[]\",:\n\\0-é".split(""),
  '"id":', '"id":0', '"id":1e99', '"id":9007199254740993', '"method":', '"params":', "null", "true",
  '"__proto__":{"x":1},', '"error":', '"event":', '"result":', '"\\ud800"', "\r\n", "\0", " ", "[[[[",
];

interface Stream {
  readonly bytes: Buffer;
  readonly cuts: readonly number[];
}

function generate(random: Random): Stream {
  const text = mutateText(random, random.pick(LINES) + random.pick(LINES), PIECES, LINES);
  const bytes = Buffer.from(text);
  for (let n = random.below(3); n > 0 && bytes.length > 0; n--) bytes[random.below(bytes.length)] = random.below(256);
  const cuts = Array.from({ length: random.below(12) }, () => random.below(bytes.length + 1));
  return { bytes, cuts: cuts.toSorted((a, b) => a - b) };
}

/** The lines of the whole stream, up to one that is too long. */
function linesOf(bytes: Buffer): { readonly lines: readonly string[]; readonly ended: boolean } {
  const lines: string[] = [];
  let start = 0;
  for (;;) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    if (end - start > MAX_LINE) return { lines, ended: true };
    if (newline < 0) return { lines, ended: false };
    lines.push(bytes.toString("utf8", start, end));
    start = end + 1;
  }
}

function check({ bytes, cuts }: Stream): boolean {
  const splitter = new LineSplitter(MAX_LINE);
  const lines: string[] = [];
  let ended = false;
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    if (!splitter.push(bytes.subarray(from, to), (line) => lines.push(line))) {
      ended = true;
      break;
    }
    from = to;
  }
  const whole = linesOf(bytes);
  must(ended === whole.ended, "the end of the stream depends on where it is cut");
  must(lines.length === whole.lines.length && lines.every((line, i) => line === whole.lines[i]), "other lines");
  let understood = false;
  for (const line of lines) {
    const request = parseRequest(line);
    if (request !== undefined) {
      must(Number.isSafeInteger(request.id) && request.id >= 1, `a request with id ${request.id}`);
      must(typeof request.method === "string", "a request without a method");
      understood = true;
    }
    const message = parseMessage(line);
    must(message === undefined || typeof message.id === "number", "a message without an id");
  }
  return understood;
}

export const controlTarget = target("control", 20_000, generate, check, ({ bytes, cuts }) =>
  JSON.stringify({ bytes: bytes.toString("hex"), cuts }),
);
