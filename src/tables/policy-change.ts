/** What a change of the policies that count means for the endpoints that were there before. */
import { governs } from "../policy/order.ts";
import type { Endpoint, Policy } from "../resources/types.ts";
import type { Change } from "./resource-changes.ts";

export const NO_CHANGE: Change<Policy> = { removed: [], added: [] };

/** What becomes of the enforced policies, when all change so. */
export function ofEnforced({ removed, added }: Change<Policy>): Change<Policy> {
  const enforced = (policies: readonly Policy[]): Policy[] => policies.filter((policy) => !policy.staged);
  const change = { removed: enforced(removed), added: enforced(added) };
  return change.removed.length === 0 && change.added.length === 0 ? NO_CHANGE : change;
}

/** NO_CHANGE when both lists have the same policies. */
export function difference(before: readonly Policy[], after: readonly Policy[]): Change<Policy> {
  if (before.length === after.length && before.every((policy, i) => policy === after[i])) return NO_CHANGE;
  const known = new Set(before);
  const added = after.filter((policy) => !known.delete(policy));
  return known.size === 0 && added.length === 0 ? NO_CHANGE : { removed: [...known], added };
}

/** What applies to an endpoint after the change, in any order; undefined if that is the same as before. */
export function follower(change: Change<Policy>): (endpoint: Endpoint, known: readonly Policy[]) => Policy[] | undefined {
  const removed = new Set(change.removed);
  return (endpoint, known) => {
    const gained = change.added.filter((policy) => governs(policy, endpoint));
    if (gained.length === 0 && (removed.size === 0 || !known.some((policy) => removed.has(policy)))) return undefined;
    return [...known.filter((policy) => !removed.has(policy)), ...gained];
  };
}
