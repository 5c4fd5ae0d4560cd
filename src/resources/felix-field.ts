/**
 * Values of a FelixConfiguration's fields. Field names are compared without
 * regard to case, as Felix does. Each reader gives undefined for a field that
 * is not set, and where an error was reported.
 */
import { z } from "zod";
import type { Cidr } from "../address/address.ts";
import { asList, warnIfMapping } from "./field-list.ts";
import type { LogRate } from "./felix-settings.ts";
import { readSetNets } from "./net-list.ts";
import { isPort } from "./port-range.ts";
import type { ResourceContext } from "./resource-context.ts";
import { describe, parseShape } from "./schema-issue.ts";
import type { ValuePath } from "./yaml-document.ts";

const RATE_SECONDS: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400 };
const MAX_RATE = 10_000;

export class FelixFields {
  private readonly spec: Readonly<Record<string, unknown>>;
  private readonly context: ResourceContext;
  private readonly spellings = new Map<string, string>();

  /** Reports RAMPART_E_VALUE for a field that is given twice in different spellings. */
  constructor(spec: Readonly<Record<string, unknown>>, context: ResourceContext) {
    this.spec = spec;
    this.context = context;
    for (const key of Object.keys(spec)) {
      const folded = key.toLowerCase();
      const first = this.spellings.get(folded);
      if (first !== undefined) {
        const message = `the same field as ${first}, which is already given`;
        context.errorAtKey("RAMPART_E_VALUE", ["spec", key], message, "keep one of the two");
      }
      this.spellings.set(folded, key);
    }
  }

  /** Keys as the file spells them. */
  get keys(): string[] {
    return [...this.spellings.values()];
  }

  /** The value as it stands; undefined also for null and "". */
  get(name: string): unknown {
    const value = this.spec[this.spelling(name)];
    return value === null || value === "" ? undefined : value;
  }

  path(name: string): ValuePath {
    return ["spec", this.spelling(name)];
  }

  /** One of `choices` in any case. */
  choice<C extends string>(name: string, choices: readonly C[]): C | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const text = typeof value === "string" ? value.toLowerCase() : undefined;
    const choice = choices.find((each) => each.toLowerCase() === text);
    return choice ?? this.wrong(name, "is not allowed here", `expected ${choices.join(" or ")}`);
  }

  flag(name: string): boolean | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === "boolean") return value;
    return this.wrong(name, "is not true or false", "expected true or false");
  }

  text(name: string): string | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === "string") return value;
    return this.wrong(name, "is not text", "put it in quotes");
  }

  port(name: string): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && isPort(value)) return value;
    return this.wrong(name, "is not a port", "expected a number from 1 to 65535", "RAMPART_E_PORT");
  }

  count(name: string): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_RATE) return value;
    return this.wrong(name, "is not a count", `expected a whole number from 1 to ${MAX_RATE}`);
  }

  /** `10/second`, or a minute, an hour, a day. */
  rate(name: string): LogRate | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const [, count = "", unit = ""] = (typeof value === "string" && /^([0-9]{1,5})\/([a-z]+)$/.exec(value)) || [];
    const seconds = RATE_SECONDS[unit];
    if (seconds !== undefined && Number(count) >= 1 && Number(count) <= MAX_RATE) return { count: Number(count), seconds };
    const units = Object.keys(RATE_SECONDS).join(", ");
    return this.wrong(name, "is not a rate", `expected a count, a slash and one of ${units}, such as 10/second`);
  }

  /** A list with commas; an empty prefix would make every interface a workload's. */
  interfacePrefixes(name: string): readonly string[] | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value === "string") {
      const prefixes = value.split(",").map((prefix) => prefix.trim());
      if (prefixes.every((prefix) => /^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,13}$/.test(prefix))) return prefixes;
    }
    const hint = 'expected prefixes of at most 14 letters, digits, `_` and `-` with commas between, such as "cali,tap"';
    return this.wrong(name, "is no list of interface prefixes", hint);
  }

  nets(name: string): readonly Cidr[] | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const path = this.path(name);
    warnIfMapping(path, this.context);
    const texts = parseShape(z.array(z.string()), asList(value), path, this.context);
    return texts === undefined ? undefined : readSetNets(texts, path, this.context);
  }

  private spelling(name: string): string {
    return this.spellings.get(name.toLowerCase()) ?? name;
  }

  private wrong(
    name: string,
    problem: string,
    hint: string,
    code: "RAMPART_E_VALUE" | "RAMPART_E_PORT" = "RAMPART_E_VALUE",
  ): undefined {
    this.context.error(code, this.path(name), `${describe(this.get(name))} ${problem}`, hint);
  }
}
