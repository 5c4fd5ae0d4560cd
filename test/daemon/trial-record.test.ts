import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TrialRecordFile } from "../../src/daemon/trial-record.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rampart-record-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function reread(): unknown {
  const file = new TrialRecordFile(directory);
  file.read();
  return file.record;
}

describe("the record of an apply", () => {
  it("is there for the next process, until it is cleared", () => {
    const file = new TrialRecordFile(directory);
    expect(reread()).toBeUndefined();
    file.write({ state: "unconfirmed", digest: "a" });
    expect(reread()).toEqual({ state: "unconfirmed", digest: "a" });
    file.write({ state: "installing", digest: "b" });
    expect(reread()).toEqual({ state: "installing", digest: "b" });
    file.clear();
    expect([file.record, reread()]).toEqual([undefined, undefined]);
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each(["", "{", "null", "[]", '{"state":"other","digest":"a"}', '{"state":"installing","digest":7}'])(
    "is none where the file holds %s",
    (text) => {
      writeFileSync(join(directory, "apply-state"), text);
      expect(reread()).toBeUndefined();
    },
  );

  it("that cannot be written is an error, and not taken for written", () => {
    const file = new TrialRecordFile(join(directory, "absent"));
    expect(() => file.write({ state: "unconfirmed", digest: "a" })).toThrow(
      expect.objectContaining({ code: "RAMPART_E_APPLY_STATE" }),
    );
    expect(file.record).toBeUndefined();
  });
});
