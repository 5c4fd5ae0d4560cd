/** The last good set on disk: what was written comes back, and nothing else ever does. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decodeSet, encodeSet } from "../../src/daemon/last-good-format.ts";
import { LastGoodStore } from "../../src/daemon/last-good-store.ts";
import type { RampartError } from "../../src/errors/rampart-error.ts";
import type { PolicyText } from "../../src/resources/load.ts";

const SET: readonly PolicyText[] = [
  { file: "policy.d/a.yaml", text: "kind: A\n---\nkind: B" },
  { file: "policy.d/empty.yaml", text: "" },
  { file: "policy.d/größe 😀.yaml", text: '# ünï\ncode: "\u2028\\n"\r\n' },
];
const OTHER: readonly PolicyText[] = [{ file: "policy.d/a.yaml", text: "kind: C\n" }];

let above: string;
let directory: string;
let failures: RampartError[];

beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), "rampart-last-good-"));
  directory = join(above, "state");
  failures = [];
});
afterEach(() => rmSync(above, { recursive: true, force: true }));

function openStore(limit?: number): LastGoodStore {
  const onFailure = (error: RampartError): void => void failures.push(error);
  return new LastGoodStore({ directory, onFailure, ...(limit === undefined ? {} : { limit }) });
}

async function saved(texts: readonly PolicyText[], store = openStore()): Promise<LastGoodStore> {
  store.save(texts);
  await store.settled();
  return store;
}

async function textsOnDisk(): Promise<readonly PolicyText[]> {
  const state = await openStore().read();
  if (!("set" in state)) throw new Error(`no set is stored: ${JSON.stringify(state)}`);
  return state.set.texts;
}

async function problemOnDisk(store = openStore()): Promise<string> {
  const state = await store.read();
  if (!("problem" in state)) throw new Error(`there is no problem: ${JSON.stringify(state)}`);
  return `${state.problem.code} ${state.problem.message}`;
}

describe("a set that was saved", () => {
  it("comes back from another store, names, texts and order", async () => {
    const store = await saved(SET);
    expect(store).toMatchObject({ current: true, failures: 0 });
    expect(await textsOnDisk()).toEqual(SET);
  });

  it("is what is to be kept, once it was adopted", async () => {
    await saved(SET);
    const store = openStore();
    store.adopt();
    expect(store.current).toBe(false);
    await store.read();
    expect(store.current).toBe(false);
    store.adopt();
    expect(store.current).toBe(true);
  });

  it("says when it was written", async () => {
    const before = Date.now();
    await saved(SET);
    const state = await openStore().read();
    const savedAt = "set" in state ? state.set.savedAt.getTime() : 0;
    expect(savedAt).toBeGreaterThan(before - 5000);
    expect(savedAt).toBeLessThan(Date.now() + 5000);
  });

  it("is for nobody else to read or change", async () => {
    const { file } = await saved(SET);
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
    expect((statSync(directory).mode & 0o777).toString(8)).toBe("700");
  });

  it("replaces the one before it, and an equal one is not written again", async () => {
    const store = await saved(OTHER);
    const first = statSync(store.file).ino;
    await saved(OTHER, store);
    await saved(OTHER);
    expect(statSync(store.file).ino).toBe(first);
    await saved(SET, store);
    expect(statSync(store.file).ino).not.toBe(first);
    expect(await textsOnDisk()).toEqual(SET);
    expect(readdirSync(directory)).toEqual(["last-good"]);
  });

  it("may have no file in it, which is not the same as no set", async () => {
    await saved([]);
    expect(await textsOnDisk()).toEqual([]);
  });

  it("may be of many files and megabytes", async () => {
    const many = Array.from({ length: 3000 }, (_, i) => ({ file: `policy.d/${i}.yaml`, text: "# ü\n".repeat(i) }));
    await saved(many);
    expect(await textsOnDisk()).toEqual(many);
  });

  it("is the last one when several come at once", async () => {
    const store = openStore();
    for (let i = 0; i < 20; i++) store.save([{ file: "a.yaml", text: `${i}` }]);
    expect(store.current).toBe(false);
    await store.settled();
    expect(await textsOnDisk()).toEqual([{ file: "a.yaml", text: "19" }]);
    expect(store.current).toBe(true);
  });
});

describe("what is on disk and is no whole set of this version", () => {
  it("is absent before the first save", async () => {
    expect(await openStore().read()).toEqual({ absent: true });
  });

  it("is refused with any byte of it changed, left out or added", async () => {
    const { file } = await saved(SET);
    const good = readFileSync(file);
    for (let at = 0; at < good.length; at++) {
      const changed = Buffer.from(good);
      changed[at] = (changed[at] as number) ^ 1;
      expect(decodeSet(changed), `byte ${at} changed`).toHaveProperty("problem");
      expect(decodeSet(good.subarray(0, at)), `cut at ${at}`).toHaveProperty("problem");
    }
    expect(decodeSet(Buffer.concat([good, Buffer.from("x")]))).toHaveProperty("problem");
    expect(decodeSet(good)).toHaveProperty("texts");
    const corrupted = Buffer.from(good);
    corrupted[good.length - 3] = 0x21;
    writeFileSync(file, corrupted);
    expect(await problemOnDisk()).toMatch(/^RAMPART_E_LAST_GOOD .*last-good cannot be used: its checksum does not fit/);
  });

  it("is refused in another format version, by name", async () => {
    const { file } = await saved(SET);
    writeFileSync(file, readFileSync(file, "latin1").replace(/^rampart-last-good 1 /, "rampart-last-good 2 "), "latin1");
    expect(await problemOnDisk()).toMatch(/its format is 2, and this version reads 1/);
  });

  it.each([
    ["an empty file", ""],
    ["something else", "apiVersion: v1\n"],
    ["bytes without a line", "\u0000".repeat(100_000)],
  ])("is refused as %s", async (_, content) => {
    mkdirSync(directory);
    writeFileSync(join(directory, "last-good"), content);
    expect(await problemOnDisk()).toMatch(/it is no stored policy set/);
  });

  it("is refused with entries that make no sense under a checksum that fits", () => {
    const twice = [SET[0] as PolicyText, SET[0] as PolicyText];
    expect(decodeSet(Buffer.concat(encodeSet(twice).chunks))).toEqual({ problem: "its entries are malformed" });
  });

  it("is refused unread when it is too large, and such a set is not written", async () => {
    await saved(OTHER);
    const large = [{ file: "a.yaml", text: "x".repeat(2000) }];
    const store = await saved(large, openStore(1000));
    expect(store).toMatchObject({ current: false, failures: 1 });
    expect(failures[0]?.message).toMatch(/2\d\d\d bytes, and 1000 is the limit/);
    expect(await textsOnDisk()).toEqual(OTHER);
    await saved(large);
    expect(await problemOnDisk(openStore(1000))).toMatch(/larger than 1000 bytes/);
  });

  it("is refused when it is a directory or a link", async () => {
    mkdirSync(join(directory, "last-good"), { recursive: true });
    expect(await problemOnDisk()).toMatch(/no regular file/);
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    writeFileSync(join(above, "elsewhere"), Buffer.concat(encodeSet(SET).chunks));
    symlinkSync(join(above, "elsewhere"), join(directory, "last-good"));
    expect(await problemOnDisk()).toMatch(/cannot be used/);
  });

  it("is refused when somebody else could have written it", async () => {
    const { file } = await saved(SET);
    chmodSync(file, 0o620);
    expect(await problemOnDisk()).toMatch(/others than its owner may write it/);
    await saved(SET);
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
    expect(await textsOnDisk()).toEqual(SET);
  });

  it("is replaced by the next set that is saved, the same as before too", async () => {
    const { file } = await saved(SET);
    writeFileSync(file, "broken");
    await saved(SET);
    expect(await textsOnDisk()).toEqual(SET);
  });
});

describe("a second name", () => {
  it("keeps the set when the first name gets another one, and replaces what had it", async () => {
    const store = await saved(SET);
    await store.keepAs("previous");
    await store.keepAs("previous");
    await saved(OTHER, store);
    const previous = new LastGoodStore({ directory, file: "previous", onFailure: () => {} });
    expect(await previous.read()).toMatchObject({ set: { texts: SET } });
    expect(previous.digest).toBe(encodeSet(SET).digest);
    expect(store.digest).toBe(encodeSet(OTHER).digest);
    await store.keepAs("previous");
    expect(await previous.read()).toMatchObject({ set: { texts: OTHER } });
    expect(readdirSync(directory)).toEqual(["last-good", "previous"]);
  });

  it("is not given to a set that is not there", async () => {
    await expect(openStore().keepAs("previous")).rejects.toThrow(/ENOENT/);
  });
});

describe("a write that was interrupted", () => {
  it("leaves the set before it, and its half file does not hinder the next", async () => {
    const { file } = await saved(OTHER);
    const half = `${file}.new`;
    writeFileSync(half, "rampart-last-good 1 sha256:", { mode: 0o644 });
    chmodSync(half, 0o444);
    expect(await textsOnDisk()).toEqual(OTHER);
    await saved(SET);
    expect(await textsOnDisk()).toEqual(SET);
    expect(readdirSync(directory)).toEqual(["last-good"]);
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
  });

  it("fails with a warning where there is no place to write, and goes on once there is", async () => {
    writeFileSync(directory, "a file where the directory belongs");
    const store = await saved(SET);
    expect(store).toMatchObject({ current: false, failures: 1 });
    expect(failures[0]).toMatchObject({ code: "RAMPART_W_LAST_GOOD" });
    expect(failures[0]?.message).toMatch(/cannot keep the policy set in .*last-good/);
    rmSync(directory);
    await saved(SET, store);
    expect(store).toMatchObject({ current: true, failures: 1 });
    expect(await textsOnDisk()).toEqual(SET);
  });
});
