/**
 * The daemon as the unit runs it, as far as that goes without systemd: another user than root, exactly the unit's
 * capabilities, no new privileges, after the unit's own preparations; on real packets.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RampartProcess, type SettingsOverlay } from "../../src/sandbox/daemon.ts";
import { openTcp } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0 } from "../e2e/support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "../e2e/support/lab.ts";
import { usableVariants } from "../e2e/support/variants.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const UNIT = readFileSync(join(REPOSITORY, "systemd/rampart.service"), "utf8");
/** Of the user rampart, whatever number it has; and of somebody else. */
const USER = 64_321;
const STRANGER = 64_322;

/** Values of a setting of the unit, one a line. */
function unitSetting(name: string): string[] {
  return [...UNIT.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map((match) => match[1] ?? "");
}

const VARIANTS = await usableVariants();
const CAPABILITIES = unitSetting("CapabilityBoundingSet").join(" ").split(" ");

/** A command line that becomes the user, with these capabilities and no way to more. */
function become(user: number, capabilities: readonly string[]): string[] {
  const set = ["-all", ...capabilities.map((name) => `+${name.replace("CAP_", "").toLowerCase()}`)].join(",");
  const sets = [`--inh-caps=${set}`, `--ambient-caps=${set}`, `--bounding-set=${set}`];
  return ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--no-new-privs", ...sets];
}

/** Everybody may go into the directory and all above it. */
function isOpen(directory: string): boolean {
  for (let path = directory; ; path = dirname(path)) {
    if ((statSync(path).mode & constants.S_IXOTH) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** Whether this is a root that may make namespaces without a user namespace, and become somebody else in them. */
function isRealRoot(): boolean {
  return spawnSync("unshare", ["-nm", ...become(USER, CAPABILITIES), "true"]).status === 0;
}

test("the unit asks for another user than root, two capabilities and the same at the start", () => {
  expect(unitSetting("User")).toEqual(["rampart"]);
  expect(CAPABILITIES).toEqual(["CAP_NET_ADMIN", "CAP_NET_RAW"]);
  expect(unitSetting("AmbientCapabilities").join(" ").split(" ")).toEqual(CAPABILITIES);
  expect(readFileSync(join(REPOSITORY, "systemd/rampart.sysusers.conf"), "utf8")).toMatch(/^u rampart /m);
});

describe.runIf(isRealRoot() && isOpen(REPOSITORY) && isOpen(dirname(process.execPath)))("as a user who is not root", () => {
  let lab: Lab;
  let directory: string;
  let rampart: RampartProcess | undefined;

  beforeAll(async () => {
    lab = await Lab.create({ machineUsers: true });
  });
  afterAll(() => lab.destroy());
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "rampart-user-"));
    chmodSync(directory, 0o755);
    // RuntimeDirectory and StateDirectory.
    for (const name of ["run", "state"]) {
      mkdirSync(join(directory, name), { mode: 0o700 });
      chownSync(join(directory, name), USER, USER);
    }
  });
  afterEach(async () => {
    await rampart?.uninstall();
    rampart = undefined;
    rmSync(directory, { recursive: true, force: true });
  });

  /** Runs what the unit runs as root before the daemon, with our number for its group. */
  async function prepare(): Promise<void> {
    for (const line of unitSetting("ExecStartPre")) {
      const words = line.replace(/^[-+]*/, "").split(" ").map((word) => (word === "rampart" ? String(USER) : word));
      // Modules are the machine's.
      if (words[0] !== "modprobe") await lab.shield.run(words);
    }
  }

  async function start(variant: string, capabilities = CAPABILITIES, settings: SettingsOverlay = {}): Promise<RampartProcess> {
    // The queue's list is there once something was queued in this network namespace; the tables, once somebody looked.
    await lab.shield.run([`iptables-${variant}`, "-S"]);
    await prepare();
    const daemon = new RampartProcess(lab.shield, {
      policies: { "policy.yaml": ETH0 + allowPorts("web", "ingress", 8080) },
      settings: {
        ...settings,
        iptables: { variant },
        stateDirectory: join(directory, "state"),
        control: { socket: join(directory, "run", "control.sock") },
      },
      wrapper: become(USER, capabilities),
    });
    // /etc/rampart is root's and anybody's to read.
    chmodSync(dirname(daemon.configFile), 0o755);
    rampart = daemon;
    await daemon.start();
    return daemon;
  }

  async function processStatus(pid: unknown, field: string): Promise<string> {
    const { stdout } = await lab.shield.run(["grep", `^${field}:`, `/proc/${String(pid)}/status`], { check: true });
    return stdout.replace(/^\w+:\s+/, "").trim();
  }

  test.each(VARIANTS)("enforces with iptables-%s, and root's command line reaches it", async (variant) => {
    const daemon = await start(variant);
    const { pid, state } = await daemon.status();
    expect(state).toBe("enforcing");
    expect(await processStatus(pid, "Uid")).toBe(Array.from({ length: 4 }, () => USER).join("\t"));
    for (const set of ["CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(await processStatus(pid, set)).toBe("0000000000003000");
    expect(await processStatus(pid, "NoNewPrivs")).toBe("1");
    expect(daemon.logs().filter(({ level }) => level !== "info")).toEqual([]);

    for (const { shield } of FAMILIES) {
      await expectConnects(lab.client, shield, 8080);
      await expectDropped(lab.client, shield, 8081);
      await expectConnects(lab.client, shield, 22);
    }
    const open = await openTcp(lab.client, FAMILIES[0].shield, 8080);
    await daemon.changePolicy(() => daemon.writePolicy("policy.yaml", ETH0 + allowPorts("web", "ingress", 8081)));
    await expectConnects(lab.client, FAMILIES[0].shield, 8081);
    await expectDropped(lab.client, FAMILIES[0].shield, 8080);
    await open.close();

    // What root alone may read, the unit lends to the group.
    expect(await daemon.metrics()).toMatch(/^rampart_queue_pending_packets\{queue="100"\} 0$/m);
    const roundTrip = (): Promise<number> => daemon.metric("rampart_canary_round_trip_seconds", { queue: "100" });
    await expect.poll(roundTrip, { timeout: 10_000 }).toBeGreaterThan(0);
    // Somebody's iptables -F is put right.
    await lab.shield.run([`iptables-${variant}`, "-w", "-F", "INPUT"], { check: true });
    await expect.poll(() => daemon.metric("rampart_hooks_repaired_total"), { timeout: 10_000 }).toBeGreaterThan(0);
    await expectDropped(lab.client, FAMILIES[0].shield, 8080);

    const owned = (path: string): [number, string] => {
      const { uid, mode } = statSync(join(directory, path));
      return [uid, (mode & 0o7777).toString(8)];
    };
    expect(owned("run/control.sock")).toEqual([USER, "600"]);
    expect(owned("run")).toEqual([USER, "700"]);
    expect(owned("state")).toEqual([USER, "700"]);
    expect(owned("state/last-good")).toEqual([USER, "600"]);
    const stranger = await lab.shield.run([
      ...become(STRANGER, []),
      process.execPath,
      join(REPOSITORY, "dist/bundle/main.js"),
      "status",
      "--config",
      daemon.configFile,
    ]);
    expect(stranger.code).toBeGreaterThan(0);
    expect(stranger.stderr).toMatch(/^RAMPART_E_/);
  });

  test("enforces with CAP_NET_ADMIN alone where iptables is iptables-nft", async () => {
    // Without offload it also looks for DNAT, in every iptables there is.
    const daemon = await start("nft", ["CAP_NET_ADMIN"], { datapath: { offload: "none" } });
    expect(await processStatus((await daemon.status())["pid"], "CapEff")).toBe("0000000000001000");
    await expectConnects(lab.client, FAMILIES[0].shield, 8080);
    await expectDropped(lab.client, FAMILIES[0].shield, 8081);
  });
});
