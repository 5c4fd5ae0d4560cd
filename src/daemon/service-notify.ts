/** Tells systemd how far we are (sd_notify(3)); does nothing when systemd did not start us. */
import type { NativeBinding } from "../native/binding.ts";

export type ServiceState =
  | "READY=1"
  | "RELOADING=1"
  | "STOPPING=1"
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
