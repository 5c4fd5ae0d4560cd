/** Tells systemd how far we are (sd_notify(3)); does nothing when systemd did not start us. */
import type { NativeBinding } from "../native/binding.ts";

export type ServiceState =
  | "READY=1"
  | "RELOADING=1"
  | "STOPPING=1"
  | "WATCHDOG=1"
  /** Another process of the service is its main one from now on. */
  | `MAINPID=${number}`
  | `FDSTORE=1\n${string}`
  | `FDSTOREREMOVE=1\n${string}`;

/** Whether a service manager listens. */
export function isService(): boolean {
  return notifySocket() !== undefined;
}

/** `descriptors` go with FDSTORE. */
export function notifyService(native: NativeBinding, state: ServiceState, descriptors: readonly number[] = []): void {
  const socket = notifySocket();
  if (socket === undefined) return;
  try {
    native.sendDatagram(socket, `${state}\n`, descriptors);
  } catch {
    // systemd is gone or never listened; the firewall does not depend on it.
  }
}

function notifySocket(): string | undefined {
  const socket = process.env["NOTIFY_SOCKET"];
  return socket === "" ? undefined : socket;
}

/** Milliseconds in which systemd wants to hear WATCHDOG=1 (sd_watchdog_enabled(3)); undefined: it does not. */
export function watchdogTimeoutMs(): number | undefined {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: pid } = process.env;
  if (!/^[1-9]\d{0,15}$/.test(microseconds) || (pid !== undefined && pid !== String(process.pid))) return undefined;
  return Number(microseconds) / 1000;
}
