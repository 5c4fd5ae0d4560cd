/**
 * What a change costs those who ask meanwhile: first packets of connections
 * are sent one after another, as in `latency`, while policies or addresses
 * change again and again under 10,000 policies and 100,000 networks. The
 * longest wait for an answer is the result, and none may be lost.
 *
 * Only the daemon is pinned, to the core the questions do not come from; what
 * it does beside judging packets has to share that core, as on a busy host.
 */
import { peer } from "./build.mjs";
import { CLIENT_CORE, hostLab, protect, serve, SERVER_CORE } from "./labs.mjs";
import { allowPolicy, changingPolicy, endpoints, largePolicy, networkSet, setPolicy } from "./policies.mjs";
import { measureInTurn, pause } from "./rounds.mjs";

const PORT = 7;
/** A change that takes longer than this, in seconds, ends the run. */
const CHANGE_LIMIT = 120;
/** Number and size of the set that changes; the others are those of the large policy. */
const CHANGING_SET = 100;
const SET_SIZE = 1000;
const AT_REST = "at rest";

/** Rows of the table; see docs/benchmarks.md for what each stands for. */
export async function reload({ seconds, rounds }) {
  const lots = [
    { name: AT_REST, ...(await busyLab()) },
    { name: "a policy changes", document: changingPolicy, ...(await busyLab()) },
    { name: "1,000 addresses change", document: changingSet, ...(await busyLab()) },
  ];
  const contenders = lots.map((lot) => ({
    name: lot.name,
    baseline: AT_REST,
    measure: () => askWhileChanging(lot, seconds),
    note: noteOf,
  }));
  return measureInTurn("reload", "ms longest wait", contenders, rounds, "less");
}

function noteOf({ changes, lost, answers, p99, millisecondsEach }) {
  const made = `${Math.round(changes)} changes, ${millisecondsEach.toFixed(0)} ms each`;
  return `${made}; p99 ${p99.toFixed(3)} ms; ${lost} of ${Math.round(answers)} lost`;
}

function changingSet(turn) {
  return networkSet(CHANGING_SET, SET_SIZE, turn % SET_SIZE);
}

async function busyLab() {
  const lab = await hostLab();
  await lab.host.sysctl("net.netfilter.nf_conntrack_udp_timeout", 1);
  await serve(lab.server, [...CLIENT_CORE, peer("latency_probe"), "serve", String(PORT)], /ready/);
  const large = [...largePolicy(), setPolicy(CHANGING_SET)];
  const documents = [...endpoints("host", ["eth0"]), ...large, allowPolicy("UDP", PORT)];
  const rampart = await protect(lab, documents, { wrapper: SERVER_CORE });
  return { lab, rampart };
}

async function askWhileChanging({ lab, rampart, document }, seconds) {
  const argv = [peer("latency_probe"), "ask", lab.address, PORT, 3600, 0].map(String);
  const asker = lab.client.spawn([...CLIENT_CORE, ...argv]);
  const began = performance.now();
  let changes = 0;
  do {
    if (document === undefined) await pause(0.1);
    else await change(rampart, document(Math.round(performance.now())));
    changes++;
  } while (performance.now() - began < seconds * 1000);
  const took = performance.now() - began;
  if (!asker.running) throw new Error(`the asker ended too soon: ${asker.stderr || asker.stdout}`);
  await asker.stop();
  const [answers, lost, , p99, longest] = asker.stdout.match(/=[\d.]+/g).map((text) => Number(text.slice(1)));
  if (answers === 0) throw new Error(`no question was answered: ${asker.stdout.trim()}`);
  const made = document === undefined ? 0 : changes;
  const millisecondsEach = made && took / made;
  return { value: longest / 1000, p99: p99 / 1000, answers, lost, changes: made, millisecondsEach };
}

/** Writes the document and waits until it is in force; asks the log, which costs the daemon nothing. */
async function change(rampart, text) {
  const inForce = () => rampart.logs().filter(({ msg }) => msg === "policy in force").length;
  const before = inForce();
  rampart.writePolicy("changing.yaml", text);
  for (const end = performance.now() + CHANGE_LIMIT * 1000; inForce() === before; await pause(0.01)) {
    if (!rampart.running || performance.now() > end) throw new Error("a changed policy did not come in force");
  }
}
