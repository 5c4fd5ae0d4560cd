/**
 * Goes through the connections of a table that its owner, another thread, goes
 * on writing. One that is opened or forgotten meanwhile may be missed or met
 * twice; the walk always comes to an end.
 */
import { ConnectionClass } from "./connection-class.ts";
import { CONNECTION_WORDS, readConnectionKey } from "./connection-key.ts";
import { type ConnectionArrays, connectionArrays, NONE } from "./connection-memory.ts";
import { State } from "./connection-state.ts";
import type { PacketView } from "../packet/view.ts";

/** Longer chains there are none; one that is being changed must not be followed for ever. */
const MAX_CHAIN = 64;

export interface ListedConnection {
  /** A Domain of connection-key.ts. */
  readonly domain: number;
  /** Interfaces of the original direction, 0 where there is none. */
  readonly from: number;
  readonly to: number;
}

export class ConnectionListing {
  readonly #arrays: ConnectionArrays;

  constructor(memory: SharedArrayBuffer) {
    this.#arrays = connectionArrays(memory);
  }

  /** Every connection that is neither denied nor over, `view` filled with its original direction before it is yielded. */
  *allowed(view: PacketView): Generator<ListedConnection> {
    const { heads, chain, keys, orientation, from, to } = this.#arrays;
    for (let bucket = 0; bucket < heads.length; bucket++) {
      let slot = heads[bucket];
      for (let steps = 0; slot !== NONE && steps < MAX_CHAIN; steps++) {
        const next = chain[slot];
        if (this.#isLive(slot)) {
          const domain = readConnectionKey(keys, slot * CONNECTION_WORDS, orientation[slot], view);
          yield { domain, from: from[slot], to: to[slot] };
        }
        slot = next;
      }
    }
  }

  #isLive(slot: number): boolean {
    switch (this.#arrays.class[slot]) {
      case ConnectionClass.DENIED:
      case ConnectionClass.CUT:
      case ConnectionClass.RESET:
        return false;
      case ConnectionClass.CLOSING:
        return this.#arrays.state[slot] !== State.ENDED;
      default:
        return true;
    }
  }
}
