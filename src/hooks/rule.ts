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

/**
 * Rules of these forms are named by what they are: a comment is a match like any other, and these are asked for every
 * packet, or every packet that is queued. Every form is one that iptables-save prints as it was given.
 */
const NAMED_BY_FORM: readonly (readonly [name: string, form: RegExp])[] = [
  ["jump", /^-j RAMPART-[A-Z-]+$/],
  ["governed", /^(?:-[io] \S+ )?-g RAMPART-[A-Z-]+-DECIDE$/],
  ["fast-path", /^-m connmark --mark \S+ -m mark --mark 0x0\/\S+ -j (?:ACCEPT|RETURN)$/],
  ["undecided", /^-m mark --mark 0x0\/\S+ -g RAMPART-[A-Z-]+-ASK$/],
  ["clear", /^-j MARK --set-xmark 0x0\/\S+$/],
  ["reply", /^-m conntrack --ctdir REPLY -j MARK --set-xmark \S+$/],
  ["queued", /^-j NFQUEUE \S+ \S+(?: --queue-bypass)?$/],
  ["allowed", /^-m mark --mark \S+ -j RAMPART-ALLOW$/],
  ["save", /^(?:! -o \S+ )?-j CONNMARK --set-xmark \S+$/],
  ["accept", /^-j ACCEPT$/],
];

/** What follows `-A <chain> `; its counters are read by `name`, which is its comment unless its form says as much. */
export function rule(name: string, match: string, target: string): string {
  return named(name, match, `-j ${target}`);
}

/** The same with goto: what returns from `chain` goes on behind the last jump, not behind this rule. */
export function gotoRule(name: string, match: string, chain: string): string {
  return named(name, match, `-g ${chain}`);
}

function named(name: string, match: string, target: string): string {
  const before = match === "" ? "" : `${match} `;
  const plain = `${before}${target}`;
  return nameByForm(plain) === name ? plain : `${before}-m comment --comment "rampart:${name}" ${target}`;
}

function nameByForm(text: string): string | undefined {
  return NAMED_BY_FORM.find(([, form]) => form.test(text))?.[0];
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** The name given to `rule()`, also as iptables-save prints it; undefined for a rule that has none. */
export function ruleName(text: string): string | undefined {
  return /--comment "?rampart:([a-z0-9-]+)"?/.exec(text)?.[1] ?? nameByForm(text);
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
