/**
 * Seconds from the start of the process until it enforces: reading, checking
 * and compiling the policy, binding the queue, installing the hooks. Each start
 * is of a new process on a host without hooks.
 */
import { hostLab, protect } from "./labs.mjs";
import { allowPolicy, endpoints, largePolicy } from "./policies.mjs";
import { measureInTurn } from "./rounds.mjs";

/** Rows of the table; see docs/benchmarks.md for what each stands for. */
export async function start({ rounds }) {
  const { host } = await hostLab();
  const small = [...endpoints("host", ["eth0"]), allowPolicy("UDP", 7)];
  const contenders = [
    { name: "1 policy", documents: small },
    { name: "10,000 policies, 100,000 CIDRs", documents: [...small, ...largePolicy()] },
  ].map(({ name, documents }) => ({ name, baseline: "1 policy", measure: () => startOnce(host, documents) }));
  return measureInTurn("start", "s to enforcing", contenders, rounds, "less");
}

async function startOnce(host, documents) {
  const began = performance.now();
  const rampart = await protect({ host }, documents);
  const value = (performance.now() - began) / 1000;
  await rampart.uninstall();
  return { value };
}
