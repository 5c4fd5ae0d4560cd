/** Names of network interfaces, and what Calico calls a pod's (SEMANTICS 1.10, 1.11). */
import { createHash } from "node:crypto";
import type { ResourceContext } from "./resource-context.ts";
import { describe } from "./schema-issue.ts";
import type { ValuePath } from "./yaml-document.ts";

/** Linux leaves 15 characters. */
const INTERFACE_NAME = /^[a-zA-Z0-9_.-]{1,15}$/;
const HASH_DIGITS = 11;

/** Reports RAMPART_E_VALUE for what Linux would not take as a name. */
export function checkInterfaceName(name: string, path: ValuePath, context: ResourceContext): void {
  if (INTERFACE_NAME.test(name)) return;
  const hint = "expected at most 15 letters, digits, `_`, `.` or `-`";
  context.error("RAMPART_E_VALUE", path, `${describe(name)} is not an interface name`, hint);
}

/** The host's side of a pod's veth pair, as Calico's network plugin names it. */
export function podInterfaceName(prefix: string, namespace: string, pod: string): string {
  const hash = createHash("sha1").update(`${namespace}.${pod}`).digest("hex");
  return prefix + hash.slice(0, HASH_DIGITS);
}
