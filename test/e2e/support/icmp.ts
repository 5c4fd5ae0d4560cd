/** ICMP messages of any type between hosts, by the Perl program beside this file. */
import { fileURLToPath } from "node:url";
import type { Host } from "../../../src/sandbox/host.ts";
import type { SandboxProcess } from "../../../src/sandbox/process.ts";

const PROGRAM = fileURLToPath(new URL("icmp.pl", import.meta.url));

function version(address: string): "4" | "6" {
  return address.includes(":") ? "6" : "4";
}

/** Prints `type N from A` for every ICMP message that the host lets in. */
export async function icmpListener(host: Host, family: "IPv4" | "IPv6"): Promise<SandboxProcess> {
  const listener = host.spawn(["perl", PROGRAM, "listen", family === "IPv6" ? "6" : "4"]);
  await listener.waitForOutput(/listening/);
  return listener;
}

/** Prints `type N from A` for every ICMPv6 message on the host's wire. */
export async function icmpv6Watcher(host: Host): Promise<SandboxProcess> {
  const watcher = host.spawn(["perl", PROGRAM, "watch", "6"]);
  await watcher.waitForOutput(/listening/);
  return watcher;
}

/** One message of the type, code 0. */
export async function sendIcmp(from: Host, address: string, type: number): Promise<void> {
  await from.run(["perl", PROGRAM, "send", version(address), address, String(type)], { check: true });
}
