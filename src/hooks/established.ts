/**
 * What conntrack calls ESTABLISHED or RELATED passes before anything is judged,
 * where it is to be kept (SEMANTICS 3.2): a connection that was let through
 * once, or what is about one. A packet that came back with a verdict is left to
 * its own rule, which clears its mark.
 */
import type { HookConfig } from "./hook-config.ts";
import { undecidedMatch } from "./match.ts";
import { gotoRule, rule } from "./rule.ts";
import { PASS_CHAIN } from "./verdict-chains.ts";

/** In the filter table. */
export function acceptEstablished(config: HookConfig): string[] {
  return config.keepEstablished ? [rule("established", match(config), "ACCEPT")] : [];
}

/** Before and after routing: not for this hook to say. */
export function passEstablished(config: HookConfig): string[] {
  return config.keepEstablished ? [gotoRule("established", match(config), PASS_CHAIN)] : [];
}

function match(config: HookConfig): string {
  return `-m conntrack --ctstate RELATED,ESTABLISHED ${undecidedMatch(config)}`;
}
