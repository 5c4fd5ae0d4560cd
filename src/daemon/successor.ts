/**
 * The process that comes after this one: this program, as its files are now,
 * with the same arguments, on the same terminal or journal. With `takeover` it
 * takes over from this process (handover-taking.ts) while it still runs.
 */
import { type ChildProcess, spawn } from "node:child_process";

/** Of `rampart run`: what makes a process take over. */
export const TAKEOVER_OPTION = "--takeover";
/** A policy that takes longer than this to load and compile is restarted by stopping and starting. */
const TAKEOVER_TIMEOUT_MS = 120_000;

export interface Successor {
  /** Resolves to what went wrong when the process ended; it is ended when it takes too long. */
  readonly failed: Promise<string>;
  /** It has taken over: it is on its own from now on. */
  release(): void;
}

/** What a successor tells the process that started it, should it fail. */
interface LastWords {
  readonly failed: string;
}

export function startSuccessor({ takeover }: { readonly takeover: boolean }): Successor {
  const given = process.argv.slice(1).filter((argument) => argument !== TAKEOVER_OPTION);
  const env = { ...process.env };
  // Names this process as the one to be watched (sd_watchdog_enabled(3)); left out, it is whoever is the main one.
  delete env["WATCHDOG_PID"];
  const child = spawn(process.execPath, [...process.execArgv, ...given, ...(takeover ? [TAKEOVER_OPTION] : [])], {
    detached: true,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env,
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), TAKEOVER_TIMEOUT_MS);
  const release = (): void => {
    clearTimeout(timer);
    if (child.connected) child.disconnect();
    child.unref();
  };
  return { failed: endOf(child).finally(() => clearTimeout(timer)), release };
}

/** In a successor: says why it fails to the process that started it, if that waits for it. */
export function tellPredecessor(failed: string): Promise<void> {
  const words: LastWords = { failed };
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(words, undefined, undefined, () => resolve());
  });
}

function endOf(child: ChildProcess): Promise<string> {
  let words: string | undefined;
  child.on("message", (message) => (words = (message as LastWords).failed));
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(words ?? `it ended with ${code ?? signal}, see its log`));
  });
}
