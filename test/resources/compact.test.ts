/** Resources are kept in little memory, and say the same as before. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { Compactor } from "../../src/resources/compact.ts";
import { ResourceLoader } from "../../src/resources/load.ts";
import { parseSelector } from "../../src/selector/parse.ts";

const TEXT = "a text of more than thirteen characters";

describe("Compactor", () => {
  it("changes nothing of what a resource says", () => {
    const make = (): object => ({
      name: TEXT,
      labels: Object.assign(Object.create(null) as object, { app: TEXT, tier: "x" }),
      order: undefined,
      none: null,
      umlauts: "länger als dreizehn Zeichen",
      halves: `a half of a pair \ud83d and no more`,
      others: "длиннее тринадцати знаков",
      nets: [{ family: 4, value: 10n, prefix: 8 }],
      rules: [{ selector: parseSelector("a == 'b' && has(c)"), lists: [[], ["short", TEXT]], staged: false }],
    });
    const resource = make();
    new Compactor().compact(resource);
    expect(resource).toEqual(make());
  });

  it("has equal selectors once, those of different texts or meanings apart", () => {
    const resource = {
      first: parseSelector("role == 'web'"),
      same: parseSelector("role == 'web'"),
      written: parseSelector('role == "web"'),
      other: parseSelector("role == 'db'"),
    };
    const { written, other } = resource;
    new Compactor().compact(resource);
    expect(resource.same).toBe(resource.first);
    expect([resource.written, resource.other]).toEqual([written, other]);
    expect(resource.written).not.toBe(resource.first);
  });

  it("gives everything without labels the same labels, which have no prototype", () => {
    const [a, b] = [{ labels: Object.create(null) as object }, { labels: Object.create(null) as object }];
    const compactor = new Compactor();
    compactor.compact(a);
    compactor.compact(b);
    expect(a.labels).toBe(b.labels);
    expect(Object.getPrototypeOf(a.labels)).toBeNull();
  });
});

describe("a loader", () => {
  it("does not keep the text of the documents it has read", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const padding = `# ${"x".repeat(200)}\n`.repeat(250);
    const document = (n: number): string => `---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: a-name-that-is-not-short-${n}, labels: {a-label-of-some-length: its-value-for-set-${n}}}
${padding}spec: {nets: [10.0.0.0/8]}
`;
    const text = Array.from({ length: 200 }, (_, n) => document(n)).join("");
    const loader = new ResourceLoader();
    collect();
    const before = process.memoryUsage().heapUsed;
    const { resources, errors } = loader.loadTexts([{ file: "sets.yaml", text }]);
    expect([errors, resources.networkSets.length]).toEqual([[], 200]);
    collect();
    // The text itself, which this test holds, is of before.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(text.length / 4);
    expect(resources.networkSets[0].name).toBe("a-name-that-is-not-short-0");
  });
});
