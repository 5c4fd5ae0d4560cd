/**
 * One iptables rule as text, and the form in which two texts of the same rule
 * are equal: the order of matches, implied modules, hexadecimal against
 * decimal, quoting and protocol names differ between iptables versions and
 * variants without a difference in meaning.
 */

const PROTOCOLS: Readonly<Record<string, string>> = {
  icmp: "1",
  ipencap: "4",
  ipv4: "4",
  tcp: "6",
  udp: "17",
  "ipv6-icmp": "58",
  icmpv6: "58",
  sctp: "132",
};

/** What follows `-A <chain> `; `name` is the comment its counters are read by. */
export function rule(name: string, match: string, target: string): string {
  return `${matching(name, match)} -j ${target}`;
}

/** The same with goto: what returns from `chain` goes on behind the last jump, not behind this rule. */
export function gotoRule(name: string, match: string, chain: string): string {
  return `${matching(name, match)} -g ${chain}`;
}

function matching(name: string, match: string): string {
  return `${match}${match === "" ? "" : " "}-m comment --comment "rampart:${name}"`;
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** The name given to `rule()`, undefined for a rule that has none. */
export function ruleName(text: string): string | undefined {
  return /--comment "?rampart:([a-z0-9-]+)"?/.exec(text)?.[1];
}

/** Splits a rule as iptables-restore does: at blanks outside double quotes, a backslash escapes. */
export function ruleWords(text: string): string[] {
  const words: string[] = [];
  for (const [word, quoted] of text.matchAll(/"((?:[^"\\]|\\.)*)"|\S+/g)) {
    words.push(quoted === undefined ? word : quoted.replaceAll(/\\(.)/g, "$1"));
  }
  return words;
}

/** Where a rule leads: a chain or a target's name; undefined for a rule that only counts. */
export function targetOf(text: string): string | undefined {
  const words = ruleWords(text);
  const at = words.findIndex((word) => word === "-j" || word === "-g");
  return at < 0 ? undefined : words[at + 1];
}

/** Equal for two texts if and only if they are the same rule, as far as the options of our own plan go. */
export function canonicalRule(text: string): string {
  const options: string[] = [];
  const words = ruleWords(text);
  let module = "";
  let negated = "";
  for (let i = 0; i < words.length; ) {
    const option = words[i++] as string;
    if (option === "!") {
      negated = "! ";
      continue;
    }
    const values: string[] = [];
    while (i < words.length && words[i] !== "!" && !(words[i] as string).startsWith("-")) {
      values.push(words[i++] as string);
    }
    if (option === "-m") {
      module = `${values[0]} `;
    } else {
      if (option === "-j" || option === "-g") module = `${values[0]} `;
      options.push(`${negated}${option.startsWith("--") ? module : ""}${option} ${canonicalValue(option, values)}`);
    }
    negated = "";
  }
  return options.toSorted().join(" ");
}

function canonicalValue(option: string, values: readonly string[]): string {
  const text = values.join(" ");
  if (option === "-p") return PROTOCOLS[text] ?? text;
  if (option === "--mark" && !text.includes("/")) return canonicalValue(option, [`${text}/0xffffffff`]);
  const parts = text.split("/");
  return parts.map((part) => (/^(0x[0-9a-f]+|\d+)$/i.test(part) ? hex(Number(part)) : part)).join("/");
}
