/**
 * Gbit/s of one bulk TCP connection, client to server, when its first packet
 * was judged and the rest stays in the kernel: to the protected host itself,
 * and forwarded by it. The client has core 0, the server core 1; the daemon
 * has nothing to do, and that is checked.
 */
import { receivedPackets } from "./inside.mjs";
import { CLIENT_CORE, hostLab, judgedPackets, protect, routerLab, serve, SERVER_CORE } from "./labs.mjs";
import { allowPolicy, endpoints } from "./policies.mjs";
import { measureInTurn } from "./rounds.mjs";

const PORT = 5201;
/** Seconds at the start of a transfer that do not count. */
const WARM_UP = 1;
/** Of the packets received, those the daemon may see; more means that the fast path does not hold. */
const MOST_SHARE = 0.01;

/** Rows of the table; see docs/benchmarks.md for what each stands for. */
export async function fastpath({ seconds, rounds }) {
  const lots = [
    { name: "to the host, no filter", ...(await iperfLab(hostLab)) },
    { name: "to the host, rampart", ...(await protectedLab(hostLab, ["eth0"])) },
    { name: "forwarded, no filter", ...(await iperfLab(routerLab)) },
    { name: "forwarded, rampart", ...(await protectedLab(routerLab, ["eth0", "eth1"])) },
  ];
  const contenders = lots.map((lot) => ({
    name: lot.name,
    baseline: lot.name.replace("rampart", "no filter"),
    measure: () => transfer(lot, seconds),
    note: lot.rampart && (({ judged, received }) => `daemon judged ${judged} of ${received} packets received`),
  }));
  return measureInTurn("fastpath", "Gbit/s", contenders, rounds);
}

async function iperfLab(makeLab) {
  const lab = await makeLab();
  await serve(lab.server, [...SERVER_CORE, "iperf3", "--server", "--forceflush", "--port", String(PORT)], /listening/i);
  return { lab };
}

async function protectedLab(makeLab, interfaces) {
  const { lab } = await iperfLab(makeLab);
  const rampart = await protect(lab, [...endpoints("host", interfaces), allowPolicy("TCP", PORT, true)]);
  return { lab, rampart };
}

async function transfer({ lab, rampart }, seconds) {
  const look = async () => ({
    judged: rampart === undefined ? 0 : await judgedPackets(rampart),
    received: receivedPackets(lab.observer, "eth0"),
  });
  const before = await look();
  const options = { port: PORT, time: seconds, omit: WARM_UP };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { stdout } = await lab.client.run([...CLIENT_CORE, "iperf3", "--client", lab.address, "--json", ...flags], {
    check: true,
    timeout: (seconds + WARM_UP + 10) * 1000,
  });
  const after = await look();
  const sample = {
    value: JSON.parse(stdout).end.sum_received.bits_per_second / 1e9,
    judged: after.judged - before.judged,
    received: after.received - before.received,
  };
  if (rampart !== undefined && (sample.judged === 0 || sample.judged > sample.received * MOST_SHARE)) {
    throw new Error(`the daemon judged ${sample.judged} of ${sample.received} packets: this is not the fast path`);
  }
  return sample;
}
