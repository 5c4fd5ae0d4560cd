/** The files that are shipped and those of the tests, as texts to start from. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** From the working directory, which is the repository's: a compiled fuzzer lies elsewhere. */
function read(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => pattern.test(name))
    .toSorted()
    .map((name) => readFileSync(join(folder, name), "utf8"));
}

const YAML = /\.(?:ya?ml|json)$/;

export const SETTINGS_TEXT = readFileSync("config/rampart.yaml", "utf8");
export const POLICY_TEXTS = [
  ...read("test/fixtures/policies", YAML),
  ...read("config/policy.d", YAML),
  ...read("config/quickstart", YAML),
];
export const ARTICLE_TEXTS = read("test/fixtures/seeds", /\.txt$/);

/** What means something to YAML, or to a reader of policies. */
export const YAML_PIECES = [
  "---\n", "...\n", "- ", "? ", ": ", "[", "]", "{", "}", ",", "&a ", "*a", "!!str ", "!x ", "|\n", ">-\n",
  "\t", "\r\n", "\0", "\n", "\n  ", "\n- ", " #", "- - ", "<<: ", "%YAML 1.1\n", "# ", "'", '"', "\\",
  "\u2028", "\ud800", "\ufeff", "\u00a0", "null", "true", "~", ".nan", "0x1f", "1e999", "0o7", "-0",
  "12345678901234567890", "__proto__", "constructor",
  "apiVersion: projectcalico.org/v3\n", "kind: GlobalNetworkPolicy\n", "kind: List\nitems:\n- ", "spec:\n  ",
  "ingress:", "action: Allow", "nets: [10.0.0.0/8]", "ports: [1:2]", "selector: all()", "2001:db8::/32",
  "order: 1", "types: [Ingress]",
  "x: &x [*x, *x]\n", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
];
