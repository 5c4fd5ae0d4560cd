/** Texts that almost are what a parser expects: real ones, with a few places changed. */
import type { Random } from "../packet/random.ts";

/** Longest text made, characters; beyond it a bound of size is tested, not a parser. */
const MAX_LENGTH = 40_000;
const MOST_REPEATS = 3000;

/** `text` with one to six changes; `pieces` is what means something to its parser, `others` are texts like it. */
export function mutateText(random: Random, text: string, pieces: readonly string[], others: readonly string[]): string {
  let result = text;
  for (let changes = 1 + random.below(6); changes > 0; changes--) result = change(random, result, pieces, others);
  return result.slice(0, MAX_LENGTH);
}

function change(random: Random, text: string, pieces: readonly string[], others: readonly string[]): string {
  const at = random.below(text.length + 1);
  switch (random.below(10)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1 + random.below(12));
    case 1:
    case 2:
      return text.slice(0, at) + random.pick(pieces) + text.slice(at);
    case 3:
      return text.slice(0, at) + random.pick(pieces) + text.slice(at + 1 + random.below(12));
    case 4: {
      const unit = random.below(random.below(8) === 0 ? 65_536 : 128);
      return text.slice(0, at) + String.fromCharCode(unit) + text.slice(at + 1);
    }
    case 5: {
      const other = random.pick(others);
      const from = random.below(other.length + 1);
      return text.slice(0, at) + other.slice(from, from + random.below(400)) + text.slice(at);
    }
    case 6: {
      const copied = text.slice(at, at + random.below(200));
      const to = random.below(text.length + 1);
      return text.slice(0, to) + copied + text.slice(to);
    }
    case 7:
      return changeLines(random, text);
    case 8:
      if (random.below(8) !== 0) return text;
      return text.slice(0, at) + random.pick(pieces).repeat(1 + random.below(MOST_REPEATS)) + text.slice(at);
    default:
      return random.below(8) === 0 ? text.slice(0, at) : text;
  }
}

/** A line dropped, doubled, moved, or indented otherwise. */
function changeLines(random: Random, text: string): string {
  const lines = text.split("\n");
  const at = random.below(lines.length);
  const line = lines[at];
  switch (random.below(4)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(at, 0, line);
      break;
    case 2:
      lines.splice(at, 1);
      lines.splice(random.below(lines.length + 1), 0, line);
      break;
    default:
      lines[at] = " ".repeat(random.below(12)) + line.trimStart();
  }
  return lines.join("\n");
}
