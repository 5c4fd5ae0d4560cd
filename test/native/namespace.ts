/**
 * Runs a scenario of `fixtures/` in its own user, network, mount and process
 * namespaces, where it is root and the machine's firewall is out of reach.
 * A scenario prints its result as one JSON line; everything it started dies
 * with it.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));

function run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 30_000,
      killSignal: "SIGKILL",
    });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${args.join(" ")} ended with ${code ?? signal}\n${output}${errors}`));
    });
  });
}

/** Runs the function `name` of a fixture file and returns what it returned. */
export async function scenario<T>(file: string, name: string, environment: NodeJS.ProcessEnv = {}): Promise<T> {
  const node = [process.execPath, join(fixtures, "run.mjs"), file, name];
  const output = await run("unshare", ["-Urnmpf", "--kill-child", "--mount-proc", ...node], environment);
  return JSON.parse(output.trimEnd().split("\n").at(-1) ?? "") as T;
}

/** `src/native` as JavaScript that a scenario can import; the environment tells it where. */
export class CompiledSources {
  readonly #folder = mkdtempSync(join(tmpdir(), "rampart-native-"));
  readonly environment = { RAMPART_NATIVE_SOURCES: pathToFileURL(join(this.#folder, "out/native/")).href };

  /** Without `addon` they find none, as on a machine where the build failed. */
  async build(addon = true): Promise<void> {
    writeFileSync(join(this.#folder, "package.json"), '{ "type": "module" }\n');
    // The compiled modules look for the addon at the same distance as the sources do.
    if (addon) symlinkSync(join(root, "native"), join(this.#folder, "native"));
    const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
    const options = ["--ignoreConfig", "--target", "es2023", "--module", "nodenext", "--types", "node"];
    options.push("--rewriteRelativeImportExtensions", "--skipLibCheck");
    options.push("--rootDir", join(root, "src"), "--outDir", join(this.#folder, "out"));
    await run(process.execPath, [compiler, ...options, join(root, "src/native/open-queue.ts")]);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
