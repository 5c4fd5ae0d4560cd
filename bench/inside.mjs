/**
 * Reads what the kernel counts about processes and links inside a sandbox,
 * from outside through /proc: one file read, which disturbs no measurement.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { childrenOf } from "../dist/sandbox/process.js";

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/**
 * The process id, as this machine knows it, of the sandbox process that has
 * all of these on its command line. We hold nsenter; the process is its child.
 */
export function pidOf(...words) {
  for (const entry of childrenOf(process.pid)) {
    for (const pid of childrenOf(entry)) {
      const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      if (words.every((word) => argv.includes(word))) return pid;
    }
  }
  throw new Error(`no process of the sandbox was started with ${words.join(" ")}`);
}

/** Seconds of processor time all threads of a process have used, to the clock tick (usually 10 ms). */
export function processorTime(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // proc(5): the name, in parentheses, may hold anything; utime and stime are fields 14 and 15, counted from 1.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { user: Number(fields[11]) / TICKS_PER_SECOND, system: Number(fields[12]) / TICKS_PER_SECOND };
}

/** Packets the namespace of `pid` has received on a link since the link was made; a GSO packet is one. */
export function receivedPackets(pid, link) {
  return linkColumns(pid, link)[1];
}

/** Packets it has received and sent there. */
export function exchangedPackets(pid, link) {
  const columns = linkColumns(pid, link);
  return columns[1] + columns[9];
}

/** Eight columns of what was received, bytes and packets first, and eight of what was sent. */
function linkColumns(pid, link) {
  const line = linesOf(pid, "dev").find((text) => text.trim().startsWith(`${link}:`));
  if (line === undefined) throw new Error(`process ${pid} sees no link ${link}`);
  return line.split(":")[1].trim().split(/\s+/).map(Number);
}

/** Bytes of memory a process has resident, now and at most since it began. */
export function residentMemory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)[1]) * 1024;
  return { now: bytes("VmRSS"), most: bytes("VmHWM") };
}

/** Packets the namespace of `pid` has handed to the reader of an NFQUEUE since it was bound. */
export function queuedPackets(pid, queue) {
  const fields = linesOf(pid, "netfilter/nfnetlink_queue").map((text) => text.trim().split(/\s+/));
  const line = fields.find(([number]) => number === queue);
  if (line === undefined) throw new Error(`queue ${queue} is not bound`);
  // The packet ids are counted up, and the last one given is field 8.
  return Number(line[7]);
}

/** A process that waits in a host's namespace until the sandbox ends, for others to look through; its id. */
export async function observer(host) {
  const name = `rampart-bench-observer-${observers++}`;
  const waiting = host.spawn(["sh", "-c", "echo ready; read _", name], { stdin: true });
  await waiting.waitForOutput(/ready/);
  return pidOf(name);
}

let observers = 0;

function linesOf(pid, file) {
  return readFileSync(`/proc/${pid}/net/${file}`, "utf8").split("\n");
}
