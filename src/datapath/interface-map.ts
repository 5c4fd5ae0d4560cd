/**
 * Interface index to the endpoint that governs it, readable by workers: an
 * open-addressing table in shared memory, rebuilt and handed over whole when
 * links, addresses or endpoints change.
 */

/** The interface is known and no endpoint governs it. */
export const NO_ENDPOINT = -1;
/** The interface is not known yet. */
export const UNKNOWN_INTERFACE = -2;

/** Pairs (interface index, endpoint index + 2); index 0 is an empty slot. */
export type InterfaceMap = Int32Array;

/** `entries`: interface index (above 0) to endpoint index or NO_ENDPOINT. */
export function buildInterfaceMap(entries: ReadonlyMap<number, number>): InterfaceMap {
  let slots = 4;
  while (slots < entries.size * 2) slots *= 2;
  const map = new Int32Array(new SharedArrayBuffer(slots * 8));
  for (const [index, endpoint] of entries) {
    let slot = hash(index) & (slots - 1);
    while (map[slot * 2] !== 0) slot = (slot + 1) & (slots - 1);
    map[slot * 2] = index;
    map[slot * 2 + 1] = endpoint + 2;
  }
  return map;
}

/** The endpoint index of the interface, NO_ENDPOINT or UNKNOWN_INTERFACE. */
export function endpointOfInterface(map: InterfaceMap, index: number): number {
  const mask = (map.length >> 1) - 1;
  let slot = hash(index) & mask;
  for (;;) {
    const key = map[slot * 2];
    if (key === index && key !== 0) return map[slot * 2 + 1] - 2;
    if (key === 0) return UNKNOWN_INTERFACE;
    slot = (slot + 1) & mask;
  }
}

function hash(index: number): number {
  return Math.imul(index, 0x9e3779b1) >>> 16;
}
