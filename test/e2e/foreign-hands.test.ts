/**
 * Other programs change the rules under a running daemon: each change is noticed and put right within a second, counted
 * and logged; what concerns nobody costs next to nothing. In both kinds of iptables.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LogLine, RampartProcess } from "../../src/sandbox/daemon.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";
import { PolicyFile } from "./support/policy-file.ts";
import { usableVariants } from "./support/variants.ts";

const WEB = ETH0 + allowPorts("web", "ingress", 8080);
const LIMIT_MS = 1000;
const FLUSHES = 20;

/** A rule of somebody else behind ours: what ours no longer keeps out comes in. */
const FOREIGN = "INPUT -p tcp -m tcp --dport 8081 -j ACCEPT";
/** A rule of ours in the chain that INPUT jumps to, and the jump itself; `$ipt` is the command. */
const JUMP = "$($ipt -S INPUT | grep -m1 -e '-j RAMPART-' | cut -d' ' -f2-)";
const CHAIN = "$($ipt -S INPUT | grep -m1 -o -e 'RAMPART-[A-Z]*')";

describe.each(await usableVariants())("somebody else changes the rules of iptables-%s", (variant) => {
  const cause = variant === "nft" ? "notified" : "changed";
  let lab: Lab;
  let file: PolicyFile;
  let rampart: RampartProcess;

  /** A shell script on the host, with `$ipt` for each family's command in turn. */
  async function onHost(script: string, commands = [`iptables-${variant}`, `ip6tables-${variant}`]): Promise<void> {
    await lab.shield.run(["sh", "-ec", `for ipt in ${commands.join(" ")}; do\n${script}\ndone`], {
      timeout: 30_000,
      check: true,
    });
  }

  function repairs(): LogLine[] {
    return rampart.logs().filter(({ msg }) => msg === "rampart's hooks are back");
  }

  /** Waits for a repair after the first `before`, and until the hooks are found in place. */
  async function repaired(before: number): Promise<void> {
    await rampart.waitForLog("a repair", () => repairs().length > before, 10_000);
    for (const deadline = Date.now() + 10_000; ; await pause(20)) {
      const verified = await rampart.command(["hooks", "verify"]);
      if (verified.code === 0) return;
      if (Date.now() > deadline) throw new Error(`the hooks are not back:\n${verified.stdout}${verified.stderr}`);
    }
  }

  /** A periodic verification may by chance come first, and then only knows when the one before it was. */
  function expectInTime(lines: readonly LogLine[]): void {
    const inTime = (line: LogLine): boolean => line["cause"] === cause && Number(line["unfilteredMs"]) <= LIMIT_MS;
    expect(lines.filter((line) => line["cause"] !== "periodic" && !inTime(line))).toEqual([]);
  }

  const verifications = (): Promise<number> => rampart.metric("rampart_hook_verifications_total", { cause });
  const counted = (): Promise<number> => rampart.metric("rampart_hooks_repaired_total");

  beforeAll(async () => {
    lab = await Lab.create();
    await onHost(`$ipt -A ${FOREIGN}`);
    file = await PolicyFile.start(lab.shield, { iptables: { variant } });
    rampart = file.rampart;
    await file.enforce(WEB);
  });
  afterAll(async () => {
    await rampart.stop();
    await lab.destroy();
  });
  beforeEach(async () => {
    // What a test before may have flushed.
    await onHost(`$ipt -C ${FOREIGN} 2>/dev/null || $ipt -A ${FOREIGN}`);
  });

  const hands: [what: string, script: string][] = [
    ["iptables -F", "$ipt -F"],
    ["a flushed INPUT chain", "$ipt -F INPUT"],
    [
      "our jump moved to the end, in one transaction",
      `jump="${JUMP}"; printf '*filter\\n-D %s\\n-A %s\\nCOMMIT\\n' "$jump" "$jump" | \${ipt}-restore --noflush`,
    ],
    ["a rule of somebody's before our jump", "$ipt -I INPUT 1 -p tcp -m tcp --dport 9 -j ACCEPT"],
    ["our chain emptied", `$ipt -F "${CHAIN}"`],
    ["one rule of ours deleted", `$ipt -D "${CHAIN}" 1`],
    ["one rule of ours replaced", `$ipt -R "${CHAIN}" 1 -j ACCEPT`],
  ];
  if (variant === "nft") hands.push(["nft flush ruleset", "nft flush ruleset"]);

  test.each(hands)("%s is repaired, and what was denied is denied again", async (_what, script) => {
    const before = repairs().length;
    const countedBefore = await counted();
    const filteredBefore = await rampart.metric("rampart_hooks_unfiltered_seconds_total");
    await onHost(script);
    await repaired(before);
    for (const { shield } of FAMILIES) {
      await expectDropped(lab.client, shield, 8081);
      await expectConnects(lab.client, shield, 8080);
    }
    const fresh = repairs().slice(before);
    expectInTime(fresh);
    expect((await counted()) - countedBefore).toBe(fresh.length);
    expect(await rampart.metric("rampart_hooks_unfiltered_seconds_total")).toBeGreaterThan(filteredBefore);
    expect(await rampart.status()).toMatchObject({ hooks: { problems: [] } });
  });

  test.runIf(variant === "nft")("the log names the problem and the program that made it", async () => {
    await pause(LIMIT_MS);
    const before = repairs().length;
    await onHost("nft flush ruleset", ["once"]);
    await repaired(before);
    const found = rampart.logs().filter(({ msg }) => msg?.includes("putting them back")).at(-1);
    expect(found).toMatchObject({ level: "error", cause: "notified" });
    expect(found?.["programs"]).toEqual([expect.stringMatching(/^nft \(pid \d+\)$/)]);
    expect(JSON.stringify(found?.["problems"])).toContain("is missing");
  });

  test(`${FLUSHES} flushes in a row are each repaired within a second`, async () => {
    for (let i = 0; i < FLUSHES; i++) {
      const before = repairs().length;
      await onHost("$ipt -F INPUT", [`iptables-${variant}`]);
      await rampart.waitForLog(`repair ${i + 1}`, () => repairs().length > before, 10_000);
    }
    const fresh = repairs().slice(-FLUSHES);
    expectInTime(fresh);
    expect(fresh.filter((line) => line["cause"] === cause).length).toBeGreaterThan(FLUSHES / 2);
    for (const { shield } of FAMILIES) await expectDropped(lab.client, shield, 8081);
  });

  test("the daemon's own changes are not taken for somebody else's", async () => {
    const rules = [8082, 8083, 8084, 8085, 8086];
    await pause(LIMIT_MS);
    const before = await verifications();
    const repairsBefore = repairs().length;
    for (const port of rules) await file.enforce(WEB, allowPorts("more", "ingress", port));
    await pause(LIMIT_MS);
    // iptables-legacy does not say who: it costs a look at the rules, and none after that.
    expect((await verifications()) - before).toBeLessThanOrEqual(variant === "nft" ? 0 : 2 * rules.length);
    const settled = await verifications();
    await pause(LIMIT_MS);
    expect(await verifications()).toBe(settled);
    expect(repairs().length).toBe(repairsBefore);
  });

  test("a hundred changes of a table that is not ours cost no repair and no verification", async () => {
    await pause(LIMIT_MS);
    const before = await verifications();
    const repairsBefore = repairs().length;
    if (variant === "nft") {
      const rule = "nft add rule inet other own accept";
      await onHost(`nft add table inet other; nft add chain inet other own; for i in $(seq 100); do ${rule}; done`, ["once"]);
    } else await onHost("for i in $(seq 100); do $ipt -t raw -A OUTPUT -p tcp -j ACCEPT; done", [`iptables-${variant}`]);
    await pause(LIMIT_MS);
    expect(await verifications()).toBe(before);
    expect(repairs().length).toBe(repairsBefore);
  });

  test("a hundred changes of somebody's chain beside ours cost no repair and few verifications", async () => {
    await pause(LIMIT_MS);
    const before = await verifications();
    const repairsBefore = repairs().length;
    const began = performance.now();
    await onHost("$ipt -N OWN; for i in $(seq 100); do $ipt -A OWN -p tcp -j RETURN; done", [`iptables-${variant}`]);
    await pause(LIMIT_MS);
    const elapsed = performance.now() - began;
    const looks = (await verifications()) - before;
    expect(looks).toBeGreaterThan(0);
    // Each is followed by at least 100 ms of rest.
    expect(looks).toBeLessThanOrEqual(1 + elapsed / 100);
    expect(repairs().length).toBe(repairsBefore);
  });
});
