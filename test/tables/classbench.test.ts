/** Public filter sets: for every header the tables find the rule that a linear scan finds. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { asResources, LinearScan, loadHeader, readRules, readTrace } from "../../bench/classbench-files.mjs";
import { PacketView } from "../../src/packet/view.ts";
import { parseSelector } from "../../src/selector/parse.ts";
import { Classifier } from "../../src/tables/classifier.ts";
import { compileTables } from "../../src/tables/compile.ts";
import { ProgramKind } from "../../src/tables/compiled.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/classbench", import.meta.url));
const HEADER_WORDS = 5;

describe("ClassBench filter sets", () => {
  for (const name of ["acl1_1k", "fw1_1k", "ipc1_1k", "acl1_10k", "fw1_10k", "ipc1_10k"]) {
    it(`${name}: every header of the trace finds its first rule, with and without a memo`, () => {
      const rules = readRules(FIXTURES, name);
      const trace = readTrace(FIXTURES, name);
      // The scan of 10,000 rules for each header takes seconds; a fifth of the headers shows the same.
      const step = rules.length > 1000 ? 5 : 1;
      const set = asResources(rules, parseSelector);
      const { tables, rules: info } = compileTables(set, set.hostEndpoints, "bench", 1);
      const program = tables.endpointPrograms[ProgramKind.NORMAL_INGRESS];
      const classifiers = [new Classifier(tables, 0), new Classifier(tables)];
      const scan = new LinearScan(rules);
      const view = new PacketView();
      const wrong: string[] = [];
      let compared = 0;
      for (let at = 0; at < trace.length; at += HEADER_WORDS * step) {
        loadHeader(view, trace, at);
        const expected = scan.first(trace, at);
        for (const classifier of classifiers) {
          const found = info[classifier.classify(program, view)].rule?.index ?? -1;
          if (found !== expected) wrong.push(`header ${at / HEADER_WORDS}: rule ${found}, not ${expected}`);
        }
        compared++;
      }
      expect(wrong).toEqual([]);
      expect(compared).toBe(100_000 / step);
    });
  }
});
