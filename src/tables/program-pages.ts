/**
 * Blocks of programs in pages of shared memory. What was published is never
 * written again: new programs go to new pages, and when there are many pages,
 * or much in them is out of use, the blocks in use are copied to fresh ones.
 */
import type { ProgramTable } from "./compiled.ts";
import { Head } from "./program-block.ts";
import { sharedUint32 } from "./shared-arrays.ts";

/** Blocks share a page up to this many words; a larger one has a page to itself. */
const PAGE_WORDS = 1 << 18;
const MAX_PAGES_BESIDE_FULL = 32;

export class ProgramPages {
  #pages: Uint32Array[] = [];
  /** Program to its place and its size in words; size 0: the number is free. */
  readonly #page: number[] = [];
  readonly #offset: number[] = [];
  readonly #size: number[] = [];
  readonly #longest: number[] = [];
  readonly #free: number[] = [];
  /** Programs that are in no page yet. */
  #fresh = new Map<number, Uint32Array>();
  #words = 0;
  #wordsInUse = 0;
  #table: ProgramTable | undefined;

  /** How many programs there are. */
  get count(): number {
    return this.#size.length - this.#free.length;
  }

  /** Returns the program's number. */
  add(block: Uint32Array): number {
    const program = this.#free.pop() ?? this.#size.length;
    this.#size[program] = block.length;
    this.#longest[program] = block[Head.ITEM_COUNT];
    this.#fresh.set(program, block);
    this.#wordsInUse += block.length;
    this.#table = undefined;
    return program;
  }

  delete(program: number): void {
    this.#wordsInUse -= this.#size[program];
    this.#size[program] = 0;
    this.#longest[program] = 0;
    this.#free.push(program);
    this.#fresh.delete(program);
    this.#table = undefined;
  }

  publish(): ProgramTable {
    if (this.#table !== undefined) return this.#table;
    const full = this.#words / PAGE_WORDS;
    if (this.#pages.length > full * 2 + MAX_PAGES_BESIDE_FULL || this.#words > this.#wordsInUse * 2 + PAGE_WORDS) {
      this.#takeOut();
    }
    // Not in place: the generation before keeps its list as it is.
    this.#pages = [...this.#pages];
    this.#pack();
    this.#table = {
      pages: this.#pages,
      page: sharedUint32(this.#page),
      offset: sharedUint32(this.#offset),
      longest: this.#longest.reduce((most, items) => Math.max(most, items), 0),
    };
    return this.#table;
  }

  /** All programs out of their pages, to be packed anew. */
  #takeOut(): void {
    this.#size.forEach((size, program) => {
      if (size === 0 || this.#fresh.has(program)) return;
      const offset = this.#offset[program];
      this.#fresh.set(program, this.#pages[this.#page[program]].subarray(offset, offset + size));
    });
    this.#pages = [];
    this.#words = 0;
  }

  #pack(): void {
    const fresh = [...this.#fresh];
    this.#fresh = new Map();
    for (let begun = 0; begun < fresh.length; ) {
      let words = 0;
      let end = begun;
      while (end < fresh.length && (end === begun || words + fresh[end][1].length <= PAGE_WORDS)) {
        words += fresh[end++][1].length;
      }
      const page = sharedUint32(words);
      let offset = 0;
      for (; begun < end; begun++) {
        const [program, block] = fresh[begun];
        page.set(block, offset);
        this.#page[program] = this.#pages.length;
        this.#offset[program] = offset;
        offset += block.length;
      }
      this.#pages.push(page);
      this.#words += words;
    }
  }
}
