/**
 * Looks through resources that are valid for what is hardly meant: each check
 * in a file of its own, none of them ever changes or refuses anything. The
 * order of warnings is that of the files, each warning once.
 *
 *   selects-nothing   a policy without endpoints
 *   unreachable-rule  a rule behind one that takes all of its packets
 *   unknown-label     a selector for a label nobody has
 *   pointless-allow   a rule for what failsafe ports allow anyway
 *   locks-out         the session this is run from would be denied
 */
import type { ResourceSet } from "../resources/types.ts";
import { ChosenEndpoints } from "./chosen-endpoints.ts";
import { LabelCatalogue } from "./label-catalogue.ts";
import type { LintWarning } from "./lint-warning.ts";
import type { Host } from "./locks-out.ts";
import { lintLocksOut } from "./locks-out.ts";
import { lintPointlessAllows } from "./pointless-allow.ts";
import { place } from "./rule-location.ts";
import { lintSelectsNothing } from "./selects-nothing.ts";
import { lintUnknownLabels } from "./unknown-label.ts";
import { lintUnreachableRules } from "./unreachable-rule.ts";

/** For a set that loaded without errors: half a set is full of things that only seem to be missing. */
export function lint(set: ResourceSet, host: Host): LintWarning[] {
  const catalogue = new LabelCatalogue(set);
  const chosen = new ChosenEndpoints(set, catalogue);
  const rest = [
    ...lintSelectsNothing(set, chosen),
    ...lintUnreachableRules(set),
    ...lintUnknownLabels(set, catalogue),
    ...lintPointlessAllows(set, chosen),
  ];
  return [...lintLocksOut(set, host), ...rest.filter(isFirst(new Set())).toSorted(byPlace)];
}

/** A rule that was written once and expanded must not be warned about once for each part. */
function isFirst(seen: Set<string>): (warning: LintWarning) => boolean {
  return ({ code, message, location }) => {
    const key = `${place(location)} ${code} ${message}`;
    return !seen.has(key) && seen.add(key) !== undefined;
  };
}

function byPlace(a: LintWarning, b: LintWarning): number {
  const byFile = a.location.file < b.location.file ? -1 : a.location.file > b.location.file ? 1 : 0;
  return byFile || a.location.line - b.location.line || a.location.column - b.location.column;
}
