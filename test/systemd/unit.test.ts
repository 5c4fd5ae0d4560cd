/** The unit file, as far as systemd's own tools judge it without installing it. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const UNIT = fileURLToPath(new URL("../../systemd/rampart.service", import.meta.url));
/** systemd-analyze's own scale: 10 is unconfined. Host network and NET_ADMIN, which the task demands, are 1 of it. */
const MOST_EXPOSED = 2.5;

const analyze = (...args: readonly string[]) => spawnSync("systemd-analyze", args, { encoding: "utf8" });
const present = analyze("--version").status === 0;

test.skipIf(!present)("systemd understands every line of the unit", () => {
  const { status, stderr } = analyze("verify", UNIT);
  // Programs are looked up on this machine, where Rampart need not be installed.
  const complaints = stderr.split("\n").filter((line) => line.includes("rampart.service:") && !line.includes("is not executable"));
  expect(complaints).toEqual([]);
  expect(status).toBe(0);
});

test.skipIf(!present)("the service is confined", () => {
  const { stdout } = analyze("security", "--offline=yes", "--no-pager", UNIT);
  const exposure = Number(/Overall exposure level for rampart\.service: ([\d.]+)/.exec(stdout)?.[1]);
  expect(exposure).toBeGreaterThan(0);
  expect(exposure).toBeLessThanOrEqual(MOST_EXPOSED);
});
