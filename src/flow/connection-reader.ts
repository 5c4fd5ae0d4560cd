/**
 * Another worker's connections, read while their owner goes on. A reader may
 * miss a connection that is being moved, or meet one that has just been
 * forgotten; it never takes one for another, and always comes to an end.
 */
import { type ConnectionArrays, connectionArrays, NONE } from "./connection-memory.ts";
import { CONNECTION_WORDS, connectionKeyLength, writeConnectionKey } from "./connection-key.ts";
import { hashWords } from "./key-hash.ts";
import type { PacketView } from "../packet/view.ts";

/** Longer chains there are none; a reader that follows one that is being changed must not run for ever. */
const MAX_CHAIN = 64;

export class ConnectionReader {
  readonly arrays: ConnectionArrays;
  /** After a find that found something: 1 when the packet goes against the connection's original direction. */
  reply = 0;
  readonly #key = new Uint32Array(CONNECTION_WORDS);

  constructor(memory: SharedArrayBuffer) {
    this.arrays = connectionArrays(memory);
  }

  /** The slot of the view's connection, or -1. */
  find(view: PacketView, domain: number): number {
    const { keys, hashes, heads, chain, seed, orientation } = this.arrays;
    const key = this.#key;
    const turned = writeConnectionKey(key, view, domain);
    const length = connectionKeyLength(view);
    const hash = hashWords(key, length, seed[0], seed[1]);
    let slot = heads[hash & (heads.length - 1)];
    for (let steps = 0; slot !== NONE && steps < MAX_CHAIN; steps++) {
      if (hashes[slot] === hash) {
        const at = slot * CONNECTION_WORDS;
        let i = 0;
        while (i < length && keys[at + i] === key[i]) i++;
        if (i === length) {
          this.reply = turned ^ orientation[slot];
          return slot;
        }
      }
      slot = chain[slot];
    }
    return NONE;
  }
}
