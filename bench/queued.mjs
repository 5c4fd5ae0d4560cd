/**
 * Forwarded packets a second when every packet goes through userspace: 64-byte
 * frames of UDP from the client through the host to the server, as fast as one
 * core can send and queue them. What the server's link receives is the result;
 * what was lost on the way tells whether the filter was the limit.
 *
 * The generator has core 0 and the filter core 1. Frames reach the server's
 * namespace on the core that forwarded them and are dropped there in the raw
 * table: a program that reads them would take its time from the generator's
 * core or the filter's.
 */
import { fileURLToPath } from "node:url";
import { acceptAll, acceptAllPeers, BATCH_LOOP, hasNfqueue } from "./accept-all.mjs";
import { peer } from "./build.mjs";
import { pidOf, processorTime, receivedPackets } from "./inside.mjs";
import { CLIENT_CORE, judgedPackets, protect, queueEveryPacket, routerLab, serve, SERVER_CORE } from "./labs.mjs";
import { allowPolicy, endpoints, fillerPolicies } from "./policies.mjs";
import { measureInTurn, pause } from "./rounds.mjs";

const PORT = 9;
const CLI_FILE = fileURLToPath(new URL("../dist/bundle/main.js", import.meta.url));
const CONNECTIONS = 3000;
const FILLERS = 9_999;
/** Start of the generator and a first turn of everybody's caches, in seconds. */
const WARM_UP = 0.5;
/** The generator outlives the measurement by this, in seconds. */
const MARGIN = 0.3;
/** Of the packets forwarded, those that the filter has seen; less means that packets found a way round it. */
const LEAST_SHARE = 0.99;

/** Rows of the table; see docs/benchmarks.md for what each stands for. */
export async function queued({ seconds, rounds }) {
  const tracked = ["-m", "conntrack", "!", "--ctstate", "INVALID"];
  const lots = [{ name: "no filter", ...(await floodLab()) }];
  const peers = acceptAllPeers();
  for (const [n, name] of peers.entries()) lots.push({ name, ...(await peerLot(name, String(100 + n))) });
  lots.push({ name: "C loop, conntrack", ...(await peerLot(BATCH_LOOP, "110", tracked)) });
  lots.push({ name: "rampart", baseline: peers, ...(await daemon()) });
  lots.push({ name: "rampart, tap open", baseline: "rampart", ...(await tapped()) });
  lots.push({ name: "rampart, offload none", baseline: peers, ...(await daemon({ offload: "none" })) });
  if (hasNfqueue()) lots.push({ name: "rampart, backend nfqueue", ...(await daemon({ backend: "nfqueue" })) });
  const contenders = lots.map((lot) => ({
    name: lot.name,
    baseline: lot.baseline ?? BATCH_LOOP,
    measure: () => flood(lot, seconds),
    note: noteOf,
  }));
  return measureInTurn("queued", "packets/s", contenders, rounds);
}

function noteOf({ lost, share, user, system }) {
  const loss = `${(lost * 100).toFixed(1)} % lost`;
  if (share === undefined) return loss;
  return `${loss}; saw ${share.toFixed(4)} of the forwarded; ${user.toFixed(2)} µs user, ${system.toFixed(2)} µs system a packet`;
}

async function floodLab() {
  const lab = await routerLab();
  await lab.server.run(["iptables", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "-j", "DROP"], { check: true });
  return { lab };
}

/** Nothing in the host's namespace but the peer and one rule, which also asks for `match`. */
async function peerLot(name, queue, match = []) {
  const { lab } = await floodLab();
  return { lab, ...(await acceptAll(lab, name, queue, ["FORWARD", ...match])) };
}

/** The whole daemon, with its real chains and among other policies; `args` are more of \`rampart run\`. */
export async function daemon({ backend = "native", offload = "connmark", args = [] } = {}) {
  const { lab } = await floodLab();
  const documents = [
    ...endpoints("host", ["eth0", "eth1"]),
    ...fillerPolicies(FILLERS, true),
    allowPolicy("UDP", PORT, true),
  ];
  const settings = { queue: { backend }, datapath: { offload } };
  const rampart = await protect(lab, documents, { wrapper: SERVER_CORE, settings, args });
  if (offload === "connmark") await queueEveryPacket(lab);
  const { configFile } = rampart;
  return { lab, configFile, filter: pidOf(configFile), seen: () => judgedPackets(rampart) };
}

/** The same while somebody listens for a packet that never comes: all are copied and looked at. */
async function tapped() {
  const lot = await daemon();
  const tap = [process.execPath, CLI_FILE, "tap", "--config", lot.configFile, "tcp port 1"];
  await serve(lot.lab.host, tap, /listening/i);
  return lot;
}

/** One run of the generator. The times are of the measured interval, the share is of the whole run. */
export async function flood({ lab, filter, seen }, seconds) {
  const look = () => ({
    time: performance.now() / 1000,
    forwarded: receivedPackets(lab.observer, "eth0"),
    ...(filter === undefined ? undefined : processorTime(filter)),
  });
  const seenBefore = await seen?.();
  const before = look();
  const duration = WARM_UP + seconds + MARGIN;
  const argv = [peer("udp_flood"), lab.address, PORT, duration, CONNECTIONS].map(String);
  const generator = lab.client.spawn([...CLIENT_CORE, ...argv]);
  await pause(WARM_UP);
  const start = look();
  await pause(seconds);
  const end = look();
  if (!generator.running) throw new Error(`the generator ended too soon: ${generator.stderr || generator.stdout}`);
  const { code } = await generator.exited;
  if (code !== 0) throw new Error(`the generator failed: ${generator.stderr}`);
  const sent = Number(generator.stdout.match(/sent=(\d+)/)[1]);
  await drained(lab);
  const packets = end.forwarded - start.forwarded;
  if (packets === 0) throw new Error("no packet was forwarded");
  const forwarded = look().forwarded - before.forwarded;
  // Never below 0, though the link also carries a neighbour solicitation now and then.
  const sample = { value: packets / (end.time - start.time), lost: Math.max(0, 1 - forwarded / sent) };
  if (filter === undefined) return sample;
  const share = ((await seen()) - seenBefore) / forwarded;
  if (share < LEAST_SHARE) throw new Error(`only ${share.toFixed(4)} of the forwarded packets went through the filter`);
  const each = (time) => (time / packets) * 1e6;
  return { ...sample, user: each(end.user - start.user), system: each(end.system - start.system), share };
}

/** Wait until nothing arrives any more. */
async function drained(lab) {
  for (let last = -1, now = 0; now !== last; ) {
    last = now;
    await pause(0.05);
    now = receivedPackets(lab.observer, "eth0");
  }
}
