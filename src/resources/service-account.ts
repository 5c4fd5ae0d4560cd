/** ServiceAccount (SEMANTICS 1.12): its labels, which the pods that run under it inherit (1.8). */
import type { ServiceAccount } from "./inventory.ts";
import { IMPLIED_LOCATION } from "./inventory.ts";
import { defineNamespacedInventoryKind } from "./inventory-kind.ts";
import type { ResourceContext } from "./resource-context.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";
import type { ValuePath } from "./yaml-document.ts";

/** What a pod runs under that names none; every namespace has it. */
export const DEFAULT_SERVICE_ACCOUNT = "default";

export const serviceAccount = defineNamespacedInventoryKind({
  kind: "ServiceAccount",
  nameRule: SUBDOMAIN_NAME,
  body: {},
  convert({ name, namespace, labels, location }): ServiceAccount {
    return { kind: "ServiceAccount", name, namespace, labels, location };
  },
});

/** The name of a service account in a field; undefined if there is none, RAMPART_E_NAME if it cannot be one. */
export function readServiceAccountName(
  name: string | null | undefined,
  path: ValuePath,
  context: ResourceContext,
): string | undefined {
  if (name === undefined || name === null || name === "") return undefined;
  if (SUBDOMAIN_NAME.pattern.test(name)) return name;
  const message = `${describe(name)} is not the name of a service account`;
  context.error("RAMPART_E_NAME", path, message, `expected ${SUBDOMAIN_NAME.expected}`);
  return undefined;
}

/** The service account of a pod that names one for which there is no document. */
export function impliedServiceAccount(namespace: string, name: string): ServiceAccount {
  return { kind: "ServiceAccount", name, namespace, labels: {}, location: IMPLIED_LOCATION };
}
