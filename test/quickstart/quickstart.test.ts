/** `npm run quickstart` without its preparation: the guided run itself must come out well. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/quickstart/main.js", import.meta.url));

it("holds every expectation, in IPv4 and IPv6, and exits with 0", { timeout: 90_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN], { timeout: 85_000 });
  expect(stdout).toContain("Every expectation held");
  expect(stdout).not.toContain("WRONG");
  for (const family of ["IPv4", "IPv6"]) {
    const line = `attacker -> node1 TCP 80 +${family} +no answer +denied by blocklist ingress\\[0\\]`;
    expect(stdout).toMatch(new RegExp(line));
  }
});
