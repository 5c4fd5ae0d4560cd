/**
 * New TCP connections a second, 64 in flight, from a client to the protected
 * host. Every connection has its first packet judged, by the daemon or by rules
 * in the kernel, which is checked. Nothing is pinned: connections spread over the cores as they would.
 */
import { peer } from "./build.mjs";
import { hostLab, judgedPackets, protect, serve } from "./labs.mjs";
import { allowedPackets, hasIpset, installLinear, installSets } from "./kernel-rules.mjs";
import { allowPolicy, endpoints, fillerPolicies, setsAndPolicies } from "./policies.mjs";
import { measureInTurn } from "./rounds.mjs";

const PORT = 5000;
const NO_FILTER = "no filter";
const ONE_POLICY = "rampart, 1 policy";
const IN_FLIGHT = 64;
/** Of the connections, those the filter has judged; less means that some found a way round it. */
const LEAST_SHARE = 0.99;

/** Rows of the table; see docs/benchmarks.md for what each stands for. */
export async function connect({ seconds, rounds }) {
  const lots = [
    { name: NO_FILTER, ...(await serverLab()) },
    { name: ONE_POLICY, ...(await protectedLab(1)) },
    { name: "rampart, 10,000 policies", baseline: [NO_FILTER, linear(10_000)], ...(await protectedLab(10_000)) },
    {
      name: "rampart, 10,000 policies, 100,000 CIDRs",
      baseline: [NO_FILTER, ONE_POLICY],
      ...(await protectedLab(10_000, setsAndPolicies(100, 1000))),
    },
  ];
  const withSets = hasIpset();
  for (const count of [1000, 10_000]) {
    lots.push({ name: linear(count), ...(await kernelLab(installLinear, count)) });
    if (!withSets) continue;
    lots.push({ name: `ipset, ${count.toLocaleString("en")} entries`, ...(await kernelLab(installSets, count)) });
  }
  const contenders = lots.map((lot) => ({
    name: lot.name,
    baseline: lot.baseline ?? NO_FILTER,
    measure: () => dial(lot, seconds),
    note: ({ failures, judged }) =>
      [...(lot.seen ? [`${judged.toFixed(2)} packets judged a connection`] : []), `${failures} failed`].join("; "),
  }));
  return measureInTurn("connect", "connections/s", contenders, rounds);
}

async function serverLab() {
  const lab = await hostLab();
  await serve(lab.server, [peer("tcp_connect"), "serve", String(PORT)], /ready/);
  return { lab };
}

function linear(count) {
  return `iptables, ${count.toLocaleString("en")} rules`;
}

/** The same policy by hand; `install` is of kernel-rules.mjs. */
async function kernelLab(install, count) {
  const { lab } = await serverLab();
  await install(lab.host, count - 1, "tcp", PORT);
  return { lab, seen: () => allowedPackets(lab.host, PORT) };
}

/** The policy that allows is the last of `count`; `sets` are documents of which half are policies. */
async function protectedLab(count, sets = []) {
  const { lab } = await serverLab();
  const fillers = fillerPolicies(count - 1 - sets.length / 2);
  const documents = [...endpoints("host", ["eth0"]), ...fillers, ...sets, allowPolicy("TCP", PORT)];
  const rampart = await protect(lab, documents);
  return { lab, seen: () => judgedPackets(rampart) };
}

async function dial({ lab, seen }, seconds) {
  const before = (await seen?.()) ?? 0;
  const argv = [peer("tcp_connect"), "dial", lab.address, PORT, seconds, IN_FLIGHT].map(String);
  const { stdout } = await lab.client.run(argv, { check: true, timeout: (seconds + 10) * 1000 });
  const [connections, failures, duration] = stdout.match(/[\d.]+/g).map(Number);
  if (connections === 0) throw new Error(`no connection was made: ${stdout.trim()}`);
  const judged = seen === undefined ? 0 : ((await seen()) - before) / connections;
  if (seen !== undefined && judged < LEAST_SHARE) {
    throw new Error(`only ${judged.toFixed(4)} packets were judged for each connection`);
  }
  return { value: connections / duration, failures, judged };
}
