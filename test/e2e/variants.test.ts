/** Both kinds of iptables, beside rules of somebody else that must come through untouched. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";
import { usableVariants } from "./support/variants.ts";

const usable = await usableVariants();

const FOREIGN = `*filter
:FOREIGN - [0:0]
-A INPUT -m comment --comment "somebody else" -j FOREIGN
-A FORWARD -s SOURCE -j ACCEPT
-A OUTPUT -j FOREIGN
-A FOREIGN -p tcp -m tcp --dport 7 -j DROP
-A FOREIGN -j RETURN
COMMIT
*mangle
:FOREIGN - [0:0]
-A PREROUTING -j FOREIGN
COMMIT
`;

describe.each(usable)("iptables-%s", (variant) => {
  let lab: Lab;
  let rampart: RampartProcess;
  let before: string;

  /** All rules of both families, without counters and dates. */
  async function rules(): Promise<string> {
    const saved = await Promise.all(
      ["iptables", "ip6tables"].map((iptables) => lab.shield.run([`${iptables}-${variant}-save`], { check: true })),
    );
    const lines = saved.flatMap((result) => result.stdout.split("\n"));
    return lines.filter((line) => !line.startsWith("#")).map((line) => line.replace(/\[\d+:\d+\]/, "")).join("\n");
  }

  beforeAll(async () => {
    lab = await Lab.create();
    for (const [iptables, source] of [
      ["iptables", "10.1.0.0/16"],
      ["ip6tables", "fd01::/64"],
    ]) {
      const input = FOREIGN.replace("SOURCE", source as string);
      await lab.shield.run([`${iptables}-${variant}-restore`], { input, check: true });
    }
    before = await rules();
    rampart = await startRampart(lab.shield, {
      policies: { "policy.yaml": ETH0 + allowPorts("web", "ingress", 8080) },
      settings: { iptables: { variant } },
    });
  });
  afterAll(async () => {
    await rampart.stop();
    await lab.destroy();
  });

  test.each(FAMILIES)("enforces over $family", async ({ shield }) => {
    await expectConnects(lab.client, shield, 8080);
    await expectDropped(lab.client, shield, 8081);
    await expectConnects(lab.client, shield, 22);
  });

  test("says which kind it uses", async () => {
    expect(await rampart.status()).toMatchObject({ hooks: { variant, problems: [] } });
  });

  test("hooks verify finds everything in place", async () => {
    expect(await rampart.command(["hooks", "verify"])).toMatchObject({ code: 0 });
  });

  test("hooks remove takes all of its own away and nothing else", async () => {
    expect(await rules()).toContain("RAMPART-");
    await rampart.signal("SIGTERM");
    await rampart.exited();
    await rampart.removeHooks();
    expect(await rules()).toBe(before);
    for (const { shield } of FAMILIES) await expectConnects(lab.client, shield, 8081);
  });
});

test.skipIf(usable.includes("legacy"))("iptables-legacy works on this kernel", () => {
  expect.unreachable("this kernel has no legacy tables, so nothing of iptables-legacy was tested");
});
