/**
 * Blocks of shared memory that are used again. V8 counts shared memory for
 * nothing, and a worker that allocates nothing never collects: what it was
 * handed stays in memory for ever, however long ago the main thread let go of
 * it. So a block is never given up. One that no table in the main thread
 * refers to any more takes the next table.
 *
 * Only the main thread's collector tells that, of what it holds. Whoever hands
 * a table to another thread keeps it, until that thread has let go of it.
 */

const SMALLEST = 64;
/** Blocks come in sizes an eighth of a power of two apart, so that a table that grew a little finds one. */
const STEPS_LOG2 = 3;

interface Block {
  readonly memory: SharedArrayBuffer;
  /** It may be more than addresses: it was written to. */
  resident: boolean;
}

export class SharedBlocks {
  /** Free blocks, by size in bytes. */
  readonly #free = new Map<number, Block[]>();
  readonly #unreferred = new FinalizationRegistry<Block>((block) => this.#giveBack(block));
  #total = 0;
  #freeBytes = 0;
  #fresh = 0;

  /** Bytes of all blocks. */
  get total(): number {
    return this.#total;
  }

  /** Bytes of those that wait to be used again. */
  get free(): number {
    return this.#freeBytes;
  }

  /** Bytes taken since `settle` for which there was no free block; a collection may find what they could have had. */
  get fresh(): number {
    return this.#fresh;
  }

  /** Memory for `bytes` bytes or a few more, with anything in it; it is free again when nothing refers to it. */
  take(bytes: number): SharedArrayBuffer {
    const size = blockSize(bytes);
    let block = this.#free.get(size)?.pop();
    if (block === undefined) {
      block = { memory: new SharedArrayBuffer(size), resident: true };
      this.#total += size;
      this.#fresh += size;
    } else this.#freeBytes -= size;
    block.resident = true;
    // Another object for the same memory: the one the block keeps would never be collected.
    const lent = structuredClone(block.memory);
    this.#unreferred.register(lent, block);
    return lent;
  }

  /** The collector has run. */
  settle(): void {
    this.#fresh = 0;
  }

  /** Calls `release` with the free blocks that may have pages in memory; what it leaves in them does not matter. */
  releasePages(release: (memory: Uint8Array) => void): void {
    for (const blocks of this.#free.values()) {
      for (const block of blocks) {
        if (!block.resident) continue;
        release(new Uint8Array(block.memory));
        block.resident = false;
      }
    }
  }

  #giveBack(block: Block): void {
    const size = block.memory.byteLength;
    const others = this.#free.get(size);
    if (others === undefined) this.#free.set(size, [block]);
    else others.push(block);
    this.#freeBytes += size;
  }
}

/** The least size of a block that has so many bytes. */
function blockSize(bytes: number): number {
  if (bytes <= SMALLEST) return SMALLEST;
  const step = 2 ** (Math.floor(Math.log2(bytes)) - STEPS_LOG2);
  return Math.ceil(bytes / step) * step;
}
