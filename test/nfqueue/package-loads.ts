/** Is the optional package there, and compiled for this Node? */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

// In a process of its own: the package can be loaded once, and is not for a test runner.
export const packageLoads = spawnSync(process.execPath, ["-e", 'require("nfqueue")'], { cwd: REPOSITORY }).status === 0;
