/**
 * Answers questions written as JSON, one a line, with one line each: a verdict
 * object, or an error object where the line cannot be answered. Made for
 * millions of lines: ends, passages and answers are worked out once and kept,
 * within bounds; unknown fields of a question (a caller's own tags) are left alone.
 */
import type { Address, Family } from "../address/address.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { PacketView } from "../packet/view.ts";
import type { ResourceSet } from "../resources/types.ts";
import type { RuleInfo } from "../tables/compiled.ts";
import type { BuiltInReason, PacketKind } from "./built-in.ts";
import { BuiltIns, builtInVerdict } from "./built-in.ts";
import { commonFamily, destinationPort } from "./connection.ts";
import type { Course, Passage, Scope } from "./course.ts";
import { CoursePlanner } from "./course.ts";
import type { ConnectionEnd } from "./endpoint-directory.ts";
import { EndpointDirectory } from "./endpoint-directory.ts";
import { follow } from "./passage.ts";
import type { Question, QuestionSource } from "./question.ts";
import { readQuestion } from "./question.ts";
import type { CompiledStage } from "./table-judge.ts";
import { TableJudge, verdictOf } from "./table-judge.ts";

/** What a question's line becomes. */
interface Answer {
  readonly verdict: "allow" | "deny";
  /** null where no policy's rule decided. */
  readonly policy: string | null;
  /** 0-based position in the policy's list of that direction. */
  readonly rule: number | null;
  /** null where no endpoint judged. */
  readonly direction: RuleInfo["direction"] | null;
  readonly reason: RuleInfo["reason"] | BuiltInReason | "unpoliced" | "endpoint-to-host";
}

interface KnownEnd extends ConnectionEnd {
  readonly words: Readonly<Partial<Record<Family, Uint32Array>>>;
}

/** Entries after which the cache of ends starts anew: input is unbounded, memory is not. */
const CACHE_LIMIT = 1 << 16;

export class BatchAnswers {
  readonly #directory: EndpointDirectory;
  readonly #planner: CoursePlanner;
  readonly #judge: TableJudge;
  readonly #builtIns: BuiltIns;
  readonly #ends = new Map<string, KnownEnd>();
  readonly #compiled = new WeakMap<Passage, Passage<CompiledStage>>();
  readonly #answers = new Map<RuleInfo, string>();

  /** @throws RampartError RAMPART_E_NODE_UNKNOWN */
  constructor(set: ResourceSet, scope: Scope) {
    this.#directory = new EndpointDirectory(set);
    this.#planner = new CoursePlanner(set, scope);
    this.#judge = new TableJudge(set);
    this.#builtIns = new BuiltIns(set);
  }

  /** The answer to one line; both without the newline. Throws nothing for what the line holds. */
  answer(line: string): string {
    try {
      return this.#judged(readQuestion(parseLine(line)));
    } catch (error) {
      if (error instanceof RampartError) return errorText(error);
      throw error;
    }
  }

  #judged(question: Question): string {
    const source = this.#end(question.from);
    const destination = this.#end(question.to);
    const family = commonFamily(question.family, source, destination);
    const { view } = this.#judge;
    view.family = family;
    view.words.set(source.words[family] as Uint32Array, 0);
    view.words.set(destination.words[family] as Uint32Array, 4);
    const port = destinationPort(question, destination);
    setPorts(view, question, port);

    const { protocol, icmpType } = question;
    const packet: PacketKind = { family, protocol, destinationPort: port, icmpType };
    let answer = UNPOLICED;
    const end = follow(this.#course(source, destination, family), (stage) => {
      const reason = this.#builtIns.of(stage, packet);
      if (reason !== undefined) {
        answer = BUILT_IN[reason];
        return builtInVerdict(reason);
      }
      const rule = stage.rules[this.#judge.decide(stage)];
      answer = this.#ruleAnswer(rule);
      return verdictOf(rule);
    });
    return end.hostAction === undefined ? answer : TO_HOST[end.verdict];
  }

  #end(text: string): KnownEnd {
    let end = this.#ends.get(text);
    if (end === undefined) {
      const resolved = this.#directory.resolve(text);
      const words: Partial<Record<Family, Uint32Array>> = {};
      for (const address of Object.values(resolved.addresses)) words[address.family] = wordsOf(address);
      end = { ...resolved, words };
      if (this.#ends.size >= CACHE_LIMIT) this.#ends.clear();
      this.#ends.set(text, end);
    }
    return end;
  }

  #course(source: KnownEnd, destination: KnownEnd, family: Family): Course<CompiledStage> {
    const sameAddress = source.addresses[family]?.value === destination.addresses[family]?.value;
    const { passages, remarks } = this.#planner.plan(source.endpoint, destination.endpoint, sameAddress);
    return { passages: passages.map((passage) => this.#compile(passage)), remarks };
  }

  #compile(passage: Passage): Passage<CompiledStage> {
    let compiled = this.#compiled.get(passage);
    if (compiled === undefined) {
      compiled = { ...passage, stages: passage.stages.map((stage) => this.#judge.compile(stage)) };
      this.#compiled.set(passage, compiled);
    }
    return compiled;
  }

  /** The answer where this rule had the last word; a `continue` leaves the packet allowed. */
  #ruleAnswer(info: RuleInfo): string {
    let text = this.#answers.get(info);
    if (text === undefined) {
      const { direction, reason, rule } = info;
      const verdict = verdictOf(info) === "deny" ? "deny" : "allow";
      text = answerText({ verdict, policy: rule?.policy ?? null, rule: rule?.index ?? null, direction, reason });
      this.#answers.set(info, text);
    }
    return text;
  }
}

function parseLine(line: string): QuestionSource {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new RampartError("RAMPART_E_QUESTION", "the line is not a JSON object", {
    hint: 'one question a line, such as {"from":"prod/web","to":"192.0.2.1","protocol":"tcp","port":443}',
  });
}

function setPorts(view: PacketView, question: Question, port: number | undefined): void {
  view.protocol = question.protocol;
  view.hasPorts = port === undefined ? 0 : 1;
  view.sourcePort = port === undefined ? 0 : question.sourcePort;
  view.destinationPort = port ?? 0;
  view.hasIcmp = question.icmpType === undefined ? 0 : 1;
  view.icmpType = question.icmpType ?? 0;
  view.icmpCode = question.icmpType === undefined ? 0 : question.icmpCode;
}

/** As a PacketView holds an address: four words, the most significant first, an IPv4 address in the last. */
function wordsOf({ value }: Address): Uint32Array {
  return Uint32Array.from([96n, 64n, 32n, 0n], (shift) => Number((value >> shift) & 0xffffffffn));
}

function answerText(answer: Answer): string {
  return JSON.stringify(answer);
}

/** The line that stands for a question that cannot be answered. */
export function errorText({ code, message, hint }: RampartError): string {
  return JSON.stringify({ error: { code, message, hint } });
}

const NOTHING = { policy: null, rule: null } as const;
const UNPOLICED: string = answerText({ verdict: "allow", ...NOTHING, direction: null, reason: "unpoliced" });
const BUILT_IN = {
  encapsulation: answerText({ verdict: "deny", ...NOTHING, direction: "egress", reason: "encapsulation" }),
  "neighbour-discovery": answerText({
    verdict: "allow",
    ...NOTHING,
    direction: "egress",
    reason: "neighbour-discovery",
  }),
} as const;
const TO_HOST = {
  allow: answerText({ verdict: "allow", ...NOTHING, direction: "egress", reason: "endpoint-to-host" }),
  deny: answerText({ verdict: "deny", ...NOTHING, direction: "egress", reason: "endpoint-to-host" }),
} as const;
