/**
 * A packet to a service's address that nothing has translated: between two
 * nodes that send what they do not know to each other, it goes round until its
 * time is up (row 87).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAMILIES, expectPaths } from "./support/expect-path.ts";
import type { Family } from "./support/expect-path.ts";
import { bgpConfiguration, felix } from "./support/pod-documents.ts";
import { TwoNodes } from "./support/two-nodes.ts";

let nodes: TwoNodes;

beforeAll(async () => {
  nodes = await TwoNodes.create();
});
afterAll(() => nodes?.destroy());

const SERVICES = bgpConfiguration("10.96.0.0/12", "fd96::/112");
/** In those blocks, and no service's. */
const NOBODY = { 4: "10.96.0.99", 6: "fd96::99" } as const;

/** What the pod hears of a ping to it. */
async function pingNobody(family: Family, patience: number): Promise<string> {
  const argv = ["ping", "-n", "-c", "1", "-W", String(patience), NOBODY[family]];
  const { stdout, stderr } = await nodes.host("w0").run(argv, { timeout: 10_000, env: { LC_ALL: "C" } });
  const text = stdout + stderr;
  if (/time to live exceeded|hop limit/i.test(text)) return "went round";
  if (/port unreachable/i.test(text)) return "refused";
  return /100% packet loss/.test(text) ? "silence" : text;
}

describe.each(FAMILIES)("row 87: over IPv%i", (family) => {
  test("it goes round where prevention is disabled, or no block is known", async () => {
    await nodes.enforce(SERVICES, felix({ serviceLoopPrevention: "Disabled" }));
    expect(await pingNobody(family, 4)).toBe("went round");
    await nodes.enforce(felix({ serviceLoopPrevention: "Drop" }));
    expect(await pingNobody(family, 4)).toBe("went round");
  });

  test("it is dropped by default", async () => {
    await nodes.enforce(SERVICES);
    expect(await pingNobody(family, 1)).toBe("silence");
  });

  test("it is refused with Reject", async () => {
    await nodes.enforce(SERVICES, felix({ serviceLoopPrevention: "Reject" }));
    expect(await pingNobody(family, 4)).toBe("refused");
  });

  test("what a service translates passes, whichever it is", async () => {
    for (const action of ["Drop", "Reject"]) {
      await nodes.enforce(SERVICES, felix({ serviceLoopPrevention: action }));
      await expectPaths(nodes, { "w0>service": "pass", "w0>w1": "pass" }, [family]);
    }
  });
});
