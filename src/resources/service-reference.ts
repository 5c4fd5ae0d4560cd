/**
 * `services` of a rule (SEMANTICS 1.4) from reading to linking. A rule is read
 * before the Services of other files are known: it then has `service: []`, and
 * this table says which Service is meant. Linking replaces each such entity by
 * one with the backends; nothing that was read is changed in place.
 */
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { EntityRule, Policy, Rule, ServiceBackend } from "./types.ts";

export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  /** The `services` field that names it. */
  readonly location: SourceLocation;
}

const references = new WeakMap<EntityRule, ServiceReference>();

/** The entity again, known to mean the backends of `reference`. */
export function withServiceReference(entity: EntityRule, reference: ServiceReference): EntityRule {
  const unlinked = { ...entity, service: [] };
  references.set(unlinked, reference);
  return unlinked;
}

/** `side` is where the rule names the service: as a source its ports do not matter. */
export type BackendLookup = (
  reference: ServiceReference,
  side: "source" | "destination",
) => readonly ServiceBackend[];

/** The policy with every `services` resolved; the same object if it has none. A linked policy can be linked again. */
export function linkServices(policy: Policy, backends: BackendLookup): Policy {
  const ingress = linkRules(policy.ingress, backends);
  const egress = linkRules(policy.egress, backends);
  return ingress === policy.ingress && egress === policy.egress ? policy : { ...policy, ingress, egress };
}

/** Rules of a policy or a profile; the same list if none has `services`. */
export function linkRules(rules: readonly Rule[], backends: BackendLookup): readonly Rule[] {
  let changed = false;
  const linked = rules.map((rule) => {
    const source = linkEntity(rule.source, "source", backends);
    const destination = linkEntity(rule.destination, "destination", backends);
    if (source === rule.source && destination === rule.destination) return rule;
    changed = true;
    return { ...rule, source, destination };
  });
  return changed ? linked : rules;
}

function linkEntity(entity: EntityRule, side: "source" | "destination", backends: BackendLookup): EntityRule {
  const reference = references.get(entity);
  if (reference === undefined) return entity;
  const linked = { ...entity, service: backends(reference, side) };
  references.set(linked, reference);
  return linked;
}
