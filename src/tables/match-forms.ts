/**
 * What a rule asks of a packet besides its addresses, as a form: IP version,
 * protocol, ports, ICMP type and code. Rules are many and forms are few, so
 * that a packet path has them all in its nearest cache.
 */
import { sharedUint32, type PackedLists } from "./shared-arrays.ts";

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
  readonly #ids = new Map<string, number>();
  readonly #words: number[] = [];
  #packed: Uint32Array = new Uint32Array();

  add({ families, protocol, notProtocol, sourcePort, destinationPort, icmp }: MatchForm): number {
    let conditions = families;
    if (protocol !== ANY_PROTOCOL) conditions |= HAS_PROTOCOL | (protocol << 8);
    if (notProtocol !== ANY_PROTOCOL) conditions |= HAS_NOT_PROTOCOL | (notProtocol << 16);
    const key = `${conditions},${sourcePort},${destinationPort},${icmp}`;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#ids.size;
      this.#ids.set(key, id);
      this.#words.push(conditions, sourcePort, destinationPort, icmp);
    }
    return id;
  }

  /** The same array as before when there is no new form. */
  pack(): Uint32Array {
    if (this.#packed.length !== this.#words.length) this.#packed = sharedUint32(this.#words);
    return this.#packed;
  }
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
