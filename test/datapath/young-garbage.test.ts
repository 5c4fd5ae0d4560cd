/** What a change of tables leaves in a worker is found by a collection of young objects, the only one made there. */
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { HostAction, type PublishedTables } from "../../src/datapath/published.ts";
import { hostEndpoint, policy, resourceSet } from "../policy/build.ts";
import { DeciderBench } from "./decider-bench.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (options?: { readonly type: "minor" }) => void;

const CHANGES = 200;
/** Of what is published, so that it would be seen if it were kept. */
const BALLAST_WORDS = 5000;
/** All of the ballast is at least 4 bytes a word; others allocate here, too. */
const GROWTH = (CHANGES * BALLAST_WORDS * 4) / 4;

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space")?.space_used_size ?? Number.NaN;
}

it.each(["connmark", "none"] as const)("with offload %s", (offload) => {
  const set = resourceSet({ hostEndpoints: [hostEndpoint({ name: "host" })], policies: [policy({ name: "p" })] });
  const bench = new DeciderBench(set, undefined, undefined, offload);
  const published: PublishedTables = {
    tables: bench.compilation.tables,
    interfaces: bench.interfaces,
    hostAction: HostAction.DROP,
    adoptOlder: false,
    keepEstablished: false,
    deniedTunnels: { ipip: true, vxlanPort: 4789 },
    ruleReasons: new Uint8Array(bench.compilation.rules.length),
    ruleHits: bench.ruleHits,
  };
  // Everything that looks things up is old, as in a worker that has run for a while.
  collect();
  collect();
  const before = oldBytes();
  for (let n = 0; n < CHANGES; n++) {
    const ballast = Array.from({ length: BALLAST_WORDS }, (_, word) => word);
    const next = { ...structuredClone(published), ballast };
    bench.decider.publish(next);
    collect({ type: "minor" });
  }
  expect(oldBytes() - before).toBeLessThan(GROWTH);
});
