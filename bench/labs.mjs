/**
 * The networks that are measured in, each in namespaces of its own, so that
 * contenders stand side by side and only one of them is driven at a time.
 *
 *   host lab     client eth0 --- eth0 host
 *   router lab   client eth0 --- eth0 host eth1 --- eth0 server
 *
 * `host` is where the filter runs, `server` what the client talks to by
 * `address`: in the host lab the host itself. `observer` is a process in the
 * server's namespace (inside.mjs). All of it ends with `cleanUp`.
 */
import { RampartProcess } from "../dist/sandbox/daemon.js";
import { DEFAULT_MARK_MASKS } from "../dist/hooks/marks.js";
import { Sandbox } from "../dist/sandbox/sandbox.js";
import { onCleanUp } from "./cleanup.mjs";
import { observer } from "./inside.mjs";

/** Ten thousand policies take a while on a busy machine. */
const START_TIMEOUT_MS = 120_000;

/** Core of the side that makes the traffic, and of the side that takes it or filters it. */
export const CLIENT_CORE = ["taskset", "-c", "0"];
export const SERVER_CORE = ["taskset", "-c", "1"];

export async function hostLab() {
  const sandbox = await newSandbox();
  const client = await sandbox.host("client");
  const host = await sandbox.host("host");
  await sandbox.link(client, host, { addresses: [["10.90.0.2/24"], ["10.90.0.1/24"]] });
  return { client, host, server: host, address: "10.90.0.1", observer: await observer(host) };
}

export async function routerLab() {
  const sandbox = await newSandbox();
  const client = await sandbox.host("client");
  const host = await sandbox.host("host");
  const server = await sandbox.host("server");
  await sandbox.link(host, client, { addresses: [["10.90.0.1/24"], ["10.90.0.2/24"]] });
  await sandbox.link(host, server, { addresses: [["10.91.0.1/24"], ["10.91.0.2/24"]] });
  await host.sysctl("net.ipv4.ip_forward", 1);
  await client.route("default", "10.90.0.1");
  await server.route("default", "10.91.0.1");
  return { client, host, server, address: "10.91.0.2", observer: await observer(server) };
}

/** One sender of the bench stands for many, who would not take the second lane. */
const SENDER_FOR_MANY = { sourcePerSecond: 1_000_000, destinationPerSecond: 1_000_000 };

/** The real daemon on the lab's host with these policy documents; resolves when it enforces. */
export async function protect(lab, documents, { wrapper = [], settings = {}, args = [] } = {}) {
  const rampart = new RampartProcess(lab.host, {
    policies: { "policy.yaml": documents.join("\n---\n") },
    wrapper,
    settings: { overload: SENDER_FOR_MANY, ...settings },
    args,
  });
  onCleanUp(() => rampart.stop());
  await rampart.launch().waitForOutput(/"enforcing"/, START_TIMEOUT_MS);
  return rampart;
}

/**
 * Has a router's daemon forget its decision before each packet it forwards, so that its chains queue every one and not
 * only the first of a connection.
 */
export async function queueEveryPacket(lab) {
  const forget = ["CONNMARK", "--set-xmark", `0x0/0x${DEFAULT_MARK_MASKS.connection.toString(16)}`];
  await lab.host.run(["iptables", "-t", "mangle", "-A", "FORWARD", "-j", ...forget], { check: true });
}

/** A server that runs until `cleanUp`; resolves when it has printed that it is `ready`. */
export async function serve(host, argv, ready) {
  const server = host.spawn(argv);
  onCleanUp(() => server.stop());
  await server.waitForOutput(ready);
  return server;
}

/** Packets the daemon has judged, accepted or not, since it started. */
export function judgedPackets(rampart) {
  return rampart.metric("rampart_packets_total");
}

export async function newSandbox() {
  const sandbox = await Sandbox.create();
  onCleanUp(() => sandbox.destroy());
  return sandbox;
}
