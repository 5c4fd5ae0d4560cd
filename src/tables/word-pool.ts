/** Sorts fixed-size records of words in place, without allocation. */

/** Up to this many records insertion is faster. */
const INSERTION = 24;

/** Records of `size` words in pool[from .. from + count * size), ascending by their word `key`. */
export function sortRecords(pool: Uint32Array, from: number, count: number, size: number, key: number): void {
  if (count <= INSERTION) {
    for (let i = 1; i < count; i++) {
      for (let j = i; j > 0 && word(pool, from, j - 1, size, key) > word(pool, from, j, size, key); j--) {
        swap(pool, from + (j - 1) * size, from + j * size, size);
      }
    }
    return;
  }
  for (let i = (count >>> 1) - 1; i >= 0; i--) siftDown(pool, from, i, count, size, key);
  for (let end = count - 1; end > 0; end--) {
    swap(pool, from, from + end * size, size);
    siftDown(pool, from, 0, end, size, key);
  }
}

function siftDown(pool: Uint32Array, from: number, root: number, count: number, size: number, key: number): void {
  let parent = root;
  for (;;) {
    let child = parent * 2 + 1;
    if (child >= count) return;
    if (child + 1 < count && word(pool, from, child + 1, size, key) > word(pool, from, child, size, key)) child++;
    if (word(pool, from, parent, size, key) >= word(pool, from, child, size, key)) return;
    swap(pool, from + parent * size, from + child * size, size);
    parent = child;
  }
}

function word(pool: Uint32Array, from: number, record: number, size: number, key: number): number {
  return pool[from + record * size + key];
}

function swap(pool: Uint32Array, a: number, b: number, size: number): void {
  for (let w = 0; w < size; w++) {
    const kept = pool[a + w];
    pool[a + w] = pool[b + w];
    pool[b + w] = kept;
  }
}
