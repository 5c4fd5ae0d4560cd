/**
 * Gbit/s of one bulk TCP connection, client to server, when its first packet
 * was judged and the rest stays in the kernel: to the protected host itself,
 * and forwarded by it. The client has core 0, the server core 1; the daemon
 * has nothing to do, and that is checked.
 */
import { iperfLab, PORT, transfer } from "./bulk.mjs";
import { hostLab, judgedPackets, protect, routerLab } from "./labs.mjs";
import { allowPolicy, endpoints } from "./policies.mjs";
import { measureInTurn } from "./rounds.mjs";

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
    measure: () => checked(lot, seconds),
    note: lot.seen && (({ seen, received }) => `daemon judged ${seen} of ${received} packets received`),
  }));
  return measureInTurn("fastpath", "Gbit/s", contenders, rounds);
}

async function protectedLab(makeLab, interfaces) {
  const { lab } = await iperfLab(makeLab);
  const rampart = await protect(lab, [...endpoints("host", interfaces), allowPolicy("TCP", PORT, true)]);
  return { lab, seen: () => judgedPackets(rampart) };
}

async function checked({ lab, seen }, seconds) {
  const sample = await transfer(lab, seconds, seen);
  if (seen !== undefined && (sample.seen === 0 || sample.seen > sample.received * MOST_SHARE)) {
    throw new Error(`the daemon judged ${sample.seen} of ${sample.received} packets: this is not the fast path`);
  }
  return sample;
}
