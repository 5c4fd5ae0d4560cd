/** What a start and a change of policy cost at 10,000 policies, 10,000 pods and 100,000 prefixes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onCleanUp } from "./cleanup.mjs";
import { writeLoadFiles } from "./load-files.mjs";
import { measureInTurn } from "./rounds.mjs";

const CHILD = fileURLToPath(new URL("load-child.mjs", import.meta.url));
const BASELINE = "yaml.parseDocument";

export async function load({ rounds }) {
  const folder = mkdtempSync(join(tmpdir(), "rampart-bench-load-"));
  onCleanUp(() => rmSync(folder, { recursive: true, force: true }));
  writeLoadFiles(folder);
  const contender = (name, step) => ({
    name,
    baseline: BASELINE,
    measure: () => measure(step, folder),
    note: ({ cpu }) => `${Math.round(cpu)} ms of processor time`,
  });
  const contenders = [
    contender(BASELINE, "package"),
    contender("load", "load"),
    contender("load, one label changed", "again"),
    contender("compile for one node", "compile"),
  ];
  return measureInTurn("load", "ms", contenders, rounds, "less");
}

/** Each in a process of its own: a start finds nothing compiled and nothing cached. */
async function measure(step, folder) {
  const child = spawn(process.execPath, [CHILD, step, folder], { stdio: ["ignore", "pipe", "inherit"] });
  onCleanUp(() => child.kill());
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(`load-child.mjs ${step} ended with ${code ?? signal}`);
  return JSON.parse(output);
}
