/**
 * What others notice of a flood of denied packets that takes a whole core:
 * new TCP connections of a client that may, one in flight, and bulk TCP that
 * was open before the flood began.
 *
 *   attacker eth0 --- eth0 host eth1 --- eth0 client
 *   core 0            core 1             core 1
 *
 * The flood's generator has core 0, and with it the kernel's part of each
 * packet up to the queue; everything else shares core 1. Against no flood on
 * the same core budget means: while a busy loop has core 0 in its place.
 */
import { peer } from "./build.mjs";
import { onCleanUp } from "./cleanup.mjs";
import { CLIENT_CORE, protect, serve, SERVER_CORE } from "./labs.mjs";
import { floodLab } from "./flood-lab.mjs";
import { allowPolicy, denyPolicy, endpoints } from "./policies.mjs";
import { measureInTurn, pause } from "./rounds.mjs";

const CONNECT_PORT = 5000;
const BULK_PORT = 5201;
/** UDP that some other network may send to, so that no port tells the flood. */
const OPEN_UDP_PORT = 53_000;
const CLOSED_UDP_PORT = 9;
const NO_FILTER = "no filter";
const RAMPART = "rampart";
const NO_FLOOD = "no flood";
/** The generator is under way by then, and the hash tables of the rules know it. */
const HEAD_START_SECONDS = 0.5;
/** It goes on until the measurement has surely ended. */
const TAIL_SECONDS = 1;

/** Arguments of udp_flood behind its target: port, seconds, connections. */
const FLOODS = {
  [NO_FLOOD]: undefined,
  "one source": (seconds) => [CLOSED_UDP_PORT, seconds, 3000],
  "one source, open port": (seconds) => [OPEN_UDP_PORT, seconds, 3000],
  spoofed: (seconds) => [CLOSED_UDP_PORT, seconds, 3000, "spoofed"],
  "spoofed, all ports": (seconds) => [0, seconds, 3000, "spoofed"],
  "spoofed, open port": (seconds) => [OPEN_UDP_PORT, seconds, 3000, "spoofed"],
};

/** Rows of the table; see docs/benchmarks.md for what each stands for. */
export async function flood({ seconds, rounds }) {
  const lots = [
    { name: NO_FILTER, ...(await servers()) },
    { name: "iptables DROP", ...(await dropping()) },
    { name: RAMPART, ...(await daemon()) },
  ];
  const rows = [];
  for (const kind of Object.keys(FLOODS)) {
    const contenders = lots.map(({ name, lab }) => ({
      name,
      baseline: NO_FILTER,
      measure: () => during(lab, kind, seconds, () => connects(lab, seconds)),
      note: ({ answers, lost, median, longest, sent }) =>
        `${Math.round(answers)} connections, ${lost} lost; median ${median.toFixed(2)}, longest ${longest.toFixed(1)} ms; `
        + `${Math.round(sent / 1000)}k packets/s of flood`,
    }));
    rows.push(...(await measureInTurn(`flood, ${kind}, p99 connect`, "ms", contenders, rounds, "less")));
  }
  for (const { name, lab } of lots) {
    const contenders = Object.keys(FLOODS).map((kind) => ({
      name: `${name}, ${kind}`,
      baseline: `${name}, ${NO_FLOOD}`,
      measure: () => during(lab, kind, seconds, () => bulk(lab, seconds)),
      note: ({ sent }) => `${Math.round(sent / 1000)}k packets/s of flood`,
    }));
    rows.push(...(await measureInTurn("flood, bulk TCP", "Gbit/s", contenders, rounds)));
  }
  return rows;
}

async function servers() {
  const lab = await floodLab();
  await serve(lab.host, [...SERVER_CORE, peer("tcp_connect"), "serve", String(CONNECT_PORT)], /ready/);
  const iperf = ["iperf3", "--server", "--forceflush", "--port", String(BULK_PORT)];
  await serve(lab.host, [...SERVER_CORE, ...iperf], /listening/i);
  return { lab };
}

/** By hand: connections that are open, the two ports, and a drop. */
async function dropping() {
  const { lab } = await servers();
  const rules = ["-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"];
  for (const port of [CONNECT_PORT, BULK_PORT]) rules.push(`-p tcp -m tcp --dport ${port} -j ACCEPT`);
  rules.push("-j DROP");
  for (const rule of rules) await lab.host.run(["iptables", "-A", "INPUT", ...rule.split(" ")], { check: true });
  return { lab };
}

async function daemon() {
  const { lab } = await servers();
  const documents = [
    ...endpoints("host", ["eth0", "eth1"]),
    denyPolicy("UDP", OPEN_UDP_PORT, lab.deniedNets),
    ...[["TCP", CONNECT_PORT], ["TCP", BULK_PORT], ["UDP", OPEN_UDP_PORT]].map(([protocol, port]) =>
      allowPolicy(protocol, port, false, `allow-${port}`),
    ),
  ];
  await protect(lab, documents, { wrapper: SERVER_CORE, settings: { overload: {} } });
  return { lab };
}

/** The sample of `measure` while core 0 makes this flood, with the packets it `sent` a second. */
async function during(lab, kind, seconds, measure) {
  const duration = HEAD_START_SECONDS + seconds + TAIL_SECONDS;
  const args = FLOODS[kind]?.(duration);
  const argv =
    args === undefined
      ? ["timeout", String(duration), "sh", "-c", "while :; do :; done"]
      : [peer("udp_flood"), lab.attacked, ...args.map(String)];
  const flooder = lab.attacker.spawn([...CLIENT_CORE, ...argv]);
  onCleanUp(() => flooder.stop());
  await pause(HEAD_START_SECONDS);
  const sample = await measure();
  await flooder.exited;
  const [, sent, , took] = /sent=(\d+) refused=(\d+) seconds=([\d.]+)/.exec(flooder.stdout) ?? [0, 0, 0, 1];
  if (args !== undefined && Number(sent) === 0) throw new Error(`no flood: ${flooder.stderr.trim()}`);
  return { ...sample, sent: Number(sent) / Number(took) };
}

async function connects(lab, seconds) {
  const argv = [peer("latency_probe"), "connect", lab.address, CONNECT_PORT, seconds, 200].map(String);
  const { stdout } = await lab.client.run([...SERVER_CORE, ...argv], { check: true, timeout: (seconds + 30) * 1000 });
  const [answers, lost, p50, p99, longest] = stdout.match(/=[\d.]+/g).map((text) => Number(text.slice(1)));
  return { value: answers === 0 ? Infinity : p99 / 1000, median: p50 / 1000, longest: longest / 1000, answers, lost };
}

async function bulk(lab, seconds) {
  const argv = ["iperf3", "--client", lab.address, "--port", BULK_PORT, "--time", seconds, "--json"].map(String);
  const { stdout } = await lab.client.run([...SERVER_CORE, ...argv], { check: true, timeout: (seconds + 30) * 1000 });
  return { value: JSON.parse(stdout).end.sum_received.bits_per_second / 1e9 };
}
