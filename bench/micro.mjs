/** Nanoseconds of single steps of the packet path, each file of bench/micro in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { onCleanUp } from "./cleanup.mjs";

const FOLDER = fileURLToPath(new URL("micro/", import.meta.url));

/** Prints what they print and resolves to it as [{ file, name, nanoseconds }]; they have their own baselines. */
export async function micro() {
  const measured = [];
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".bench.mjs"))) {
    console.log(`micro, ${file}`);
    const child = spawn(process.execPath, [file], { cwd: FOLDER, stdio: ["ignore", "pipe", "inherit"] });
    onCleanUp(() => child.kill());
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
    const [code, signal] = await once(child, "close");
    if (code !== 0) throw new Error(`${file} ended with ${code ?? signal}`);
    for (const [, name, nanoseconds] of output.matchAll(/^(.*\S) +([\d.]+) ns\/op$/gm)) {
      measured.push({ file, name, nanoseconds: Number(nanoseconds) });
    }
  }
  return measured;
}
