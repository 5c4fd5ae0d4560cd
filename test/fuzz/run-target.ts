/** Runs inputs of a target until there were enough, or one failed. */
import { Random } from "../packet/random.ts";
import type { FuzzTarget } from "./target.ts";

/** An input slower than this is a finding: no file and no packet may hold the daemon up. */
const SLOWEST_MS = 5000;
/** Inputs between two looks at the clock. */
const STRIDE = 16;

export interface Crash {
  /** Number of the input. */
  readonly input: number;
  readonly message: string;
  /** The input itself, shortened; empty where it was lost with the thread. */
  readonly shown: string;
}

export interface TargetResult {
  readonly inputs: number;
  readonly wellFormed: number;
  readonly crash?: Crash;
}

export interface RunOptions {
  readonly seed: number;
  /** Number of the first input. */
  readonly first: number;
  /** Both may be Infinity. */
  readonly inputs: number;
  readonly seconds: number;
  /** Is told the number of each input before it runs. */
  readonly onInput?: (input: number) => void;
}

export function runTarget(target: FuzzTarget, options: RunOptions): TargetResult {
  const { seed, first, inputs, seconds, onInput } = options;
  const opened = target.open();
  const end = performance.now() + seconds * 1000;
  let wellFormed = 0;
  let done = 0;
  try {
    while (done < inputs && (done % STRIDE !== 0 || performance.now() < end)) {
      const input = first + done;
      onInput?.(input);
      const began = performance.now();
      done++;
      try {
        if (opened.run(randomOf(seed, input))) wellFormed++;
        const took = performance.now() - began;
        if (took > SLOWEST_MS) throw new Error(`took ${Math.round(took)} ms`);
      } catch (error) {
        const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
        return { inputs: done, wellFormed, crash: { input, message, shown: opened.shown().slice(0, 4000) } };
      }
    }
    return { inputs: done, wellFormed };
  } finally {
    opened.close();
  }
}

/** Neighbouring inputs have unrelated random numbers (the finalizer of MurmurHash3). */
function randomOf(seed: number, input: number): Random {
  let x = (Math.imul(seed, 0x9e3779b1) + input) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return new Random(x ^ (x >>> 16));
}
