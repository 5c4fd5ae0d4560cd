import { describe, expect, it } from "vitest";
import { StagedDecisionLedger, stagedChanges } from "../../src/daemon/staged-decisions.ts";
import { hitPlaces, pendingPlace } from "../../src/datapath/hit-counts.ts";
import { compileTables } from "../../src/tables/compile.ts";
import { RuleAction, type Compilation } from "../../src/tables/compiled.ts";
import { hostEndpoint, NODE, policy, resourceSet } from "../policy/build.ts";

/** A host that allows TCP, with a staged policy that denies it and allows the rest; `first` shifts the rule ids. */
function compiled(generation: number, first = false): Compilation {
  const endpoint = hostEndpoint({});
  const policies = [
    ...(first ? [policy({ name: "a", order: 1, ingress: [{ action: "Log" }] })] : []),
    policy({ name: "e", order: 9, ingress: [{ protocol: 6 }] }),
    policy({ name: "s", order: 5, staged: true, ingress: [{ action: "Deny", protocol: 6 }, {}] }),
  ];
  return compileTables(resourceSet({ hostEndpoints: [endpoint], policies }), [endpoint], NODE, generation);
}

/** Counts as a worker would. */
class Hits {
  readonly counts: Float64Array;
  readonly #compilation: Compilation;

  constructor(compilation: Compilation) {
    this.#compilation = compilation;
    this.counts = new Float64Array(hitPlaces(compilation.tables));
  }

  add(policyLabel: string, index: number, enforced: number, count: number): this {
    const { rules } = this.#compilation;
    const id = rules.findIndex(({ rule }) => rule?.policy === policyLabel && rule.index === index);
    this.counts[pendingPlace(rules.length, id, enforced)] += count;
    return this;
  }

  readonly at = (place: number): number => this.counts[place];
}

const row = { direction: "ingress", tier: "default", policy: "staged:s" } as const;

describe("what staged policies would have decided", () => {
  it("is told by rule, what was enforced and what would have been", () => {
    const compilation = compiled(1);
    const hits = new Hits(compilation).add("staged:s", 0, RuleAction.ALLOW, 3).add("staged:s", 1, RuleAction.DENY, 2);
    const counts = new StagedDecisionLedger().read(compilation, hits.at);
    expect(counts).toEqual([
      { ...row, rule: 0, enforced: "allow", pending: "deny", count: 3 },
      { ...row, rule: 1, enforced: "deny", pending: "allow", count: 2 },
    ]);
    expect(stagedChanges(counts)).toEqual({ wouldDeny: 3, wouldAllow: 2 });
  });

  it("leaves out what an enforced policy decides as before", () => {
    const compilation = compiled(1);
    const hits = new Hits(compilation).add("e", 0, RuleAction.ALLOW, 5).add("staged:s", 0, RuleAction.DENY, 1);
    const counts = new StagedDecisionLedger().read(compilation, hits.at);
    expect(counts).toEqual([{ ...row, rule: 0, enforced: "deny", pending: "deny", count: 1 }]);
    expect(stagedChanges(counts)).toEqual({ wouldDeny: 0, wouldAllow: 0 });
  });

  it("adds up over generations, whatever the rule ids are", () => {
    const ledger = new StagedDecisionLedger();
    const [before, now] = [compiled(1), compiled(2, true)];
    ledger.retire(before, new Hits(before).add("staged:s", 0, RuleAction.ALLOW, 3).counts);
    const hits = new Hits(now).add("staged:s", 0, RuleAction.ALLOW, 4);
    const total = { ...row, rule: 0, enforced: "allow", pending: "deny", count: 7 };
    // Twice, as reading keeps nothing.
    expect(ledger.read(now, hits.at)).toEqual([total]);
    expect(ledger.read(now, hits.at)).toEqual([total]);
  });

  it("is kept when the staged policies are gone", () => {
    const ledger = new StagedDecisionLedger();
    const before = compiled(1);
    ledger.retire(before, new Hits(before).add("staged:s", 0, RuleAction.ALLOW, 3).counts);
    const endpoint = hostEndpoint({});
    const without = compileTables(resourceSet({ hostEndpoints: [endpoint] }), [endpoint], NODE, 2);
    expect(ledger.read(without, () => 9)).toMatchObject([{ policy: "staged:s", count: 3 }]);
    expect(ledger.read(undefined, () => 9)).toMatchObject([{ policy: "staged:s", count: 3 }]);
  });
});
