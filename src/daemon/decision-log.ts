/**
 * Writes decisions to the log: one line for a flow's first denied packet, for
 * each Log rule that matched, for a flow that only staged policies would have
 * denied, and at level debug for accepted flows. Lines a second are bounded;
 * what is left out is counted in a line of its own. Lines about staged policies
 * have a bound of their own, so that they never push out what was enforced.
 */
import type { Logger } from "pino";
import { RecordKind } from "../datapath/decider.ts";
import { OutcomeVerdict } from "../datapath/outcome.ts";
import { Field, type RecordRing } from "../datapath/record-ring.ts";
import { DEFAULT_FELIX_SETTINGS } from "../resources/felix-settings.ts";
import { logPrefix, LogRuleLimit, type LogRuleSettings } from "./log-rule.ts";
import { readRecord, type PacketRecord, type RecordNames } from "./packet-record.ts";

/** Records read a round; the ring keeps the rest for the next one. */
const ROUND = 2048;
const INTERVAL_MS = 50;

export class DecisionLog {
  readonly #log: Logger;
  readonly #names: RecordNames;
  readonly #perSecond: number;
  readonly #logRules: () => LogRuleSettings;
  readonly #limit = new LogRuleLimit();
  #budget: number;
  #stagedBudget: number;
  #suppressed = 0;
  #second = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `logRules`: what FelixConfiguration says of Log rules now. */
  constructor(
    log: Logger,
    names: RecordNames,
    perSecond: number,
    logRules: () => LogRuleSettings = () => DEFAULT_FELIX_SETTINGS,
  ) {
    this.#log = log;
    this.#names = names;
    this.#perSecond = perSecond;
    this.#logRules = logRules;
    this.#budget = perSecond;
    this.#stagedBudget = perSecond;
  }

  start(rings: () => readonly RecordRing[]): void {
    this.#timer = setInterval(() => this.drain(rings()), INTERVAL_MS);
  }

  drain(rings: readonly RecordRing[]): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#budget = this.#perSecond;
      this.#stagedBudget = this.#perSecond;
      if (this.#suppressed > 0) this.#log.warn({ suppressed: this.#suppressed }, "decisions not logged: over the limit");
      this.#suppressed = 0;
    }
    for (const ring of rings) {
      ring.drain(ROUND, (at) => {
        const left = isPreview(ring, at) ? this.#stagedBudget-- : this.#budget--;
        if (left <= 0) {
          this.#suppressed++;
          return;
        }
        this.#write(ring.words[at + Field.KIND], readRecord(ring, at, this.#names));
      });
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #write(kind: number, record: PacketRecord): void {
    const { time, inInterface, outInterface, ...rest } = record;
    const entry = { ...rest, interface: inInterface ?? outInterface, outInterface, at: new Date(time).toISOString() };
    if (kind === RecordKind.LOGGED) this.#writeLogged(record, entry);
    else if (record.verdict === "drop" || record.verdict === "reject") this.#log.info(entry, "denied");
    else if (record.pending !== undefined) this.#log.info(entry, "would be denied");
    else this.#log.debug(entry, "allowed");
  }

  #writeLogged(record: PacketRecord, entry: object): void {
    const { logPrefix: template, logActionRateLimit: rate, logActionRateLimitBurst: burst } = this.#logRules();
    if (this.#limit.admits(record, rate, burst, performance.now())) {
      this.#log.info({ prefix: logPrefix(template, record), ...entry }, "logged");
      return;
    }
    // Kept out by the rule's own limit, it must not take the place of another line.
    this.#budget++;
    this.#suppressed++;
  }
}

/** A decision that let the packet pass and that is recorded only because staged policies would have denied it. */
function isPreview({ words }: RecordRing, at: number): boolean {
  const verdict = words[at + Field.VERDICT];
  return words[at + Field.PENDING] !== 0 && (verdict === OutcomeVerdict.ACCEPT || verdict === OutcomeVerdict.RETURN);
}
