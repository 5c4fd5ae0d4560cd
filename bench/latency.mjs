/**
 * What a filter adds to the first packet of a connection, one in flight: UDP
 * questions to the protected host, each from a port of its own, each answered
 * by an echo server. The round trip with no filter in the same round is taken
 * off; what is left is the kernel's queue, the filter, and the way back.
 *
 * Client and server have core 0, the filter has core 1, so a packet waits for
 * another core to wake up, as it does where traffic is light.
 */
import { acceptAll, acceptAllPeers, BATCH_LOOP } from "./accept-all.mjs";
import { peer } from "./build.mjs";
import { CLIENT_CORE, hostLab, judgedPackets, protect, serve, SERVER_CORE } from "./labs.mjs";
import { allowPolicy, endpoints } from "./policies.mjs";
import { rowsOf, takeTurns } from "./rounds.mjs";

const PORT = 7;
const NO_FILTER = "no filter";
/** Of the answers, those whose question the filter has seen; less means that some found a way round it. */
const LEAST_SHARE = 0.99;

/** Rows of the table; see docs/benchmarks.md for what each stands for. */
export async function latency({ seconds, rounds }) {
  const lots = [{ name: NO_FILTER, ...(await echoLab()) }];
  for (const [n, name] of acceptAllPeers().entries()) {
    const { lab } = await echoLab();
    // Only what opens a connection, as the daemon is asked.
    const rule = ["INPUT", "-m", "conntrack", "--ctstate", "NEW"];
    lots.push({ name, lab, ...(await acceptAll(lab, name, String(100 + n), rule)) });
  }
  lots.push({ name: "rampart", ...(await daemon()) });
  const contenders = lots.map((lot) => ({
    name: lot.name,
    baseline: BATCH_LOOP,
    measure: () => probe(lot, seconds),
    note: ({ answers, lost }) => `${Math.round(answers)} answers, ${lost} lost`,
  }));
  const samples = await takeTurns("latency", "µs round trip", contenders, rounds);
  const bare = samples.get(NO_FILTER).map(({ value, p99 }) => ({ value, p99 }));
  const added = new Map(
    [...samples].map(([name, own]) => [
      name,
      own.map((sample, round) => {
        const { value, p99 } = bare[round];
        return { ...sample, value: sample.value - value, p99: sample.p99 - p99 };
      }),
    ]),
  );
  const filters = contenders.filter(({ name }) => name !== NO_FILTER);
  return [
    ...rowsOf("latency", "µs round trip", contenders.slice(0, 1).map(asOwnBaseline), samples, "less"),
    ...rowsOf("latency, added p50", "µs", filters, added, "less"),
    ...rowsOf("latency, added p99", "µs", filters, added, "less", (sample) => sample.p99),
  ];
}

function asOwnBaseline(contender) {
  return { ...contender, baseline: contender.name };
}

async function echoLab() {
  const lab = await hostLab();
  // A port is used again within seconds, and must then be a new connection.
  await lab.host.sysctl("net.netfilter.nf_conntrack_udp_timeout", 1);
  await serve(lab.server, [...CLIENT_CORE, peer("latency_probe"), "serve", String(PORT)], /ready/);
  return { lab };
}

async function daemon() {
  const { lab } = await echoLab();
  const documents = [...endpoints("host", ["eth0"]), allowPolicy("UDP", PORT)];
  const rampart = await protect(lab, documents, { wrapper: SERVER_CORE });
  return { lab, seen: () => judgedPackets(rampart) };
}

async function probe({ lab, seen }, seconds) {
  const before = (await seen?.()) ?? 0;
  const argv = [peer("latency_probe"), "ask", lab.address, PORT, seconds, 0].map(String);
  const { stdout } = await lab.client.run([...CLIENT_CORE, ...argv], { check: true, timeout: (seconds + 10) * 1000 });
  const [answers, lost, value, p99, longest] = stdout.match(/=[\d.]+/g).map((text) => Number(text.slice(1)));
  if (answers === 0) throw new Error(`no question was answered: ${stdout.trim()}`);
  const share = seen === undefined ? 1 : ((await seen()) - before) / answers;
  if (share < LEAST_SHARE) throw new Error(`only ${share.toFixed(4)} of the answered went through the filter`);
  return { value, p99, longest, answers, lost };
}
