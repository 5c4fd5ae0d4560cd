/**
 * The npm package `nfqueue` (GPL-2, over libnetfilter_queue): an optional
 * dependency, loaded only when `queue.backend` asks for it. It is not
 * context-aware, so only the main thread can load it.
 */
import { createRequire } from "node:module";
import { RampartError } from "../errors/rampart-error.ts";
import { failureText } from "../native/system-error.ts";

/** What the package tells of a packet, as far as we use it: no hook, no EtherType, no original length, no user. */
export interface NfqueuePacket {
  readonly info: { readonly id: number; readonly nfmark: number; readonly indev: number; readonly outdev: number };
  /** Packet bytes from the IP header on, a copy. */
  readonly payload: Uint8Array;
}

/** A queue of the package; it has no way to close it. An exception out of `run`'s callback ends the process. */
export interface NfqueueHandle {
  /** Binds queue `number`; the receive buffer in bytes. */
  open(number: number, receiveBuffer: number): void;
  run(onPacket: (packet: NfqueuePacket) => void): void;
  /** The package's own setVerdict leaves out a mark of 0, so we call what it calls. */
  readonly bindings: NfqueueBindings;
}

interface NfqueueBindings {
  setVerdict(id: number, verdict: number, payload: null): void;
  setVerdict(id: number, verdict: number, mark: number, payload: null): void;
}

interface NfqueuePackage {
  readonly NFQueue: new () => NfqueueHandle;
}

const require = createRequire(import.meta.url);

/** RAMPART_E_NFQUEUE_MISSING when the package is not installed, was not compiled or does not load. */
export function loadNfqueue(): NfqueuePackage {
  try {
    return require("nfqueue") as NfqueuePackage;
  } catch (error) {
    const message = `queue.backend is nfqueue, and the npm package nfqueue does not load: ${failureText(error)}`;
    throw new RampartError("RAMPART_E_NFQUEUE_MISSING", message, {
      hint:
        "install libnetfilter_queue's headers (Debian, Ubuntu: libnetfilter-queue-dev) and a C++ compiler, then run " +
        "`npm install nfqueue` (after a change of Node `npm rebuild nfqueue`); or use queue.backend: native",
      cause: error,
    });
  }
}
