/**
 * The old process's side of a restart without a hole: it stands still, stops
 * reading its queues, hands their sockets to the new process and waits for its
 * word. The queues stay bound all the while, so packets wait in the kernel.
 *
 *   begin (a stream)  nothing changes any more; the stream lives as long as the new process wants the queues
 *   queues            every packet read is answered, nothing more is read, the sockets are on their way
 *   done              the new process enforces: this one ends, and touches neither hooks nor queues
 *
 * When the stream ends before `done`, because the new process failed or died,
 * hooks and readers become again what they were.
 */
import type { Logger } from "pino";
import type { ControlStream } from "../control/stream.ts";
import type { WorkerPool } from "../datapath/worker-pool.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { NativeBinding } from "../native/binding.ts";
import { writeConnections } from "./connection-file.ts";
import type { Enforcer } from "./enforcer.ts";
import { isService } from "./service-notify.ts";
import { startSuccessor } from "./successor.ts";

export interface HandoverGivingOptions {
  readonly native: NativeBinding;
  readonly log: Logger;
  readonly pool: WorkerPool;
  readonly enforcer: () => Enforcer;
  readonly backend: "native" | "nfqueue";
  /** A policy set waits for its confirmation. */
  readonly applying: () => boolean;
  /** As in the settings. */
  readonly established: string;
  /** Whether a policy is in force. */
  readonly enforcing: () => boolean;
  /** The new process enforces. */
  readonly onTaken: (pid: number) => void;
  /** This process shall stop, and then start its successor. */
  readonly onStartAgain: () => void;
}

interface Handover {
  readonly pid: number;
  paused: boolean;
  taken: boolean;
  /** Ends the wait for the new process. */
  readonly finish: () => void;
}

export class HandoverGiving {
  readonly #options: HandoverGivingOptions;
  #current: Handover | undefined;
  /** Tells `restart` of the process that has taken over. */
  #onTaken = (): void => {};

  constructor(options: HandoverGivingOptions) {
    this.#options = options;
  }

  /** Nobody reads the queues, or another process does. */
  get standingStill(): boolean {
    return this.#current?.paused === true;
  }

  /**
   * The control method "restart": resolves when the new process enforces.
   * @throws RAMPART_E_RESTART, and this process goes on
   */
  async restart(): Promise<{ readonly queues: number }> {
    const { backend, pool, applying, onStartAgain } = this.#options;
    if (process.pid === 1) {
      throw notRestarted("this is process 1 of its container: when it ends, so does every other", "restart the container");
    }
    if (applying()) throw notRestarted(APPLYING, CONFIRM_FIRST);
    if (backend === "nfqueue") {
      if (isService()) throw notRestarted("queue.backend is nfqueue, whose queues cannot be handed over", SYSTEMCTL);
      setImmediate(onStartAgain);
      return { queues: 0 };
    }
    if (this.#current !== undefined) throw notRestarted("another process is taking over already", "wait until it has");
    const taken = new Promise<true>((resolve) => {
      this.#onTaken = () => resolve(true);
    });
    const successor = startSuccessor({ takeover: true });
    const outcome = await Promise.race([taken, successor.failed]);
    if (outcome !== true) throw notRestarted(`the new process did not take over: ${outcome}`, "this one goes on as before");
    successor.release();
    return { queues: pool.descriptors.size };
  }

  /** The control method "handover": an event when everything stands still. @throws RAMPART_E_HANDOVER */
  async begin(params: unknown, stream: ControlStream): Promise<void> {
    const { backend, enforcer, pool, log } = this.#options;
    const pid = numberIn(params, "pid");
    if (!this.#options.enforcing()) throw refused("the running daemon is starting or stopping", "try again");
    if (this.#current !== undefined) throw refused("another process is taking over already", "wait until it has");
    if (this.#options.applying()) throw refused(APPLYING, CONFIRM_FIRST);
    if (backend !== "native") {
      throw refused("queue.backend is nfqueue, whose queues cannot be handed over", "stop this daemon first");
    }
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const handover: Handover = { pid, paused: false, taken: false, finish };
    this.#current = handover;
    try {
      await enforcer().handOver(async () => {
        log.info({ pid }, "another process is taking over");
        stream.push({ ready: true });
        await Promise.race([stream.closed, finished]);
        return handover.taken;
      });
    } finally {
      this.#current = undefined;
      if (handover.paused && !handover.taken) pool.resume();
    }
    if (handover.taken) {
      this.#onTaken();
      this.#options.onTaken(pid);
      // The new process waits for the end of the stream: then everything it needs is free.
      await stream.closed;
    } else {
      log.error({ pid }, "the other process did not take over; this one goes on");
    }
  }

  /**
   * The control method "handover.queues": their sockets go to the datagram socket `socket`, and without offload the
   * connections to the file `connections`. Returns the queues' numbers.
   */
  async queues(params: unknown): Promise<{ readonly queues: readonly number[] }> {
    const { pool, native, established } = this.#options;
    const handover = this.#underWay();
    handover.paused = true;
    await pool.pause();
    const { descriptors: sockets, connections } = pool;
    if (connections.size > 0) writeConnections(textIn(params, "connections"), connections, established);
    native.sendDatagram(textIn(params, "socket"), "", [...sockets.values()]);
    return { queues: [...sockets.keys()] };
  }

  /** The control method "handover.done". */
  done(): { readonly pid: number } {
    const handover = this.#underWay();
    handover.taken = true;
    handover.finish();
    return { pid: process.pid };
  }

  #underWay(): Handover {
    if (this.#current === undefined) throw refused("no process is taking over", "`rampart restart` begins with it");
    return this.#current;
  }
}

const APPLYING = "an apply is under way, or waits for its confirmation";
const CONFIRM_FIRST = "first `rampart confirm` or `rampart rollback`";
const SYSTEMCTL = "use `systemctl restart rampart`; new connections are dropped until it is back";

function notRestarted(message: string, hint: string): RampartError {
  return new RampartError("RAMPART_E_RESTART", message, { hint });
}

function refused(message: string, hint: string): RampartError {
  return new RampartError("RAMPART_E_HANDOVER", message, { hint });
}

function field(params: unknown, name: string): unknown {
  return typeof params === "object" && params !== null ? (params as Record<string, unknown>)[name] : undefined;
}

function numberIn(params: unknown, name: string): number {
  const value = field(params, name);
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
  throw new RampartError("RAMPART_E_CONTROL_PROTOCOL", `the parameter "${name}" is no number above 0`);
}

function textIn(params: unknown, name: string): string {
  const value = field(params, name);
  if (typeof value === "string") return value;
  throw new RampartError("RAMPART_E_CONTROL_PROTOCOL", `the parameter "${name}" is no text`);
}
