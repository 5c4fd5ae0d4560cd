/** Tells systemd how far we are (sd_notify(3)); does nothing when systemd did not start us. */
import type { NativeBinding } from "../native/binding.ts";

export type ServiceState = "READY=1" | "RELOADING=1" | "STOPPING=1";

export function notifyService(native: NativeBinding, state: ServiceState): void {
  const socket = process.env["NOTIFY_SOCKET"];
  if (socket === undefined || socket === "") return;
  try {
    native.sendDatagram(socket, `${state}\n`);
  } catch {
    // systemd is gone or never listened; the firewall does not depend on it.
  }
}
