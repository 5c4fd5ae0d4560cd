/**
 * New TCP connections a second, 64 in flight, from a client to the protected
 * host. Every connection has its first packet judged by the daemon, which is
 * checked. Nothing is pinned: connections spread over the cores as they would.
 */
import { peer } from "./build.mjs";
import { hostLab, judgedPackets, protect, serve } from "./labs.mjs";
import { allowPolicy, endpoints, fillerPolicies } from "./policies.mjs";
import { measureInTurn } from "./rounds.mjs";

const PORT = 5000;
const IN_FLIGHT = 64;
/** Of the connections, those the daemon has judged; less means that some found a way round it. */
const LEAST_SHARE = 0.99;

/** Rows of the table; see docs/benchmarks.md for what each stands for. */
export async function connect({ seconds, rounds }) {
  const lots = [
    { name: "no filter", ...(await serverLab()) },
    { name: "rampart, 1 policy", ...(await protectedLab(1)) },
    { name: "rampart, 10,000 policies", ...(await protectedLab(10_000)) },
  ];
  const contenders = lots.map((lot) => ({
    name: lot.name,
    baseline: "no filter",
    measure: () => dial(lot, seconds),
    note: ({ failures, judged }) =>
      [...(lot.rampart ? [`${judged.toFixed(2)} packets judged a connection`] : []), `${failures} failed`].join("; "),
  }));
  return measureInTurn("connect", "connections/s", contenders, rounds);
}

async function serverLab() {
  const lab = await hostLab();
  await serve(lab.server, [peer("tcp_connect"), "serve", String(PORT)], /ready/);
  return { lab };
}

/** The policy that allows is the last of `count`. */
async function protectedLab(count) {
  const { lab } = await serverLab();
  const documents = [...endpoints("host", ["eth0"]), ...fillerPolicies(count - 1), allowPolicy("TCP", PORT)];
  return { lab, rampart: await protect(lab, documents) };
}

async function dial({ lab, rampart }, seconds) {
  const before = rampart === undefined ? 0 : await judgedPackets(rampart);
  const argv = [peer("tcp_connect"), "dial", lab.address, PORT, seconds, IN_FLIGHT].map(String);
  const { stdout } = await lab.client.run(argv, { check: true, timeout: (seconds + 10) * 1000 });
  const [connections, failures, duration] = stdout.match(/[\d.]+/g).map(Number);
  if (connections === 0) throw new Error(`no connection was made: ${stdout.trim()}`);
  const judged = rampart === undefined ? 0 : ((await judgedPackets(rampart)) - before) / connections;
  if (rampart !== undefined && judged < LEAST_SHARE) {
    throw new Error(`only ${judged.toFixed(4)} packets were judged for each connection`);
  }
  return { value: connections / duration, failures, judged };
}
