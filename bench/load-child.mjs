/**
 * node load-child.mjs STEP FOLDER: does one step of a start, as cold as a start
 * is, and prints { value, cpu }: milliseconds by the clock and of processor time.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { localEndpoints } from "../dist/daemon/enforcer.js";
import { loadOptions } from "../dist/daemon/load-options.js";
import { ResourceLoader } from "../dist/resources/load.js";
import { compileTables } from "../dist/tables/compile.js";
import { NODE, POD_FILE } from "./load-files.mjs";

const [step, folder] = process.argv.slice(2);
const loader = new ResourceLoader(loadOptions(true));

function load() {
  const result = loader.load([folder]);
  if (result.errors.length > 0) throw result.errors[0];
  return result.resources;
}

function changeLabel() {
  const file = join(folder, POD_FILE);
  const text = readFileSync(file, "utf8");
  const [from, to] = text.includes("app: app-1\n") ? ["app-1", "app-2"] : ["app-2", "app-1"];
  writeFileSync(file, text.replace(`app: ${from}\n`, `app: ${to}\n`));
}

/** Each makes ready, and returns what is measured. */
const STEPS = {
  package() {
    const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
    const documents = texts.flatMap((text) => text.split("\n---\n"));
    return () => documents.forEach((text) => parseDocument(text));
  },
  load: () => load,
  again() {
    load();
    changeLabel();
    return load;
  },
  compile() {
    const resources = load();
    return () => compileTables(resources, localEndpoints(resources, NODE), NODE, 1);
  },
};

const run = STEPS[step]();
const usage = process.cpuUsage();
const began = performance.now();
run();
const value = performance.now() - began;
const { user, system } = process.cpuUsage(usage);
console.log(JSON.stringify({ value, cpu: (user + system) / 1000 }));
