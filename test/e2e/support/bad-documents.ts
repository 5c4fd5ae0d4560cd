/** One document of each kind of bad input, with the line that is wrong in it. */

export interface BadDocument {
  readonly what: string;
  readonly code: RegExp;
  /** undefined: the error may point at any line of the document. */
  readonly line: number | undefined;
  readonly text: string;
}

function policyWith(spec: string): string {
  return `apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: bad
spec:
${spec}`;
}

export const BAD_DOCUMENTS: readonly BadDocument[] = [
  {
    what: "a YAML syntax error",
    code: /RAMPART_E_YAML_SYNTAX/,
    line: 7,
    text: policyWith("  order: 10\n  ingress: [ {action: Allow}\n"),
  },
  {
    what: "an unknown field inside a rule",
    code: /RAMPART_E_FIELD_UNKNOWN/,
    line: 8,
    text: policyWith("  ingress:\n    - action: Allow\n      protokol: TCP\n"),
  },
  {
    what: "a wrong type",
    code: /RAMPART_E_TYPE/,
    line: 6,
    text: policyWith("  order: soon\n  ingress:\n    - action: Allow\n"),
  },
  {
    what: "an invalid CIDR",
    code: /RAMPART_E_CIDR/,
    line: 9,
    text: policyWith("  ingress:\n    - action: Allow\n      source:\n        nets: [10.0.0.0/33]\n"),
  },
  {
    what: "port 70000",
    code: /RAMPART_E_PORT/,
    line: 10,
    text: policyWith(
      "  ingress:\n    - action: Allow\n      protocol: TCP\n      destination:\n        ports: [70000]\n",
    ),
  },
  {
    what: "a selector syntax error",
    code: /RAMPART_E_SELECTOR/,
    line: 6,
    text: policyWith("  selector: role = 'web'\n  ingress:\n    - action: Allow\n"),
  },
  {
    what: "a duplicate name",
    code: /RAMPART_E_DUPLICATE/,
    line: undefined,
    text: `${policyWith("  ingress: []\n")}---\n${policyWith("  egress: []\n")}`,
  },
  {
    what: "a missing tier",
    code: /RAMPART_E_TIER/,
    line: 6,
    text: policyWith("  tier: nowhere\n  ingress:\n    - action: Allow\n"),
  },
  {
    what: "an alias bomb",
    code: /RAMPART_E_YAML_LIMIT/,
    line: undefined,
    text: policyWith(
      `  a: &a [x, x, x, x, x, x, x, x, x, x]
  b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
  c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
  d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
  e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
  f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
  g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]
  ingress: [*g]
`,
    ),
  },
];
