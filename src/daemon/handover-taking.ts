/**
 * The new process's side of a restart without a hole (handover-giving.ts). It
 * has loaded and compiled everything before it asks for the queues. Until it
 * says `done` the old process is ready to go on, which it does as soon as the
 * connection to it ends: by `abandon`, or because this process died.
 */
import { closeSync, rmSync } from "node:fs";
import { controlRequest, controlStream, type ControlStreamHandle } from "../control/client.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { NativeBinding } from "../native/binding.ts";
import { readConnections } from "./connection-file.ts";

/** What the old process has begun before must end first: a change of the policy, a repair of the hooks. */
const STANDSTILL_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 10_000;

interface Inheritance {
  readonly sockets: ReadonlyMap<number, number>;
  /** Without offload (flow/connection-records.ts). */
  readonly connections: ReadonlyMap<number, Uint32Array>;
}

export class HandoverTaking {
  readonly #native: NativeBinding;
  readonly #control: string;
  readonly #stream: ControlStreamHandle;
  /** Rejects when the old process is gone, or has refused. */
  readonly #ended: Promise<unknown>;

  private constructor(native: NativeBinding, control: string, stream: ControlStreamHandle) {
    this.#native = native;
    this.#control = control;
    this.#stream = stream;
    this.#ended = stream.done;
  }

  /**
   * Resolves when the daemon on the control socket stands still; to undefined when there is none.
   * @throws RampartError when it refuses
   */
  static async begin(native: NativeBinding, control: string): Promise<HandoverTaking | undefined> {
    let ready = (): void => {};
    const still = new Promise<void>((resolve) => (ready = resolve));
    const stream = controlStream(control, "handover", { pid: process.pid }, () => ready());
    const taking = new HandoverTaking(native, control, stream);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      stream.close();
    }, STANDSTILL_TIMEOUT_MS);
    try {
      await Promise.race([still, stream.done]);
      if (late) throw new RampartError("RAMPART_E_HANDOVER", "the running daemon did not come to a standstill");
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return taking;
  }

  /**
   * The sockets of the old process's queues and the connections it knew (`established` as in the settings), by queue
   * number; none when it has died meanwhile.
   */
  async queues(established: string): Promise<Inheritance> {
    const socket = `${this.#control}.fds`;
    const connections = `${this.#control}.connections`;
    rmSync(socket, { force: true });
    const receiver = this.#native.bindDatagram(socket);
    try {
      const answer = await controlRequest(this.#control, "handover.queues", { socket, connections }, REQUEST_TIMEOUT_MS);
      const { queues } = answer as { readonly queues: readonly number[] };
      const { descriptors } = this.#native.receiveDatagram(receiver);
      if (descriptors.length !== queues.length) {
        throw new RampartError("RAMPART_E_HANDOVER", `${queues.length} queues were promised, ${descriptors.length} came`);
      }
      const sockets = new Map(queues.map((queue, i) => [queue, descriptors[i] as number]));
      return { sockets, connections: readConnections(connections, established) };
    } catch (error) {
      if (isGone(error)) return { sockets: new Map(), connections: new Map() };
      throw error;
    } finally {
      closeSync(receiver);
      rmSync(socket, { force: true });
    }
  }

  /** Resolves when the old process has let go of everything. */
  async done(): Promise<void> {
    try {
      await controlRequest(this.#control, "handover.done", {}, REQUEST_TIMEOUT_MS);
      await this.#ended;
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  /** The old process goes on; this one reads nothing any more. */
  async abandon(): Promise<void> {
    this.#stream.close();
    await this.#ended.catch(() => undefined);
  }
}

function isGone(error: unknown): boolean {
  return (
    error instanceof RampartError && ["RAMPART_E_DAEMON_ABSENT", "RAMPART_E_CONTROL_LOST"].includes(error.code)
  );
}
