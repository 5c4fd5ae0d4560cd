/**
 * Other programs' iptables rules that read or write bits of our marks. A rule
 * that names such bits on purpose is a conflict: one side would read the
 * other's bits as its own. A rule that treats the whole mark as one number
 * mostly predates any sharing and cannot be told apart from a harmless one: a
 * warning, unless it writes a value into our bits.
 */
import type { MarkMasks } from "./marks.ts";
import { CHAIN_PREFIX } from "./chain-plan.ts";
import { parseSaveText } from "./installed.ts";
import { hex, ruleWords } from "./rule.ts";

const WHOLE = 0xffffffff;

export interface MarkOverlap {
  readonly table: string;
  readonly chain: string;
  readonly rule: string;
  readonly field: "packet" | "connection";
  /** Bits of ours that the rule uses. */
  readonly bits: number;
  /** "conflict": refuse to start; "warning": say so and go on. */
  readonly severity: "conflict" | "warning";
}

interface Use {
  readonly field: MarkOverlap["field"];
  /** Bits read or written. */
  readonly mask: number;
  /** Bits that may be set to one. */
  readonly ones: number;
}

/** `saveText` is iptables-save output of any number of tables; our own chains are left out. */
export function findMarkOverlaps(saveText: string, masks: MarkMasks): MarkOverlap[] {
  const overlaps: MarkOverlap[] = [];
  for (const { table, chain, text } of parseSaveText(saveText).rules) {
    if (chain.startsWith(CHAIN_PREFIX)) continue;
    for (const use of markUses(text)) {
      const ours = masks[use.field];
      const bits = (use.mask & ours) >>> 0;
      if (bits === 0) continue;
      const harmless = use.mask === WHOLE && (use.ones & ours) === 0;
      overlaps.push({ table, chain, rule: text, field: use.field, bits, severity: harmless ? "warning" : "conflict" });
    }
  }
  return overlaps;
}

/** One line for a message. */
export function describeMarkOverlap({ table, chain, rule, field, bits }: MarkOverlap): string {
  return `${table} ${chain}: "${rule}" uses bits ${hex(bits)} of the ${field} mark`;
}

function markUses(rule: string): Use[] {
  const words = ruleWords(rule);
  const uses: Use[] = [];
  let module = "";
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const value = words[i + 1] ?? "";
    if (word === "-m" || word === "-j" || word === "-g") module = value;
    else if (word === "--save-mark") uses.push({ field: "connection", mask: copyMask(words, "--ctmask"), ones: 0 });
    else if (word === "--restore-mark") uses.push({ field: "packet", mask: copyMask(words, "--nfmask"), ones: 0 });
    else uses.push(...optionUse(word, value, module));
  }
  return uses;
}

function optionUse(option: string, text: string, module: string): Use[] {
  const field = module.toLowerCase() === "connmark" ? "connection" : "packet";
  const [value, mask] = text.split("/").map(Number) as [number, number | undefined];
  const bits = (mask ?? WHOLE) >>> 0;
  switch (option) {
    case "--mark":
      // Both matches; the same word of another module (a DSCP or route realm, say) is no mark.
      return module === "mark" || module === "connmark" ? [{ field, mask: bits, ones: 0 }] : [];
    case "--set-mark":
    case "--set-xmark":
      return [{ field, mask: (bits | value) >>> 0, ones: value }];
    case "--and-mark":
      return [{ field, mask: ~value >>> 0, ones: 0 }];
    case "--or-mark":
    case "--xor-mark":
      return [{ field, mask: value, ones: value }];
    case "--tproxy-mark":
      return [{ field: "packet", mask: bits, ones: value }];
    default:
      return [];
  }
}

/** Mask of the side that is written by --save-mark and --restore-mark; old rules have one --mask for both. */
function copyMask(words: readonly string[], option: string): number {
  for (const name of [option, "--mask"]) {
    const at = words.indexOf(name);
    if (at >= 0) return Number(words[at + 1]) >>> 0;
  }
  return WHOLE;
}
