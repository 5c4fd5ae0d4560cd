/**
 * A fuzzed part. `generate` makes an input from the random numbers it is
 * given and nothing else, so that seed and number name an input; `check`
 * throws when something that must hold for every input does not.
 */
import type { Random } from "../packet/random.ts";

export interface FuzzTarget {
  readonly name: string;
  /** Inputs of the short run, which is part of the tests. */
  readonly shortRun: number;
  open(): OpenTarget;
}

export interface OpenTarget {
  /** Makes the next input and checks it. True if it was well-formed: a run needs some of either sort. */
  run(random: Random): boolean;
  /** The input of the last run, as text to look at. */
  shown(): string;
  close(): void;
}

/** A target whose inputs are made and checked by two functions without a state of their own. */
export function target<Input>(
  name: string,
  shortRun: number,
  generate: (random: Random) => Input,
  check: (input: Input) => boolean,
  show: (input: Input) => string,
): FuzzTarget {
  const open = (): OpenTarget => {
    let input: Input | undefined;
    return {
      run: (random) => check((input = generate(random))),
      shown: () => (input === undefined ? "" : show(input)),
      close: () => {},
    };
  };
  return { name, shortRun, open };
}

/** What must hold; the message says what did not. */
export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}
