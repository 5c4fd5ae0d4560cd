/**
 * The guided run: a real daemon protects a host in a sandbox of network
 * namespaces, real traffic is sent at it, every outcome is compared with what
 * the policies say. Exits with 0 only if every expectation held. The machine's
 * own network and firewall are never touched.
 */
import { readdirSync, readFileSync } from "node:fs";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import { startRampart } from "../sandbox/daemon.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { buildLab } from "./lab.ts";
import { Report } from "./report.ts";
import { killed, liveChange, mistake, policiesAtWork } from "./scenario.ts";

const POLICY_DIRECTORY = new URL("../../config/quickstart/", import.meta.url);

const report = new Report(process.stdout);
let interrupted = false;
try {
  const started = performance.now();
  await run();
  report.summary((performance.now() - started) / 1000);
  process.exitCode = report.allHeld ? 0 : 1;
} catch (error) {
  const text = error instanceof RampartError ? formatError(error) : String((error as Error).stack);
  process.stderr.write(interrupted ? "\ninterrupted\n" : `\n${text}\n`);
  process.exitCode = interrupted ? 130 : 1;
}

async function run(): Promise<void> {
  report.chapter("Rampart quickstart", "A protected host, a friendly office, a visitor, an attacker, in a sandbox.");
  const sandbox = await Sandbox.create();
  // Whatever is being tried fails when its hosts are gone, and the way out cleans up.
  const interrupt = () => {
    interrupted = true;
    void sandbox.destroy();
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const lab = await buildLab(sandbox);
    const rampart = await startRampart(lab.node.host, {
      policies: readPolicies(),
      settings: { log: { level: "debug", deniedPerSecond: 1000 } },
    });
    try {
      const { IPv4, IPv6 } = lab.node.address;
      report.note(`node1 is ${IPv4} and ${IPv6}; the daemon enforces generation ${await rampart.generation()}`);
      const stage = { lab, rampart, report };
      await policiesAtWork(stage);
      await liveChange(stage);
      await mistake(stage);
      await killed(stage);
    } finally {
      await rampart.stop();
    }
  } finally {
    await sandbox.destroy();
  }
}

function readPolicies(): Record<string, string> {
  const names = readdirSync(POLICY_DIRECTORY).filter((name) => name.endsWith(".yaml"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, POLICY_DIRECTORY), "utf8")]));
}
