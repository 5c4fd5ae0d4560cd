/**
 * The address space of a family cut into intervals, each with a class. An
 * address is found by its top 16 bits, by the next 8 where a /16 has many
 * intervals, and by halving what is left: one or two steps for spread-out
 * prefixes, eight at worst for IPv4.
 */
import { sharedUint32 } from "./shared-arrays.ts";

export interface IntervalTable {
  /** Top 16 bits to the interval that holds their first address, or PAGE | offset in `pages`; 65537 entries. */
  readonly root: Uint32Array;
  /** 257 words a page: bits 8 to 15 to the interval that holds their first address, then the next /16's. */
  readonly pages: Uint32Array;
  /** First address (one word for IPv4, four for IPv6) and class of each interval, ascending. */
  readonly intervals: Uint32Array;
}

const PAGE = 0x80000000;
/** A /16 with more intervals than this has a page: 8 words an interval at most. */
const INTERVALS_WITHOUT_PAGE = 32;
const IPV6_WORDS = 5;

/** The class of an IPv4 address given as an unsigned 32-bit number. */
export function classOfIPv4(table: IntervalTable, address: number): number {
  const { root, intervals } = table;
  const top = address >>> 16;
  let low = root[top];
  let high: number;
  if (low < PAGE) {
    high = root[top + 1];
    if (high >= PAGE) high = table.pages[high - PAGE];
  } else {
    const at = low - PAGE + ((address >>> 8) & 255);
    low = table.pages[at];
    high = table.pages[at + 1];
  }
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (intervals[middle << 1] <= address) low = middle;
    else high = middle - 1;
  }
  return intervals[(low << 1) + 1];
}

/** The class of the IPv6 address in words[at .. at + 4), most significant word first. */
export function classOfIPv6(table: IntervalTable, words: Uint32Array, at: number): number {
  const { root, intervals } = table;
  const w0 = words[at];
  const w1 = words[at + 1];
  const w2 = words[at + 2];
  const w3 = words[at + 3];
  const top = w0 >>> 16;
  let low = root[top];
  let high: number;
  if (low < PAGE) {
    high = root[top + 1];
    if (high >= PAGE) high = table.pages[high - PAGE];
  } else {
    const page = low - PAGE + ((w0 >>> 8) & 255);
    low = table.pages[page];
    high = table.pages[page + 1];
  }
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const s = middle * IPV6_WORDS;
    let order = intervals[s] - w0;
    if (order === 0) order = intervals[s + 1] - w1;
    if (order === 0) order = intervals[s + 2] - w2;
    if (order === 0) order = intervals[s + 3] - w3;
    if (order <= 0) low = middle;
    else high = middle - 1;
  }
  return intervals[low * IPV6_WORDS + IPV6_WORDS - 1];
}

/** `from`: intervals as in IntervalTable, ascending from address 0; `words` of an address. */
export function packIntervals(words: number, from: Uint32Array): IntervalTable {
  const intervals = sharedUint32(from);
  const root = sharedUint32(65537);
  const pages: number[] = [];
  let interval = 0;
  for (let top = 0; top < 65536; top++) {
    interval = holding(intervals, words, interval, top * 65536);
    root[top] = interval;
    const last = lastWithin(intervals, words, interval, top);
    if (last - interval <= INTERVALS_WITHOUT_PAGE) continue;
    root[top] = PAGE + pages.length;
    for (let next = 0; next < 256; next++) {
      interval = holding(intervals, words, interval, top * 65536 + next * 256);
      pages.push(interval);
    }
    pages.push(last);
    interval = last;
  }
  root[65536] = intervals.length / (words + 1) - 1;
  return { root, pages: sharedUint32(pages), intervals };
}

/** From `interval` on, the one that holds the address that begins with the word `first` and goes on with zero bits. */
function holding(intervals: Uint32Array, words: number, interval: number, first: number): number {
  const count = intervals.length / (words + 1);
  while (interval + 1 < count && atOrBelow(intervals, (interval + 1) * (words + 1), words, first)) interval++;
  return interval;
}

/** The last interval that begins at or before the first address of the next /16. */
function lastWithin(intervals: Uint32Array, words: number, interval: number, top: number): number {
  if (top < 65535) return holding(intervals, words, interval, (top + 1) * 65536);
  return intervals.length / (words + 1) - 1;
}

function atOrBelow(intervals: Uint32Array, at: number, words: number, first: number): boolean {
  if (intervals[at] !== first) return intervals[at] < first;
  for (let w = 1; w < words; w++) if (intervals[at + w] !== 0) return false;
  return true;
}
