/**
 * The queue sockets in systemd's descriptor store (sd_notify(3), FDSTORE=1):
 * while they are there the queues stay bound although no process reads them,
 * and packets wait in the kernel for the next start, which gets the sockets
 * back (sd_listen_fds(3)). `systemctl stop` empties the store.
 *
 * With fail-open, a daemon that dies must let packets pass at once, not make
 * them wait: then the sockets are in the store only from a stop to the start
 * behind it.
 */
import { closeSync } from "node:fs";
import type { NativeBinding } from "../native/binding.ts";
import { notifyService } from "./service-notify.ts";

/** The first descriptor systemd passes. */
const FIRST = 3;
const NAME = /^rampart-queue-(\d{1,5})$/;

export class DescriptorStore {
  readonly #native: NativeBinding;
  readonly #keepAlways: boolean;
  /** Queue numbers whose sockets are in the store, as far as we know. */
  readonly #kept = new Set<number>();

  /** `failOpen` as in the settings. */
  constructor(native: NativeBinding, failOpen: boolean) {
    this.#native = native;
    this.#keepAlways = !failOpen;
  }

  /** Sockets that an earlier start left here, by queue number; once, because what children inherit is not ours. */
  take(): ReadonlyMap<number, number> {
    const { LISTEN_PID: pid, LISTEN_FDS: count = "0", LISTEN_FDNAMES: names = "" } = process.env;
    for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete process.env[name];
    const sockets = new Map<number, number>();
    if (pid !== String(process.pid)) return sockets;
    const queues = names.split(":").map((name) => NAME.exec(name)?.[1]);
    for (let i = 0; i < Number(count); i++) {
      const queue = Number(queues[i] ?? Number.NaN);
      if (Number.isNaN(queue) || sockets.has(queue)) closeSync(FIRST + i);
      else sockets.set(queue, FIRST + i);
    }
    for (const queue of sockets.keys()) this.#kept.add(queue);
    if (!this.#keepAlways) this.#remove(new Set());
    return sockets;
  }

  /** The process before us may have put these queues' sockets here. */
  inherit(queues: Iterable<number>): void {
    for (const queue of queues) this.#kept.add(queue);
  }

  /** The queues are ours: keeps their sockets, and no others, unless fail-open forbids it. */
  keep(sockets: ReadonlyMap<number, number>): void {
    this.#remove(new Set(sockets.keys()));
    if (this.#keepAlways) this.#add(sockets);
  }

  /** Before a stop, which may be half of a restart. */
  keepForRestart(sockets: ReadonlyMap<number, number>): void {
    if (!this.#keepAlways) this.#add(sockets);
  }

  #add(sockets: ReadonlyMap<number, number>): void {
    for (const [queue, descriptor] of sockets) {
      // Without FDPOLL=0 systemd closes a socket that has an error to report, such as an overflow.
      notifyService(this.#native, `FDSTORE=1\nFDNAME=rampart-queue-${queue}\nFDPOLL=0`, [descriptor]);
      this.#kept.add(queue);
    }
  }

  #remove(but: ReadonlySet<number>): void {
    for (const queue of this.#kept) {
      if (but.has(queue)) continue;
      notifyService(this.#native, `FDSTOREREMOVE=1\nFDNAME=rampart-queue-${queue}`);
      this.#kept.delete(queue);
    }
  }
}
