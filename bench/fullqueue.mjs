/**
 * Gbit/s of one bulk TCP connection that a router forwards, when every packet
 * of it goes through userspace, in both directions. The kernel hands over
 * large packets as they are (GSO), so a packet here is up to 64 KiB. Client on
 * core 0, server and filter on core 1, as in `fastpath` and `queued`.
 */
import { acceptAll, BATCH_LOOP } from "./accept-all.mjs";
import { iperfLab, PORT, transfer } from "./bulk.mjs";
import { judgedPackets, protect, queueEveryPacket, routerLab, SERVER_CORE } from "./labs.mjs";
import { allowPolicy, endpoints } from "./policies.mjs";
import { measureInTurn } from "./rounds.mjs";

/**
 * Of the packets the server received and sent, those the filter has seen; less means that packets found a way round it.
 * Now and then the kernel parts a large packet on its way out, so it is a little less than all.
 */
const LEAST_SHARE = 0.95;

/** Rows of the table; see docs/benchmarks.md for what each stands for. */
export async function fullqueue({ seconds, rounds }) {
  const lots = [
    { name: "no filter", ...(await iperfLab(routerLab)) },
    { name: BATCH_LOOP, ...(await cLoop()) },
    { name: "rampart", ...(await daemon("connmark")) },
    { name: "rampart, offload none", ...(await daemon("none")) },
  ];
  const contenders = lots.map((lot) => ({
    name: lot.name,
    baseline: "no filter",
    measure: () => checked(lot, seconds),
    note: lot.seen && (({ seen, exchanged }) => `filter saw ${seen} packets, server exchanged ${exchanged}`),
  }));
  return measureInTurn("fullqueue", "Gbit/s", contenders, rounds);
}

async function cLoop() {
  const { lab } = await iperfLab(routerLab);
  return { lab, ...(await acceptAll(lab, BATCH_LOOP, "100", ["FORWARD"])) };
}

async function daemon(offload) {
  const { lab } = await iperfLab(routerLab);
  const documents = [...endpoints("host", ["eth0", "eth1"]), allowPolicy("TCP", PORT, true)];
  const rampart = await protect(lab, documents, { wrapper: SERVER_CORE, settings: { datapath: { offload } } });
  if (offload === "connmark") await queueEveryPacket(lab);
  return { lab, seen: () => judgedPackets(rampart) };
}

async function checked({ lab, seen }, seconds) {
  const sample = await transfer(lab, seconds, seen);
  if (seen !== undefined && sample.seen < sample.exchanged * LEAST_SHARE) {
    throw new Error(`the filter saw ${sample.seen} packets, and the server exchanged ${sample.exchanged}`);
  }
  return sample;
}
