/**
 * Resident memory of the daemon: small, with a large policy, and with a large
 * policy and a million flows. Each is a new process. The flows are of UDP
 * packets that policy allows others but not this sender, so that connection
 * tracking, which is not the daemon's, does not fill; the flow table holds a
 * flow whatever the verdict.
 */
import { peer } from "./build.mjs";
import { pidOf, residentMemory } from "./inside.mjs";
import { CLIENT_CORE, hostLab, protect } from "./labs.mjs";
import { allowFrom, endpoints, largePolicy } from "./policies.mjs";
import { measureInTurn, pause } from "./rounds.mjs";

const MIB = 2 ** 20;
const FLOWS = 1_000_000;
/** The table's bound, a little above. */
const CAPACITY = 1_048_576;
const FIRST_PORT = 20_000;
/** Source ports of one burst of the generator, to one destination port. */
const CONNECTIONS = 50_000;
/** Flows of UDP are forgotten after two minutes; a machine too slow to make so many before says so. */
const FILL_SECONDS = 110;
/** For what a start leaves to be collected. */
const SETTLE_SECONDS = 2;

/** Rows of the table; see docs/benchmarks.md for what each stands for. */
export async function memory({ rounds }) {
  const lab = await hostLab();
  const small = [...endpoints("host", ["eth0"]), allowFrom("UDP", ["192.0.2.1/32"])];
  const large = [...small, ...largePolicy()];
  const contenders = [
    { name: "1 policy", documents: small, flows: 0 },
    { name: "10,000 policies, 100,000 CIDRs", documents: large, flows: 0 },
    { name: "the same and 1,000,000 flows", documents: large, flows: FLOWS },
  ].map(({ name, documents, flows }) => ({
    name,
    baseline: "1 policy",
    measure: () => residentOnce(lab, documents, flows),
    note: ({ most, flows: made }) => `at most ${most.toFixed(0)} MiB; ${made.toLocaleString("en")} flows`,
  }));
  return measureInTurn("memory", "MiB resident", contenders, rounds, "less");
}

async function residentOnce(lab, documents, flows) {
  const settings = { flows: { capacity: CAPACITY }, log: { deniedPerSecond: 0 } };
  const rampart = await protect(lab, documents, { settings });
  const made = flows === 0 ? 0 : await fill(lab, rampart, flows);
  await pause(SETTLE_SECONDS);
  const { now, most } = residentMemory(pidOf(rampart.configFile));
  await rampart.uninstall();
  return { value: now / MIB, most: most / MIB, flows: made };
}

/** Bursts to one port after another, as often as it takes: what the queue could not hold is sent again. */
async function fill(lab, rampart, wanted) {
  let flows = 0;
  let seconds = 0.25;
  const ports = Math.ceil(CAPACITY / CONNECTIONS) + 1;
  for (let turn = 0, end = performance.now() + FILL_SECONDS * 1000; flows < wanted; turn++) {
    if (performance.now() > end) throw new Error(`only ${flows} flows in ${FILL_SECONDS} s`);
    const argv = [peer("udp_flood"), lab.address, FIRST_PORT + (turn % ports), seconds, CONNECTIONS].map(String);
    const { stdout } = await lab.client.run([...CLIENT_CORE, ...argv], { check: true });
    // A slower machine needs longer for every source port to have had its turn.
    if (Number(stdout.match(/sent=(\d+)/)[1]) < CONNECTIONS) seconds *= 2;
    if (turn % ports === ports - 1 || turn > ports) flows = await rampart.metric("rampart_flows");
  }
  return flows;
}
