/**
 * Writes dist/bundle/: what a user starts, the command line and the thread of the queue readers, in few files. Loaded
 * module by module the daemon takes half as long again until it enforces, and that is time in which nobody judges.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";

/** Folders of the packages whose code is in these chunks. */
function packagesIn(chunks) {
  const ids = chunks.flatMap(({ moduleIds = [] }) => moduleIds);
  const folders = ids.map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].toSorted();
}

/** Most licences ask for their text to go where the code goes. */
const licences = {
  name: "licences",
  generateBundle(_options, bundle) {
    const texts = packagesIn(Object.values(bundle)).map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      if (file === undefined) throw new Error(`${name} has no licence file, so its code cannot be in the bundle`);
      return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
    });
    this.emitFile({ type: "asset", fileName: "THIRD-PARTY-LICENCES.txt", source: texts.join(`\n${"-".repeat(72)}\n\n`) });
  },
};

const bundle = await rolldown({
  cwd: import.meta.dirname,
  input: { main: "src/cli/main.ts", worker: "src/datapath/worker.ts" },
  platform: "node",
  // pino starts threads from files of its own.
  external: ["pino"],
  plugins: [licences],
  onLog: (level, log) => {
    throw new Error(`bundle: ${level}: ${log.message}`);
  },
});
await bundle.write({
  dir: "dist/bundle",
  cleanDir: true,
  format: "esm",
  sourcemap: true,
  entryFileNames: "[name].js",
  chunkFileNames: "[name].js",
});
await bundle.close();
