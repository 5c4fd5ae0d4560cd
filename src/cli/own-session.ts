/**
 * The SSH session this command is run from, so that it is not cut. Told by the
 * user; else by SSH_CONNECTION, here or in a parent process, because sudo takes
 * it away; and by the TCP connections that parent processes hold and this host
 * has accepted, such as sshd's. Everything found counts. In a terminal
 * multiplexer the parents are those of the day it was started.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { formatAddress } from "../address/address.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { readSshConnection } from "../lint/ssh-session.ts";

const MAX_PARENTS = 64;
/** Those nearest to this command come first. */
const MAX_SESSIONS = 64;
const ESTABLISHED = "01";
const LISTEN = "0A";

/**
 * Sessions as sshd writes SSH_CONNECTION: client, its port, server, its port. `told`: SRC:PORT-DST:PORT.
 * @throws RampartError RAMPART_E_SESSION
 */
export function ownSessions(told: string | undefined): string[] {
  if (told !== undefined) return [readTold(told)];
  const found = new Set<string>();
  const add = (text: string | undefined): void => {
    const session = text === undefined ? undefined : canonical(text);
    if (session !== undefined) found.add(session);
  };
  add(process.env["SSH_CONNECTION"]);
  const accepted = acceptedConnections();
  for (const pid of parents()) {
    add(environmentOf(pid)?.find((entry) => entry.startsWith("SSH_CONNECTION="))?.slice("SSH_CONNECTION=".length));
    for (const inode of socketsOf(pid)) add(accepted.get(inode));
  }
  return [...found].slice(0, MAX_SESSIONS);
}

function readTold(told: string): string {
  const [source, destination, ...rest] = told.split("-");
  const ends = [source, destination].map((end) => /^(?:\[([^\]]+)\]|([^[\]]+)):(\d+)$/.exec(end ?? ""));
  const text = ends.map((end) => `${end?.[1] ?? end?.[2] ?? ""} ${end?.[3] ?? ""}`).join(" ");
  const session = rest.length === 0 ? canonical(text) : undefined;
  if (session !== undefined) return session;
  throw new RampartError("RAMPART_E_SESSION", `"${told}" is no session`, {
    hint: "write SRC:PORT-DST:PORT with the client's address first, IPv6 in brackets: [2001:db8::7]:50022-[2001:db8::1]:22",
  });
}

function canonical(text: string): string | undefined {
  const session = readSshConnection(text);
  if (session === undefined) return undefined;
  const { client, clientPort, server, serverPort } = session;
  return `${formatAddress(client)} ${clientPort} ${formatAddress(server)} ${serverPort}`;
}

/** From the parent of this process to the first process, as far as they can be seen. */
function parents(): number[] {
  const pids: number[] = [];
  for (let pid = process.ppid; pid > 1 && pids.length < MAX_PARENTS; ) {
    pids.push(pid);
    // The command's name, in parentheses, may itself hold any character.
    const after = read(`/proc/${pid}/stat`)?.split(")").at(-1)?.trim().split(" ");
    pid = Number(after?.[1] ?? 0);
  }
  return pids;
}

function environmentOf(pid: number): string[] | undefined {
  return read(`/proc/${pid}/environ`)?.split("\0");
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1] ?? [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** Established connections to a port that somebody listens on: inode to session (proc(5), /proc/net/tcp). */
function acceptedConnections(): Map<string, string> {
  const rows = ["tcp", "tcp6"].flatMap((table) => (read(`/proc/net/${table}`) ?? "").split("\n").slice(1))
    .map((line) => line.trim().split(/\s+/));
  const listening = new Set(rows.filter((row) => row[3] === LISTEN).map((row) => row[1]?.split(":")[1]));
  const sessions = new Map<string, string>();
  for (const [, local = "", remote = "", state, , , , , , inode = ""] of rows) {
    if (state !== ESTABLISHED || !listening.has(local.split(":")[1])) continue;
    sessions.set(inode, `${endOf(remote)} ${endOf(local)}`);
  }
  return sessions;
}

/** "0100007F:0016" to "127.0.0.1 22": words in host byte order, which is little-endian wherever Node runs on Linux. */
function endOf(text: string): string {
  const [address = "", port = ""] = text.split(":");
  const words = (address.match(/.{8}/g) ?? []).map((word) => word.match(/../g)?.toReversed().join("") ?? "");
  const hex = words.join("");
  const readable =
    hex.length === 8 ? (hex.match(/../g) ?? []).map((byte) => parseInt(byte, 16)).join(".") : (hex.match(/.{4}/g) ?? []).join(":");
  return `${readable} ${parseInt(port, 16)}`;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
