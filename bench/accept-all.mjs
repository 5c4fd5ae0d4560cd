/**
 * The peers that read an NFQUEUE and accept everything: what a filter could do
 * at most, each with one iptables rule in a host's namespace and nothing of
 * Rampart there. Those whose library is not on this machine are left out, and
 * that is said.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { peer } from "./build.mjs";
import { onCleanUp } from "./cleanup.mjs";
import { observer, pidOf, queuedPackets } from "./inside.mjs";
import { SERVER_CORE } from "./labs.mjs";

/** Bytes of each packet the C programs ask for: the daemon's own default. The npm package has no such setting. */
const COPY_RANGE = "512";

export const BATCH_LOOP = "C loop";
const SINGLE_LOOP = "C libnetfilter_queue";
const NPM_PACKAGE = "npm nfqueue";

const NPM_PROGRAM = fileURLToPath(new URL("peers/accept_nfqueue.mjs", import.meta.url));

const PROGRAMS = {
  [BATCH_LOOP]: (queue) => [peer("accept_batch"), queue, COPY_RANGE],
  [SINGLE_LOOP]: (queue) => [peer("accept_single"), queue, COPY_RANGE],
  [NPM_PACKAGE]: (queue) => [process.execPath, NPM_PROGRAM, queue],
};

/** Whether the npm package was compiled here, for the peer and for the daemon's backend. */
export function hasNfqueue() {
  try {
    createRequire(import.meta.url)("nfqueue");
    return true;
  } catch {
    return false;
  }
}

/** The names of the peers that can run here. */
export function acceptAllPeers() {
  const can = { [BATCH_LOOP]: true, [SINGLE_LOOP]: existsSync(peer("accept_single")), [NPM_PACKAGE]: hasNfqueue() };
  for (const [name, possible] of Object.entries(can)) {
    if (!possible) console.error(`bench: without "${name}": install libnetfilter-queue-dev and run npm install`);
  }
  return Object.keys(PROGRAMS).filter((name) => can[name]);
}

/**
 * Runs the peer on the lab's host, on the filter's core, and sends it what `rule` (of the filter table, such as
 * ["FORWARD"] or ["INPUT", "-p", "udp"]) catches. Resolves to its process id and a count of the packets it was given.
 */
export async function acceptAll(lab, name, queue, rule) {
  const argv = PROGRAMS[name](queue);
  const program = lab.host.spawn([...SERVER_CORE, ...argv]);
  onCleanUp(() => program.stop());
  await program.waitForOutput(/ready/);
  await lab.host.run(["iptables", "-A", ...rule, "-j", "NFQUEUE", "--queue-num", queue], { check: true });
  const hostObserver = await observer(lab.host);
  return { filter: pidOf(...argv), seen: async () => queuedPackets(hostObserver, queue) };
}
