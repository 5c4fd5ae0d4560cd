/** Brings the daemon, the addon and the peers up to date with their sources. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** `peersOnly` leaves the daemon as it was last built. Throws when a build fails. */
export function build({ peersOnly }) {
  if (!peersOnly) run("sh", [".ci/prepare"]);
  run("make", ["--silent", "-C", "bench/peers"]);
}

/** The path of a program of bench/peers. */
export function peer(name) {
  return fileURLToPath(new URL(`peers/build/${name}`, import.meta.url));
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${error?.message ?? `exit code ${status}`}`);
}
