/**
 * A file of policy tests: which policies and inventory to load, and cases that
 * say what must come of a connection. What readCasesFile returns is complete:
 * paths are resolved against the file's folder, every question is well-formed,
 * every case knows its line.
 *
 *   policies: [../policy.d]          files and directories
 *   inventory: [pods.yaml]           optional, the same
 *   cases:
 *     - name: web may reach the database     optional
 *       from: prod/web
 *       to: prod/db
 *       protocol: tcp                        the default
 *       port: 5432
 *       expect: allow
 *       policy: prod/knp.default.db          optional: the policy that decides
 *       rule: 0                              optional: and which of its rules
 *       direction: ingress                   optional: of which judgement; default the last one
 *       pending: deny                        optional: the verdict, were the staged policies in force
 */
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { nearest } from "../config/nearest.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { SourceLocation } from "../errors/rampart-error.ts";
import { HOOKS } from "../explain/course.ts";
import type { Scope } from "../explain/course.ts";
import type { Question } from "../explain/question.ts";
import { QUESTION_FIELDS, readQuestion } from "../explain/question.ts";
import { Diagnostics } from "../resources/diagnostics.ts";
import { DEFAULT_LIMITS } from "../resources/load-limits.ts";
import { readSource } from "../resources/source-files.ts";
import type { Direction } from "../resources/types.ts";
import type { ValuePath, YamlDocument } from "../resources/yaml-document.ts";
import { formatPath } from "../resources/yaml-document.ts";
import { readYamlStream } from "../resources/yaml-stream.ts";

export interface Expectation {
  readonly verdict: "allow" | "deny";
  readonly policy: string | undefined;
  readonly rule: number | undefined;
  readonly direction: Direction | undefined;
  readonly pending: "allow" | "deny" | undefined;
}

export interface PolicyCase {
  readonly name: string;
  readonly location: SourceLocation;
  readonly question: Question;
  readonly scope: Scope;
  readonly expect: Expectation;
}

export interface CasesFile {
  readonly file: string;
  /** What to load, policies and inventory. */
  readonly paths: readonly string[];
  readonly cases: readonly PolicyCase[];
}

const text = z.string().min(1, "expected text");
const number = z.union([z.number(), z.string()]);

const caseSchema = z.strictObject({
  name: text.optional(),
  from: text,
  to: text,
  protocol: number.default("tcp"),
  port: number.optional(),
  sport: number.optional(),
  icmpType: number.optional(),
  icmpCode: number.optional(),
  family: number.optional(),
  hook: z.enum(HOOKS).optional(),
  node: text.optional(),
  expect: z.enum(["allow", "deny"]),
  policy: text.optional(),
  rule: z.int().min(0).optional(),
  direction: z.enum(["ingress", "egress"]).optional(),
  pending: z.enum(["allow", "deny"]).optional(),
});

const fileSchema = z.strictObject({
  policies: z.array(text).min(1, "expected at least one path"),
  inventory: z.array(text).default([]),
  cases: z.array(caseSchema).min(1, "expected at least one case"),
});

/**
 * Either the file, or every reason why it cannot be used: RAMPART_E_CASES, RAMPART_E_QUESTION, and those of reading
 * any file (RAMPART_E_FILE_MISSING, RAMPART_E_FILE_READ, RAMPART_E_YAML_SYNTAX, RAMPART_E_YAML_LIMIT).
 */
export function readCasesFile(file: string): CasesFile | readonly RampartError[] {
  const diagnostics = new Diagnostics(DEFAULT_LIMITS.errors, DEFAULT_LIMITS.warnings);
  const source = readSource(file, DEFAULT_LIMITS, diagnostics);
  const documents = source === undefined ? [] : [...readYamlStream(file, source, DEFAULT_LIMITS, diagnostics)];
  if (diagnostics.errors.length > 0) return diagnostics.errors;
  const [document, second] = documents;
  if (document === undefined || document === "unreadable" || second !== undefined) {
    return [
      new RampartError("RAMPART_E_CASES", "expected one YAML document", {
        location: { file, line: 1, column: 1 },
        hint: "a mapping with policies, inventory and cases",
      }),
    ];
  }
  const parsed = fileSchema.safeParse(document.value, { reportInput: true });
  if (!parsed.success) return parsed.error.issues.flatMap((issue) => problems(issue, document));
  const { policies, inventory, cases } = parsed.data;
  const errors: RampartError[] = [];
  const read = cases.map((each, index) => readCase(each, index, document, errors));
  if (errors.length > 0) return errors;
  return {
    file,
    paths: [...policies, ...inventory].map((path) => resolve(dirname(file), path)),
    cases: read.filter((each) => each !== undefined),
  };
}

function readCase(
  written: z.output<typeof caseSchema>,
  index: number,
  document: YamlDocument,
  errors: RampartError[],
): PolicyCase | undefined {
  const path = ["cases", index];
  const { from, to, protocol, port, hook, node, expect, policy, rule, direction, pending } = written;
  if (rule !== undefined && policy === undefined) {
    const location = document.keyLocation([...path, "rule"]);
    const hint = "name the policy too: rules are counted in a policy";
    const message = `${formatPath(path)}.rule: no policy is given`;
    errors.push(new RampartError("RAMPART_E_CASES", message, { location, hint }));
    return undefined;
  }
  try {
    return {
      name: written.name ?? `${from} -> ${to}, ${[protocol, port].filter((part) => part !== undefined).join(" ")}`,
      location: document.location(path),
      question: readQuestion(written),
      scope: { node, hook },
      expect: { verdict: expect, policy, rule, direction, pending },
    };
  } catch (error) {
    if (!(error instanceof RampartError)) throw error;
    errors.push(atField(error, path, document));
    return undefined;
  }
}

/** A question's error names the field first: that is where it stands. */
function atField(error: RampartError, path: ValuePath, document: YamlDocument): RampartError {
  const field = QUESTION_FIELDS.find((name) => error.message.startsWith(name));
  const location = document.location(field === undefined ? path : [...path, field]);
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new RampartError(error.code, `${formatPath(path)}.${error.message}`, { location, ...hint });
}

function problems(issue: z.core.$ZodIssue, document: YamlDocument): RampartError[] {
  const path = issue.path as (string | number)[];
  if (issue.code !== "unrecognized_keys") {
    const missing = issue.input === undefined && issue.code !== "too_small";
    const message = missing ? "required, but not given" : issue.message;
    const name = path.length === 0 ? "" : `${formatPath(path)}: `;
    const location = document.location(path);
    const hint = `known here: ${knownFields(path).join(", ")}`;
    return [new RampartError("RAMPART_E_CASES", `${name}${message}`, missing ? { location, hint } : { location })];
  }
  const known = Object.keys((path.length === 0 ? fileSchema : caseSchema).shape);
  return issue.keys.map((key) => {
    const guess = nearest(key, known);
    const hint = guess === undefined ? `known here: ${known.join(", ")}` : `did you mean ${guess}?`;
    const location = document.keyLocation([...path, key]);
    return new RampartError("RAMPART_E_CASES", `${formatPath([...path, key])}: unknown field`, { location, hint });
  });
}

/** The fields beside the one at `path`. */
function knownFields(path: ValuePath): string[] {
  return Object.keys((path.length <= 1 ? fileSchema : caseSchema).shape);
}
