/**
 * Where the packet path spends its time while every packet is queued, as in
 * `queued`: a CPU profile of the daemon's worker, beside the results as a
 * .cpuprofile file, and the ten functions with the most time of their own.
 */
import { existsSync, readFileSync } from "node:fs";
import { cleanUp } from "./cleanup.mjs";
import { daemon, flood } from "./queued.mjs";

const FUNCTIONS = 10;
/** The thread has other things to do than packets. */
const WAITING = "(idle)";
/** What it calls that is no JavaScript is the addon, which waits for packets or is in a system call: V8 cannot tell. */
const READER = "/thread-queue.ts";
/** The profiler's own start is in its first sample. */
const PROFILER = "/path-profile.ts";

/** Resolves to the list it prints, as [{ name, place, share }]; the profile is left in `file`. */
export async function profile({ seconds, file }) {
  // Until the daemon stops; the flood is what there is to see.
  const lot = await daemon({ args: ["--profile", file, "--profile-seconds", "86400"] });
  await flood(lot, seconds);
  await cleanUp();
  if (!existsSync(file)) throw new Error("the daemon wrote no profile");
  const most = mostSelfTime(JSON.parse(readFileSync(file, "utf8"))).slice(0, FUNCTIONS);
  console.log(`profile, ${file}`);
  for (const { name, place, share } of most) {
    console.log(`${(share * 100).toFixed(1).padStart(5)} %  ${name}  ${place}`);
  }
  return most;
}

/** Functions by their own time, the most first, as a share of the time in JavaScript. */
function mostSelfTime({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const left = new Set(nodes.filter(({ callFrame }) => callFrame.functionName === WAITING).map(({ id }) => id));
  // Callers come before what they call.
  for (const { id, callFrame, children = [] } of nodes) {
    if (callFrame.url.endsWith(PROFILER)) left.add(id);
    for (const child of children) {
      const callee = byId.get(child);
      const isAddon = callFrame.url.endsWith(READER) && callee.url === "" && !callee.functionName.startsWith("(");
      if (left.has(id) || isAddon) left.add(child);
    }
  }
  const times = new Map();
  let busy = 0;
  for (const [at, id] of samples.entries()) {
    if (left.has(id)) continue;
    const { functionName, url, lineNumber } = byId.get(id);
    busy += timeDeltas[at];
    const place = url === "" ? "" : `${url.replace(/^.*\/(?=src\/)/, "")}:${lineNumber + 1}`;
    const key = `${functionName || "(anonymous)"}\0${place}`;
    times.set(key, (times.get(key) ?? 0) + timeDeltas[at]);
  }
  return [...times]
    .toSorted(([, a], [, b]) => b - a)
    .map(([key, time]) => {
      const [name, place] = key.split("\0");
      return { name, place, share: time / busy };
    });
}
