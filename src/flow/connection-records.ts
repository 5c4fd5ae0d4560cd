/**
 * Connections as records, in which they pass from one process to another:
 * RECORD_WORDS 32-bit words each, the key first. Denied connections are left
 * out, because they give nobody a right. Who takes records over checks each:
 * another version of this program may have written them.
 */
import { CONNECTION_CLASSES, ConnectionClass } from "./connection-class.ts";
import { CONNECTION_WORDS } from "./connection-key.ts";
import { connectionArrays, NONE } from "./connection-memory.ts";
import { State } from "./connection-state.ts";
import type { ConnectionTable } from "./connection-table.ts";

export const RECORD_WORDS = CONNECTION_WORDS + 4;
const TRAITS = CONNECTION_WORDS;
const FROM = CONNECTION_WORDS + 1;
const TO = CONNECTION_WORDS + 2;
const DECISION = CONNECTION_WORDS + 3;

const LAST_STATE = State.RESET_BY_OTHER;
const LAST_ORIGIN = 15;

/** Of a table whose owner stands still: its connections, of each class the one idle longest first. */
export function connectionRecords(memory: SharedArrayBuffer): Uint32Array {
  const arrays = connectionArrays(memory);
  const { capacity, newer, keys, state, orientation, origin, from, to, decision } = arrays;
  const records = new Uint32Array(countOf(newer, capacity) * RECORD_WORDS);
  let at = 0;
  for (let each = ConnectionClass.CUT; each < CONNECTION_CLASSES; each++) {
    const anchor = capacity + each;
    for (let slot = newer[anchor]; slot !== anchor; slot = newer[slot]) {
      const key = slot * CONNECTION_WORDS;
      for (let i = 0; i < CONNECTION_WORDS; i++) records[at + i] = keys[key + i];
      records[at + TRAITS] = state[slot] | (each << 8) | (orientation[slot] << 16) | (origin[slot] << 24);
      records[at + FROM] = from[slot];
      records[at + TO] = to[slot];
      records[at + DECISION] = decision[slot];
      at += RECORD_WORDS;
    }
  }
  return records;
}

function countOf(newer: Int32Array, capacity: number): number {
  let count = 0;
  for (let anchor = capacity + ConnectionClass.CUT; anchor < capacity + CONNECTION_CLASSES; anchor++) {
    for (let slot = newer[anchor]; slot !== anchor; slot = newer[slot]) count++;
  }
  return count;
}

/**
 * Takes records over into a table, as used at `now` (the table's clock), to be judged by their next packet. Returns
 * how many: not those that are no connection, are known, or find no room.
 */
export function adoptRecords(table: ConnectionTable, records: Uint32Array, now: number): number {
  let adopted = 0;
  for (let at = 0; at + RECORD_WORDS <= records.length; at += RECORD_WORDS) {
    const traits = records[at + TRAITS];
    const state = traits & 0xff;
    const connectionClass = (traits >>> 8) & 0xff;
    const orientation = (traits >>> 16) & 0xff;
    const origin = traits >>> 24;
    if (state > LAST_STATE || orientation > 1 || origin > LAST_ORIGIN) continue;
    if (connectionClass < ConnectionClass.CUT || connectionClass >= CONNECTION_CLASSES) continue;
    const slot = table.adopt(records, at, orientation, connectionClass, now);
    if (slot === NONE) continue;
    table.state[slot] = state;
    table.origin[slot] = origin;
    table.from[slot] = records[at + FROM];
    table.to[slot] = records[at + TO];
    const decision = records[at + DECISION] | 0;
    // A rule's number says nothing under other tables; a decision without one is below zero.
    table.decision[slot] = decision < 0 ? decision : 0;
    adopted++;
  }
  return adopted;
}
