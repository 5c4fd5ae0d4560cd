/** What a scalar without quotes means: YAML 1.2, core schema (section 10.3.2), as far as it is certain. */

export type PlainScalar = string | number | boolean | null;

const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ["~", null],
  ["null", null],
  ["Null", null],
  ["NULL", null],
  ["true", true],
  ["True", true],
  ["TRUE", true],
  ["false", false],
  ["False", false],
  ["FALSE", false],
]);
const LONGEST_WORD = 5;
/** No more digits than a number holds exactly. */
const INTEGER = /^[-+]?[0-9]{1,15}$/;
/** Everything else that is a number: octal, hexadecimal, with a fraction or an exponent, and what is none. */
const OTHER_NUMBERS = [
  /^0o[0-7]+$/,
  /^0x[0-9a-fA-F]+$/,
  /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/,
  /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
];

/** undefined: a number that is not an ordinary whole one. */
export function readPlainScalar(text: string): PlainScalar | undefined {
  if (text.length <= LONGEST_WORD) {
    const word = WORDS.get(text);
    if (word !== undefined) return word;
  }
  const first = text.charCodeAt(0);
  // `+`, `-`, `.` and digits; `/` lies between them.
  if (first < 0x2b || first > 0x39) return text;
  if (INTEGER.test(text)) return Number.parseInt(text, 10);
  return OTHER_NUMBERS.some((pattern) => pattern.test(text)) ? undefined : text;
}
