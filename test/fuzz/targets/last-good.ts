/**
 * The file that keeps a policy set: what was written is read as it was, and of
 * what was changed since nothing is read; with a checksum that fits, whatever
 * the entries are, they are refused or are files with a name and a text once.
 */
import { createHash } from "node:crypto";
import { decodeSet, encodeSet } from "../../../src/daemon/last-good-format.ts";
import type { PolicyText } from "../../../src/resources/load.ts";
import type { Random } from "../../packet/random.ts";
import { mutateText } from "../mutate-text.ts";
import { must, target } from "../target.ts";

const SETS: readonly (readonly PolicyText[])[] = [
  [],
  [{ file: "policy.d/web.yaml", text: "kind: Tier\n" }],
  [
    { file: "a.yaml", text: "" },
    { file: "b/c.yaml", text: '{"file":"x","bytes":3}\nabc\n' },
    { file: "\u2028é\n.yaml", text: "é\0\ufeff" },
  ],
];
const PIECES = [
  ..."\n{}\":, 019-".split(""),
  '{"file":"a","bytes":1}\n', '{"file":"a.yaml","bytes":0}\n\n', '"bytes":', "1e3", "1.5", "9007199254740993", "null",
  '"file":', '"__proto__"', "rampart-last-good 1 sha256:", "rampart-last-good 2 ", "\u0000", "\\ud800", "[]", "é",
];

interface Written {
  readonly set: readonly PolicyText[];
  readonly bytes: Buffer;
  /** The checksum is that of what was changed. */
  readonly sealed: boolean;
}

function seal(content: Buffer): Buffer {
  const digest = createHash("sha256").update(content).digest("hex");
  return Buffer.concat([Buffer.from(`rampart-last-good 1 sha256:${digest} ${content.length}\n`), content]);
}

function generate(random: Random): Written {
  const set = random.pick(SETS);
  const whole = Buffer.concat(encodeSet(set).chunks);
  const sealed = random.below(2) === 0;
  if (random.below(8) === 0) return { set, bytes: whole, sealed };
  const from = sealed ? whole.indexOf("\n") + 1 : 0;
  const others = SETS.map((other) => Buffer.concat(encodeSet(other).chunks).toString());
  const bytes = Buffer.from(mutateText(random, whole.toString("utf8", from), PIECES, others));
  for (let n = random.below(3); n > 0 && bytes.length > 0; n--) bytes[random.below(bytes.length)] = random.below(256);
  return { set, bytes: sealed ? seal(bytes) : bytes, sealed };
}

function check({ set, bytes, sealed }: Written): boolean {
  const decoded = decodeSet(bytes);
  if ("problem" in decoded) {
    must(decoded.problem !== "", "a problem without words");
    must(!bytes.equals(Buffer.concat(encodeSet(set).chunks)), "what was written is refused");
    return false;
  }
  const { texts, digest } = decoded;
  must(/^[0-9a-f]{64}$/.test(digest), "no digest");
  must(new Set(texts.map(({ file }) => file)).size === texts.length, "a name twice");
  const again = Buffer.concat(encodeSet(texts).chunks);
  // Other bytes with the same meaning take a checksum of their own.
  if (!sealed) must(SETS.some((known) => again.equals(Buffer.concat(encodeSet(known).chunks))), "a changed set is read");
  const reread = decodeSet(again);
  must("texts" in reread && JSON.stringify(reread.texts) === JSON.stringify(texts), "other texts when written again");
  return true;
}

export const lastGoodTarget = target("last-good", 20_000, generate, check, ({ bytes, sealed }) =>
  JSON.stringify({ sealed, bytes: bytes.toString("hex") }),
);
