/**
 * Interface index to the endpoints that govern it, readable by workers: an
 * open-addressing table in shared memory, rebuilt and handed over whole when
 * links, addresses or endpoints change.
 */

/** No endpoint here. */
export const NO_ENDPOINT = -1;
/** A workload's interface without an endpoint: everything from it is denied (SEMANTICS 3.5). */
export const UNKNOWN_WORKLOAD = -2;

/** Which endpoint answers for an interface in which role (SEMANTICS 3.3); indices into the tables' endpoints. */
export interface InterfaceRoles {
  /** Named HostEndpoint, else "*"; on a workload's interface only "*", and only for forwarded packets. */
  readonly host: number;
  /** WorkloadEndpoint, UNKNOWN_WORKLOAD, or NO_ENDPOINT where the interface is no workload's. */
  readonly workload: number;
  /** HostEndpoint with preDNAT policies: a named one without them does not shadow "*". */
  readonly preDNAT: number;
  /** Named HostEndpoint with doNotTrack policies; "*" has no part in it. */
  readonly untracked: number;
}

export const Role = { HOST: 1, WORKLOAD: 2, PREDNAT: 3, UNTRACKED: 4 } as const;
/** Words of a slot. */
export const INTERFACE_WORDS = 8;
const WORDS = INTERFACE_WORDS;
const WORDS_LOG2 = Math.log2(WORDS);

/** Words of a slot: interface index (0: empty), then the roles in order of Role. */
export type InterfaceMap = Int32Array;

/** `entries`: interface index (above 0) to its roles. */
export function buildInterfaceMap(entries: ReadonlyMap<number, InterfaceRoles>): InterfaceMap {
  let slots = 4;
  while (slots < entries.size * 2) slots *= 2;
  const map = new Int32Array(new SharedArrayBuffer(slots * WORDS * 4));
  for (const [index, roles] of entries) {
    let slot = hash(index) & (slots - 1);
    while (map[slot * WORDS] !== 0) slot = (slot + 1) & (slots - 1);
    const at = slot * WORDS;
    map[at] = index;
    map[at + Role.HOST] = roles.host;
    map[at + Role.WORKLOAD] = roles.workload;
    map[at + Role.PREDNAT] = roles.preDNAT;
    map[at + Role.UNTRACKED] = roles.untracked;
  }
  return map;
}

/** Where the interface's roles are: map[result + Role.X]; -1 when the interface is not known yet. */
export function findInterface(map: InterfaceMap, index: number): number {
  const mask = (map.length >>> WORDS_LOG2) - 1;
  let slot = hash(index) & mask;
  for (;;) {
    const key = map[slot * WORDS];
    if (key === 0) return -1;
    if (key === index) return slot * WORDS;
    slot = (slot + 1) & mask;
  }
}

function hash(index: number): number {
  return Math.imul(index, 0x9e3779b1) >>> 16;
}
