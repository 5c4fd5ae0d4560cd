/** The machine a result belongs to. A number without it means nothing. */
import { spawnSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

/** Above this many waiting processes a minute before the run, the results say more about them than about us. */
const QUIET_LOAD = 0.5;

export function describeMachine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    iptables: firstLine("iptables", ["--version"]),
    iperf3: firstLine("iperf3", ["--version"]),
    revision: firstLine("git", ["describe", "--always", "--dirty"]),
    /** Mean of running and waiting processes over the last minute. */
    loadBefore: loadavg()[0],
    started: new Date().toISOString(),
  };
}

export function printMachine(machine) {
  const { cpu, cores, memoryGiB, kernel, node, iptables, iperf3, revision, loadBefore, started } = machine;
  console.log(`machine   ${cpu}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}`);
  console.log(`software  node ${node}, ${iptables}, ${iperf3}, rampart ${revision}`);
  console.log(`before    ${started}, load ${loadBefore.toFixed(2)}`);
  if (loadBefore > QUIET_LOAD) {
    console.log(`WARNING   the load was above ${QUIET_LOAD}: the machine was busy, trust the ratios little and the rest less`);
  }
}

function firstLine(command, args) {
  const path = `${process.env.PATH}:/usr/sbin:/sbin`;
  const { stdout } = spawnSync(command, args, { encoding: "utf8", env: { ...process.env, PATH: path } });
  return stdout?.split("\n")[0].trim() || `no ${command}`;
}
