/** Tells systemd how far we are (sd_notify(3)); does nothing when systemd did not start us. */
import type { NativeBinding } from "../native/binding.ts";

export type ServiceState = "READY=1" | "RELOADING=1" | "STOPPING=1" | "WATCHDOG=1";

export function notifyService(native: NativeBinding, state: ServiceState): void {
  const socket = process.env["NOTIFY_SOCKET"];
  if (socket === undefined || socket === "") return;
  try {
    native.sendDatagram(socket, `${state}\n`);
  } catch {
    // systemd is gone or never listened; the firewall does not depend on it.
  }
}

/** Milliseconds in which systemd wants to hear WATCHDOG=1 (sd_watchdog_enabled(3)); undefined: it does not. */
export function watchdogTimeoutMs(): number | undefined {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: pid } = process.env;
  if (!/^[1-9]\d{0,15}$/.test(microseconds) || (pid !== undefined && pid !== String(process.pid))) return undefined;
  return Number(microseconds) / 1000;
}
