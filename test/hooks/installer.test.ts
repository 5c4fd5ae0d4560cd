/** The installer against real tables: iptables-nft and iptables-legacy, IPv4 and IPv6, in namespaces of their own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HookInstaller } from "../../src/hooks/apply.ts";
import type { CommandRunner } from "../../src/hooks/command.ts";
import { runCommand } from "../../src/hooks/command.ts";
import type { Variant } from "../../src/hooks/iptables.ts";
import { MarkLayout } from "../../src/hooks/marks.ts";
import { removeHooks } from "../../src/hooks/remove.ts";
import { openIptables } from "../../src/hooks/variant.ts";
import { allowedSource, cidr, EVERYWHERE, failsafe, hookConfig, NOWHERE, on, workloads } from "./configs.ts";
import { Namespace } from "./namespace.ts";

const marks = new MarkLayout();
const FAMILIES = ["iptables", "ip6tables"] as const;

/**
 * A firewall of somebody else: a chain, rules before and after ours, a policy, rule counters. Policy counters stay
 * zero: iptables-legacy sets them back at any change of the table, whoever makes it.
 */
const FOREIGN = `*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:foreign - [0:0]
[5:300] -A INPUT -p tcp -m tcp --dport 443 -j ACCEPT
[0:0] -A INPUT -j foreign
[7:420] -A FORWARD -m comment --comment "not \\"ours\\"" -j foreign
[1:60] -A foreign -p udp -m udp --dport 5353 -j RETURN
COMMIT
`;

let namespace: Namespace;

beforeEach(async () => {
  namespace = await Namespace.create();
});

afterEach(async () => {
  await namespace.close();
});

function installerFor(variant: Variant, run: CommandRunner = namespace.run): HookInstaller {
  return new HookInstaller({ variant, lockWaitSeconds: 5, ipv6: true, marks, run });
}

function runWithoutRights(...[file, args, options]: Parameters<CommandRunner>): ReturnType<CommandRunner> {
  return namespace.run("setpriv", ["--bounding-set=-all", file, ...args], options);
}

async function foreignFirewall(variant: Variant): Promise<void> {
  for (const family of FAMILIES) await namespace.sh(`${family}-${variant}-restore -c <<'E'\n${FOREIGN}E\n`);
}

/**
 * Both families' tables with counters, without the comments that carry the time and without tables that hold no
 * rule and no chain but the kernel's.
 */
async function tables(variant: Variant): Promise<string> {
  const save = (family: string): string =>
    ["raw", "mangle", "nat", "filter"].map((table) => `${family}-${variant}-save -c -t ${table}`).join(";");
  const texts = await Promise.all(FAMILIES.map((family) => namespace.sh(save(family))));
  const bare = texts.join("").replaceAll(/^#.*\n/gm, "");
  return (bare.match(/^\*[^]*?^COMMIT\n/gm) ?? []).filter((table) => /^\[|^:\S+ -/m.test(table)).join("");
}

async function filterRules(variant: Variant, family: string, chain: string): Promise<string[]> {
  const text = await namespace.sh(`${family}-${variant} -S ${chain}`);
  return text.split("\n").filter((line) => line.startsWith("-A"));
}

/** Hooks in every table. */
const ALL_TABLES = { workloads: workloads("cali"), preDNAT: EVERYWHERE, untracked: { inbound: ["eth0"], outbound: [] } };

const JUMP = "-A INPUT -j RAMPART-INPUT";

describe.each(["nft", "legacy"] as const)("iptables-%s", (variant) => {
  test("apply installs what verify then finds in place, for every kind of rule", async () => {
    const config = hookConfig({
      input: EVERYWHERE,
      forward: on("eth0", "eth1.7"),
      workloads: {
        prefixes: ["cali", "tap-"],
        allowedSources: [allowedSource("cali7", "10.7.0.0/16", "2001:db8:7::/48"), allowedSource("cali8", "0.0.0.0/0")],
      },
      preDNAT: on("eth0"),
      untracked: { inbound: ["eth0"], outbound: ["eth0"] },
      keepEstablished: true,
      tunnels: { ipip: true, vxlanPort: 4789, ends: ["192.0.2.9/32", "2001:db8::9/128"].map(cidr) },
      serviceLoop: { nets: ["10.96.0.0/12", "fd96::/112"].map(cidr), reject: false },
      exemptLoopback: false,
      failsafeInbound: [failsafe("tcp", 22), failsafe("tcp", 179), failsafe("udp", 68, "10.1.0.0/16"), failsafe("sctp", 7)],
      failsafeOutbound: [failsafe("udp", 53, "2001:db8::/32"), failsafe("tcp", 6443, "192.0.2.7/32")],
      queue: { first: 10, count: 2, bypass: true },
      marks: new MarkLayout({ packet: 0xffffffff, connection: 0xffffffff }),
    });
    const installer = installerFor(variant);
    expect((await installer.verify(config)).length).toBeGreaterThan(0);
    await installer.apply(config);
    expect(await installer.verify(config)).toEqual([]);
  });

  test("apply twice changes nothing the second time; the jump is there once, first", async () => {
    await foreignFirewall(variant);
    const installer = installerFor(variant);
    await installer.apply(hookConfig());
    const once = await tables(variant);
    await installer.apply(hookConfig());
    expect(await tables(variant)).toBe(once);
    for (const family of FAMILIES) {
      const rules = await filterRules(variant, family, "INPUT");
      expect(rules[0]).toBe(JUMP);
      expect(rules.filter((rule) => rule.includes("RAMPART"))).toHaveLength(1);
      expect(rules).toHaveLength(3);
    }
  });

  test("a rule inserted above the jump is seen, and apply moves the jump back", async () => {
    const installer = installerFor(variant);
    await installer.apply(hookConfig());
    await namespace.sh(`ip6tables-${variant} -I INPUT 1 -p tcp --dport 9 -j ACCEPT`);
    expect(await installer.verify(hookConfig())).toEqual(["IPv6: INPUT jumps to RAMPART-INPUT at position 2, not 1"]);
    await installer.apply(hookConfig());
    expect(await installer.verify(hookConfig())).toEqual([]);
    expect(await filterRules(variant, "ip6tables", "INPUT")).toEqual([JUMP, "-A INPUT -p tcp -m tcp --dport 9 -j ACCEPT"]);
  });

  test("a deleted, doubled or flushed piece of ours is named and repaired", async () => {
    const installer = installerFor(variant);
    await installer.apply(hookConfig());
    await namespace.sh(`iptables-${variant} -D OUTPUT 1; iptables-${variant} -A INPUT -j RAMPART-INPUT
      iptables-${variant} -A INPUT -i lo -j RAMPART-INPUT
      iptables-${variant} -D RAMPART-INPUT-DECIDE 2; ip6tables-${variant} -F RAMPART-ND`);
    const differences = await installer.verify(hookConfig());
    expect(differences).toEqual([
      expect.stringMatching(/^IPv4: chain RAMPART-INPUT-DECIDE, rule 2: found .*dport 68.*, not .*dport 22/),
      "IPv4: INPUT jumps to RAMPART-INPUT 2 times",
      "IPv4: OUTPUT does not jump to RAMPART-OUTPUT",
      "IPv4: INPUT has a jump to RAMPART-INPUT that is not ours: -i lo -j RAMPART-INPUT",
      expect.stringMatching(/^IPv6: chain RAMPART-ND, rule 1: missing: .*133/),
    ]);
    await installer.apply(hookConfig());
    expect(await installer.verify(hookConfig())).toEqual([]);
    expect(await filterRules(variant, "iptables", "INPUT")).toEqual([JUMP]);
  });

  test("remove leaves other programs' rules, policies and counters byte for byte", async () => {
    await foreignFirewall(variant);
    const before = await tables(variant);
    const installer = installerFor(variant);
    await installer.apply(hookConfig({ forward: EVERYWHERE, ...ALL_TABLES }));
    await installer.apply(hookConfig({ forward: EVERYWHERE, ...ALL_TABLES, generation: 2 }));
    expect(await tables(variant)).not.toBe(before);
    expect((await installer.remove()).map((line) => line.slice(0, line.indexOf(":")))).toEqual([
      `IPv4, iptables-${variant}`,
      `IPv6, iptables-${variant}`,
    ]);
    expect(await tables(variant)).toBe(before);
    expect(await installer.remove()).toEqual([]);
  });

  test("a new generation is one rewriting in place, and the installed one can be read back", async () => {
    const installer = installerFor(variant);
    expect(await installer.installedGeneration()).toBeUndefined();
    await installer.apply(hookConfig({ generation: 7 }));
    const chains = (await tables(variant)).match(/^:.*/gm);
    await installer.apply(hookConfig({ generation: 8 }));
    expect((await tables(variant)).match(/^:.*/gm)).toEqual(chains);
    expect(await installerFor(variant).installedGeneration()).toBe(8);
    expect(await installer.verify(hookConfig({ generation: 7 }))).not.toEqual([]);
    const elsewhere = new MarkLayout({ packet: 0xff00, connection: 0xff0000 });
    const other = new HookInstaller({ variant, lockWaitSeconds: 5, ipv6: true, marks: elsewhere, run: namespace.run });
    expect(await other.installedGeneration()).toBeUndefined();
  });

  test("a hook no longer needed goes away with its chains", async () => {
    const installer = installerFor(variant);
    await installer.apply(hookConfig({ forward: EVERYWHERE, ...ALL_TABLES }));
    expect(await tables(variant)).toMatch(/^\*raw\n[^]*^\*mangle\n/m);
    await installer.apply(hookConfig({ output: NOWHERE }));
    const text = await tables(variant);
    expect(text).not.toMatch(/RAMPART-(FORWARD|OUTPUT|POSTROUTING|PREDNAT|RAW)/);
    expect(text).toMatch(/RAMPART-INPUT/);
    expect(await installer.verify(hookConfig({ output: NOWHERE }))).toEqual([]);
  });

  test("when IPv6's last transaction fails, IPv4 and IPv6's other tables are what they were", async () => {
    await foreignFirewall(variant);
    await installerFor(variant).apply(hookConfig({ preDNAT: on("eth0") }));
    await namespace.sh(`iptables-${variant} -I INPUT 1 -p tcp --dport 9 -j ACCEPT`);
    const before = (await tables(variant)).replaceAll(/\[\d+:\d+\]/g, "");
    // A rule that only the kernel refuses, at the end of the transaction: a reset for UDP.
    const breaking: CommandRunner = (file, args, options) => {
      if (!file.startsWith("ip6tables") || options.input === undefined) return namespace.run(file, args, options);
      const input = options.input.replace("-p tcp -m comment", "-p udp -m comment");
      return namespace.run(file, args, { ...options, input });
    };
    const installer = installerFor(variant, breaking);
    await expect(installer.apply(hookConfig({ generation: 2, forward: EVERYWHERE, ...ALL_TABLES }))).rejects.toMatchObject({
      code: "RAMPART_E_IPTABLES_FAILED",
      message: expect.stringMatching(/^ip6tables-\w+-restore failed with status \d: .*, at line \d+: /),
    });
    expect((await tables(variant)).replaceAll(/\[\d+:\d+\]/g, "")).toBe(before);
    expect(await installer.installedGeneration()).toBe(1);
  });

  test("what an earlier run left in raw and mangle is found and removed by an apply that needs neither", async () => {
    await installerFor(variant).apply(hookConfig({ ...ALL_TABLES, generation: 6 }));
    const installer = installerFor(variant);
    expect(await installer.installedGeneration()).toBe(6);
    const needed = hookConfig({ output: NOWHERE, generation: 7 });
    expect(await installer.verify(needed)).toEqual(expect.arrayContaining([
      "IPv4: chain raw RAMPART-RAW-IN is not needed but is there",
      expect.stringMatching(/^IPv6: mangle PREROUTING has a jump to RAMPART-PREDNAT that is not ours/),
    ]));
    await installer.apply(needed);
    expect(await tables(variant)).not.toMatch(/^\*(raw|mangle)/m);
  });

  test("a flushed mangle table is seen and repaired", async () => {
    const installer = installerFor(variant);
    await installer.apply(hookConfig());
    await namespace.sh(`iptables-${variant} -t mangle -F; iptables-${variant} -t mangle -X`);
    expect(await installer.verify(hookConfig())).toContain("IPv4: mangle POSTROUTING does not jump to RAMPART-POSTROUTING");
    await installer.apply(hookConfig());
    expect(await installer.verify(hookConfig())).toEqual([]);
  });

  test("another program that moves the jump between our read and write does not make apply fail", async () => {
    const installer = installerFor(variant);
    await installer.apply(hookConfig());
    await namespace.sh(`iptables-${variant} -I INPUT 1 -j ACCEPT`);
    let disturbed = false;
    const disturbing: CommandRunner = async (file, args, options) => {
      if (!disturbed && file.endsWith("restore") && args.includes("--noflush")) {
        disturbed = true;
        await namespace.sh(`iptables-${variant} -D INPUT -j RAMPART-INPUT`);
      }
      return namespace.run(file, args, options);
    };
    await installerFor(variant, disturbing).apply(hookConfig({ generation: 2 }));
    expect(disturbed).toBe(true);
    expect(await installer.verify(hookConfig({ generation: 2 }))).toEqual([]);
  });

  test("counters are read by rule name and survive a rewriting", async () => {
    await namespace.sh(`ip link add eth0 type veth peer eth9 && ip addr add 192.0.2.1/24 dev eth0
      ip link set eth9 up && ip link set eth0 up && ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev eth0`);
    const installer = installerFor(variant);
    const queued = async (): Promise<number | undefined> =>
      (await installer.counters()).find(({ family, hook, name }) => family === 4 && hook === "OUTPUT" && name === "queued")
        ?.packets;
    await installer.apply(hookConfig());
    expect(await queued()).toBe(0);
    await namespace.sh("ping -c 1 -W 1 192.0.2.9 || true");
    expect(await queued()).toBe(1);
    await installer.apply(hookConfig({ generation: 2 }));
    expect(await queued()).toBe(1);
    await namespace.sh("ping -c 1 -W 1 192.0.2.9 || true");
    expect(await queued()).toBe(2);
    const names = new Set((await installer.counters()).map(({ name }) => name));
    for (const name of ["fast-path", "failsafe", "failsafe-reply", "invalid", "neighbour-discovery", "multicast-listener"]) {
      expect(names).toContain(name);
    }
  });

  test("other programs' use of our mark bits is found in any table, ours is not", async () => {
    const installer = installerFor(variant);
    await installer.apply(hookConfig());
    expect(await installer.markOverlaps(marks.masks)).toEqual([]);
    await namespace.sh(`iptables-${variant} -t mangle -A PREROUTING -j MARK --set-xmark 0x40000000/0x40000000
      ip6tables-${variant} -t mangle -A OUTPUT -j CONNMARK --save-mark
      ip6tables-${variant} -A INPUT -m connmark --mark 0x10000/0xff0000 -j ACCEPT`);
    expect(await installer.markOverlaps(marks.masks)).toMatchObject([
      { table: "mangle", chain: "PREROUTING", field: "packet", bits: 0x40000000, severity: "conflict" },
      { table: "mangle", chain: "OUTPUT", field: "connection", bits: 0xff00, severity: "warning" },
    ]);
  });

  test("without rights: one error that says so, and nothing changed", async () => {
    await expect(installerFor(variant, runWithoutRights).apply(hookConfig())).rejects.toMatchObject({
      code: "RAMPART_E_PRIVILEGE",
    });
    expect(await tables(variant)).not.toContain("RAMPART");
  });
});

test("remove finds hooks in both variants, and apply clears those an earlier run left in the other", async () => {
  await installerFor("legacy").apply(hookConfig());
  await installerFor("nft").apply(hookConfig());
  expect(await tables("legacy")).not.toContain("RAMPART");
  await namespace.sh("iptables-legacy -N RAMPART-OLD && iptables-legacy -I FORWARD -j RAMPART-OLD");
  const removed = await removeHooks({ lockWaitSeconds: 5, run: namespace.run });
  expect(removed.map((line) => line.slice(0, line.indexOf(":")))).toEqual([
    "IPv4, iptables-nft",
    "IPv6, iptables-nft",
    "IPv4, iptables-legacy",
  ]);
  expect((await tables("nft")) + (await tables("legacy"))).not.toContain("RAMPART");
});

test("remove where there never was anything creates no table", async () => {
  expect(await removeHooks({ lockWaitSeconds: 5, run: namespace.run })).toEqual([]);
  expect(await namespace.sh("nft list ruleset")).toBe("");
  // Only root may read the names of iptables-legacy's tables.
  expect(await namespace.sh("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true")).toBe("");
});

test("hooks of a family no longer used are removed by the first apply", async () => {
  await installerFor("nft").apply(hookConfig());
  const only4 = new HookInstaller({ variant: "nft", lockWaitSeconds: 5, ipv6: false, marks, run: namespace.run });
  await only4.apply(hookConfig());
  expect(await namespace.sh("ip6tables-nft-save")).not.toContain("RAMPART");
  expect(await only4.verify(hookConfig())).toEqual([]);
});

test("iptables-legacy waits for the xtables lock, and says who is in the way when it is not given up", async () => {
  const lock = namespace.spawn("flock", ["/run/xtables.lock", "sleep", "60"]);
  await namespace.sh("until ! flock -n /run/xtables.lock true 2>/dev/null; do sleep 0.05; done");
  const installer = new HookInstaller({ variant: "legacy", lockWaitSeconds: 1, ipv6: true, marks, run: namespace.run });
  await expect(installer.apply(hookConfig())).rejects.toMatchObject({
    code: "RAMPART_E_IPTABLES_FAILED",
    hint: expect.stringContaining("xtables lock"),
  });
  lock.kill();
});

test("auto takes the variant that the host's iptables command stands for", async () => {
  const version = await namespace.sh("iptables -V");
  const iptables = await openIptables("auto", { lockWaitSeconds: 1, families: [4, 6], run: namespace.run });
  expect(iptables.variant).toBe(version.includes("nf_tables") ? "nft" : "legacy");
  expect(version).toContain(iptables.version);
});

test("without iptables: an error that names the package", async () => {
  const empty = await mkdtemp(join(tmpdir(), "rampart-no-iptables-"));
  try {
    const run: CommandRunner = (file, args, options) => runCommand(file, args, { ...options, path: empty });
    const installer = new HookInstaller({ variant: "auto", lockWaitSeconds: 1, ipv6: true, marks, run });
    await expect(installer.apply(hookConfig())).rejects.toMatchObject({
      code: "RAMPART_E_IPTABLES_MISSING",
      hint: expect.stringContaining("install the package iptables"),
    });
    await expect(removeHooks({ lockWaitSeconds: 1, run })).rejects.toMatchObject({ code: "RAMPART_E_IPTABLES_MISSING" });
  } finally {
    await rm(empty, { recursive: true });
  }
});

test("a program that hangs is killed and reported", async () => {
  await expect(runCommand("sleep", ["60"], { timeoutMilliseconds: 100 })).rejects.toMatchObject({
    code: "RAMPART_E_IPTABLES_FAILED",
    message: "sleep did not finish within 0.1 s",
  });
});
