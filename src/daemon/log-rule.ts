/**
 * What FelixConfiguration says of rules with action Log (SEMANTICS 1.13): the
 * prefix of their lines, and how many lines each of them may write.
 */
import type { FelixSettings, LogRate } from "../resources/felix-settings.ts";
import type { PacketRecord } from "./packet-record.ts";

export type LogRuleSettings = Pick<FelixSettings, "logPrefix" | "logActionRateLimit" | "logActionRateLimitBurst">;
type LoggedRule = Pick<PacketRecord, "tier" | "policy" | "rule">;

const KUBERNETES_PREFIX = "knp.default.";

/**
 * The template with %t tier, %k kind in short (gnp, np, knp, pro), %n name and %p namespace/name in their places,
 * and ": " behind it.
 */
export function logPrefix(template: string, rule: LoggedRule): string {
  const { kind, name, path } = identify(rule);
  const values: Readonly<Record<string, string>> = { "%t": rule.tier ?? "", "%k": kind, "%n": name, "%p": path };
  return `${template.replaceAll(/%[tknp]/g, (specifier) => values[specifier] ?? specifier)}: `;
}

function identify({ tier, policy = "" }: LoggedRule): { kind: string; name: string; path: string } {
  const slash = policy.indexOf("/");
  const label = policy.slice(slash + 1);
  if (tier === undefined || tier === "") return { kind: "pro", name: policy, path: policy };
  if (slash < 0) return { kind: "gnp", name: policy, path: policy };
  const kubernetes = label.startsWith(KUBERNETES_PREFIX);
  const name = kubernetes ? label.slice(KUBERNETES_PREFIX.length) : label;
  return { kind: kubernetes ? "knp" : "np", name, path: `${policy.slice(0, slash)}/${name}` };
}

/** Rules that are remembered; with more the count of all begins anew. */
const MAX_RULES = 65_536;

interface Bucket {
  lines: number;
  filled: number;
}

/** A bucket for each Log rule: `burst` lines at once, and as many more as the rate fills in. */
export class LogRuleLimit {
  readonly #buckets = new Map<string, Bucket>();

  /** May the rule write a line at `now`, in milliseconds? Counts the line if it may. */
  admits(
    { tier, policy, rule }: LoggedRule,
    rate: LogRate | undefined,
    burst: number,
    now: number,
  ): boolean {
    if (rate === undefined) return true;
    const key = `${tier}|${policy}|${rule}`;
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= MAX_RULES) this.#buckets.clear();
      this.#buckets.set(key, (bucket = { lines: burst, filled: now }));
    }
    bucket.lines = Math.min(burst, bucket.lines + ((now - bucket.filled) * rate.count) / (rate.seconds * 1000));
    bucket.filled = now;
    if (bucket.lines < 1) return false;
    bucket.lines--;
    return true;
  }
}
