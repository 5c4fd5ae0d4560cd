/**
 * The same policy written by hand for the kernel: what a connection to the
 * protected host meets in INPUT. Connections that are there come first, as
 * anybody would write it; then the fillers, one rule each or all in two sets;
 * then the rule that allows, and a drop.
 */
import { spawnSync } from "node:child_process";
import { fillerRules } from "./policies.mjs";

const TARGETS = { Allow: "ACCEPT", Deny: "DROP" };
const SETS = { Allow: "bench-allow", Deny: "bench-deny" };
/** iptables-restore and ipset take their time with 10,000 of anything on a busy machine. */
const LOAD_TIMEOUT_MS = 120_000;
/** Without the machine's root iptables-nft may not make its socket's buffer larger than one such transaction needs. */
const RULES_AT_ONCE = 250;

/** A rule for each filler, one after another. */
export async function installLinear(host, count, protocol, port) {
  const rules = fillerRules(count).map(({ net, ports, action, protocol: own }) => {
    return `-A INPUT -s ${net} -p ${own.toLowerCase()} -m multiport --dports ${ports.join(",")} -j ${TARGETS[action]}`;
  });
  await restore(host, rules, protocol, port);
}

/** Two sets with the fillers' networks and ports, a rule for each. No packet is in both, so order is nothing. */
export async function installSets(host, count, protocol, port) {
  const lines = Object.values(SETS).map((name) => `create ${name} hash:net,port maxelem 1048576`);
  for (const { net, ports, action, protocol: own } of fillerRules(count)) {
    const ranges = ports.map((range) => String(range).replace(":", "-"));
    for (const range of ranges) lines.push(`add ${SETS[action]} ${net},${own.toLowerCase()}:${range}`);
  }
  await host.run(["ipset", "restore"], { input: `${lines.join("\n")}\n`, check: true, timeout: LOAD_TIMEOUT_MS });
  const rules = Object.entries(SETS).map(([action, name]) => {
    return `-A INPUT -m set --match-set ${name} src,dst -j ${TARGETS[action]}`;
  });
  await restore(host, rules, protocol, port);
}

/** Packets that the rule which allows the port has let in. */
export async function allowedPackets(host, port) {
  const { stdout } = await host.run(["iptables-save", "-c", "-t", "filter"], { check: true, timeout: LOAD_TIMEOUT_MS });
  const rule = stdout.split("\n").find((line) => line.endsWith(`--dport ${port} -j ACCEPT`));
  return Number(/^\[(\d+):/.exec(rule)[1]);
}

export function hasIpset() {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const found = spawnSync("ipset", ["--version"], { env });
  if (found.status !== 0) console.error("bench: without ipset: install the package ipset");
  return found.status === 0;
}

async function restore(host, fillers, protocol, port) {
  const rules = [
    "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    ...fillers,
    `-A INPUT -p ${protocol} -m ${protocol} --dport ${port} -j ACCEPT`,
    "-A INPUT -j DROP",
  ];
  for (let at = 0; at < rules.length; at += RULES_AT_ONCE) {
    const input = ["*filter", ...rules.slice(at, at + RULES_AT_ONCE), "COMMIT", ""].join("\n");
    await host.run(["iptables-restore", "--noflush"], { input, check: true, timeout: LOAD_TIMEOUT_MS });
  }
}
