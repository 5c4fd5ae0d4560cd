/**
 * A daemon for a long time: mixed traffic, a reload every second, restarts of
 * every kind in the first part, and from then on one process, whose memory and
 * descriptors are watched.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type LogLine, type RampartProcess, startRampart } from "../../../src/sandbox/daemon.ts";
import { allowPorts } from "./documents.ts";
import type { Lab } from "./lab.ts";
import { MIXED_POLICY, MixedTraffic } from "./mixed-traffic.ts";
import { reload } from "./reload.ts";

/** A machine that is busy with other things may start slowly: that is no failure. */
const START_TIMEOUT_MS = 60_000;

/** A way in which a daemon is replaced. */
interface Restart {
  /** For a while nobody judges what is new. */
  readonly gap: boolean;
  /** Resolves when the new one enforces. */
  readonly run: (rampart: RampartProcess) => Promise<unknown>;
}

const RESTARTS: Readonly<Record<string, Restart>> = {
  "SIGTERM and start": {
    gap: true,
    async run(rampart) {
      await rampart.signal("SIGTERM");
      await rampart.exited();
      await rampart.start(START_TIMEOUT_MS);
    },
  },
  "rampart restart": { gap: false, run: (rampart) => rampart.restart() },
  "SIGKILL and start": {
    gap: true,
    async run(rampart) {
      await rampart.kill();
      await rampart.start(START_TIMEOUT_MS);
    },
  },
};

interface SoakShape {
  readonly seconds: number;
  /** How long, and how often, it is restarted before the last process runs to the end. */
  readonly restartSeconds: number;
  readonly restartEverySeconds: number;
  /** Of the last process: reloads it has to live through, however long they take. */
  readonly leastSamples: number;
}

interface SoakResult {
  readonly traffic: MixedTraffic;
  readonly reloads: number;
  readonly restarts: Readonly<Record<string, number>>;
  /** Of the last process, with every reload. */
  readonly samples: readonly { readonly residentMiB: number; readonly descriptors: number }[];
  /** Log lines of level error or fatal, of every process. */
  readonly errorLines: readonly LogLine[];
  /** Children of the last process that nobody waited for. */
  readonly zombies: string;
}

export async function soak(lab: Lab, shape: SoakShape): Promise<SoakResult> {
  const { seconds, restartSeconds, restartEverySeconds, leastSamples } = shape;
  const rampart = await startRampart(lab.shield, {
    policies: { "policy.yaml": MIXED_POLICY },
    settings: { policy: { watch: false } },
  });
  const traffic = new MixedTraffic(lab);
  try {
    traffic.start();
    const kinds = Object.keys(RESTARTS);
    const restarts = Object.fromEntries(kinds.map((kind) => [kind, 0]));
    const errorLines: LogLine[] = [];
    let samples: { residentMiB: number; descriptors: number }[] = [];
    let [reloads, restarted, restartAt] = [0, 0, restartEverySeconds];
    const began = performance.now();
    for (;;) {
      const second = (performance.now() - began) / 1000;
      // On a machine that is too busy for it in time, everything comes nevertheless.
      if (second >= seconds && restarted >= kinds.length && samples.length >= leastSamples) break;
      rampart.writePolicy("other.yaml", allowPorts("other", "ingress", 10_000 + reloads));
      await reload(rampart);
      reloads++;
      samples.push({
        residentMiB: (await rampart.metric("process_resident_memory_bytes")) / 2 ** 20,
        descriptors: await rampart.metric("process_open_fds"),
      });
      if (second >= restartAt && (second < restartSeconds || restarted < kinds.length)) {
        const name = kinds[restarted++ % kinds.length]!;
        errorLines.push(...errorsOf(rampart));
        const { gap, run } = RESTARTS[name]!;
        await (gap ? traffic.inGap(() => run(rampart)) : run(rampart));
        restarts[name]!++;
        samples = [];
        restartAt = (performance.now() - began) / 1000 + restartEverySeconds;
      }
      await pause(Math.max(0, began + (second + 1) * 1000 - performance.now()));
    }
    await traffic.stop();
    errorLines.push(...errorsOf(rampart));
    const zombies = await zombieChildren(rampart);
    return { traffic, reloads, restarts, samples, errorLines, zombies };
  } finally {
    await traffic.stop();
    await rampart.uninstall();
  }
}

/** The median of a series' part, from and to being fractions of its length. */
export function medianOf(series: readonly number[], from: number, to: number): number {
  const part = series.slice(Math.floor(series.length * from), Math.ceil(series.length * to)).toSorted((a, b) => a - b);
  return part[part.length >> 1] ?? Number.NaN;
}

function errorsOf(rampart: RampartProcess): LogLine[] {
  return rampart.logs().filter(({ level }) => level === "error" || level === "fatal");
}

async function zombieChildren(rampart: RampartProcess): Promise<string> {
  const { pid } = (await rampart.status()) as { pid: number };
  const script = 'grep -l "^State:.Z" $(grep -l "^PPid:.$0$" /proc/[0-9]*/status 2>/dev/null) /dev/null 2>/dev/null';
  return (await rampart.host.run(["sh", "-c", script, String(pid)])).stdout.trim();
}
