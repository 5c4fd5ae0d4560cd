/**
 * What a rule asks of a packet besides its addresses, as a form: IP version,
 * protocol, ports, ICMP type and code. Rules are many and forms are few, so
 * that a packet path has them all in its nearest cache.
 */
import { sharedUint32, type PackedLists } from "./shared-arrays.ts";
import { WordList } from "./word-list.ts";

/** ANY_PROTOCOL: no condition. */
export const ANY_PROTOCOL = -1;

export interface MatchForm {
  /** Bit 0: IPv4, bit 1: IPv6. */
  readonly families: number;
  /** ANY_PROTOCOL or a protocol number. */
  readonly protocol: number;
  /** ANY_PROTOCOL or the protocol that must not be. */
  readonly notProtocol: number;
  /** Value predicates; 0 is any. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmp: number;
}

/** Words of a form: conditions (see below), source port, destination port, ICMP predicate. */
export const FORM_WORDS = 4;
/** Bits 0 and 1 of the conditions are the families, 8 to 15 the protocol, 16 to 23 the excluded one. */
export const HAS_PROTOCOL = 4;
export const HAS_NOT_PROTOCOL = 8;

export class MatchForms {
  readonly #words = new WordList();
  /** Form + 1 by hash, open addressing, at most half full. */
  #slots = new Uint32Array(64);
  #packed: Uint32Array = new Uint32Array();

  add({ families, protocol, notProtocol, sourcePort, destinationPort, icmp }: MatchForm): number {
    let conditions = families;
    if (protocol !== ANY_PROTOCOL) conditions |= HAS_PROTOCOL | (protocol << 8);
    if (notProtocol !== ANY_PROTOCOL) conditions |= HAS_NOT_PROTOCOL | (notProtocol << 16);
    const { words } = this.#words;
    const slots = this.#slots;
    let slot = hashForm(conditions, sourcePort, destinationPort, icmp) & (slots.length - 1);
    for (; slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
      const at = (slots[slot] - 1) * FORM_WORDS;
      if (words[at] !== conditions || words[at + 1] !== sourcePort) continue;
      if (words[at + 2] === destinationPort && words[at + 3] === icmp) return slots[slot] - 1;
    }
    this.#words.push(conditions);
    this.#words.push(sourcePort);
    this.#words.push(destinationPort);
    this.#words.push(icmp);
    const count = this.#words.length / FORM_WORDS;
    slots[slot] = count;
    if (count * 2 > slots.length) this.#grow();
    return count - 1;
  }

  #grow(): void {
    const { words, length } = this.#words;
    const slots = new Uint32Array(this.#slots.length * 4);
    for (let at = 0; at < length; at += FORM_WORDS) {
      let slot = hashForm(words[at], words[at + 1], words[at + 2], words[at + 3]) & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = at / FORM_WORDS + 1;
    }
    this.#slots = slots;
  }

  /** The same array as before when there is no new form. */
  pack(): Uint32Array {
    if (this.#packed.length !== this.#words.length) this.#packed = sharedUint32(this.#words.view());
    return this.#packed;
  }
}

function hashForm(conditions: number, sourcePort: number, destinationPort: number, icmp: number): number {
  let hash = Math.imul(conditions, 0x9e3779b1) ^ Math.imul(sourcePort, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ Math.imul(destinationPort, 0xc2b2ae35) ^ Math.imul(icmp, 0x27d4eb2f);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Is the predicate in the ascending list of the class? Predicate 0 is not asked for. */
export function classHas(lists: PackedLists, cls: number, predicate: number): boolean {
  const { start, values } = lists;
  let low = start[cls];
  let high = start[cls + 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < predicate) low = middle + 1;
    else high = middle;
  }
  return low < start[cls + 1] && values[low] === predicate;
}
