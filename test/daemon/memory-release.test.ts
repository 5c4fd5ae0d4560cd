import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryRelease } from "../../src/daemon/memory-release.ts";
import { loadNative } from "../../src/native/load.ts";

/** Something large that nobody needs any more, and how to see whether it is still there. */
function garbage(): WeakRef<object> {
  return new WeakRef({ list: Array.from({ length: 100_000 }, (_, n) => ({ n })) });
}

async function gone(thing: WeakRef<object>, withinMs: number): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end; ) {
    // A WeakRef that is looked at holds its object until the end of the turn.
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (thing.deref() === undefined) return true;
  }
  return false;
}

describe("MemoryRelease", () => {
  let memory: MemoryRelease;
  beforeEach(() => {
    memory = new MemoryRelease(loadNative());
  });
  afterEach(() => memory.hold());

  it("collects what a change has left, once it is quiet", async () => {
    const thing = garbage();
    memory.soon();
    memory.soon();
    expect(await gone(thing, 20_000)).toBe(true);
  });

  it("does not while a change is under way", async () => {
    const thing = garbage();
    memory.soon();
    memory.hold();
    expect(await gone(thing, 1500)).toBe(false);
  });

  it("does not after it was stopped", async () => {
    const thing = garbage();
    memory.soon();
    memory.stop();
    expect(await gone(thing, 1500)).toBe(false);
  });
});
