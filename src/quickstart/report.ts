/**
 * What the quickstart prints: a heading for each chapter, a line for each
 * expectation as it is tried, a summary at the end. Colour only on a terminal.
 */

export interface Finding {
  /** Who does what, such as `attacker -> TCP 22`. */
  readonly what: string;
  readonly family: string;
  readonly expected: string;
  readonly happened: string;
  /** What decided it: a policy and rule, a failsafe port, the kernel's fast path. */
  readonly decidedBy: string;
  readonly held: boolean;
}

const WIDTHS = { mark: 6, what: 28, family: 6, happened: 22 };

export class Report {
  readonly #write: (text: string) => void;
  readonly #colour: boolean;
  readonly #findings: { chapter: string; finding: Finding }[] = [];
  #chapter = "";

  constructor(output: NodeJS.WriteStream) {
    this.#write = (text) => void output.write(`${text}\n`);
    this.#colour = output.isTTY && process.env["NO_COLOR"] === undefined;
  }

  get allHeld(): boolean {
    return this.#findings.length > 0 && this.#findings.every(({ finding }) => finding.held);
  }

  chapter(title: string, explanation: string): void {
    this.#chapter = title;
    this.#write(`\n${this.#paint("1", title)}\n${this.#paint("2", explanation)}`);
  }

  note(text: string): void {
    this.#write(this.#paint("2", `  ${text}`));
  }

  finding(finding: Finding): void {
    this.#findings.push({ chapter: this.#chapter, finding });
    const { what, family, expected, happened, decidedBy, held } = finding;
    const mark = held ? this.#paint("32", pad("ok", WIDTHS.mark)) : this.#paint("31", pad("WRONG", WIDTHS.mark));
    const outcome = held ? happened : `${happened}, expected ${expected}`;
    const columns = `${pad(what, WIDTHS.what)}${pad(family, WIDTHS.family)}${pad(outcome, WIDTHS.happened)}`;
    this.#write(`  ${mark}${columns}${decidedBy}`.trimEnd());
  }

  /** A line for each chapter, what did not hold once more, and the verdict. */
  summary(seconds: number): void {
    this.#write(`\n${this.#paint("1", "Summary")}`);
    for (const chapter of new Set(this.#findings.map((entry) => entry.chapter))) {
      const findings = this.#findings.filter((entry) => entry.chapter === chapter);
      const held = findings.filter(({ finding }) => finding.held).length;
      this.#write(`  ${pad(chapter, 44)}${held} of ${findings.length} expectations held`);
    }
    const wrong = this.#findings.filter(({ finding }) => !finding.held);
    for (const { finding } of wrong) {
      const { what, family, expected, happened } = finding;
      this.#write(this.#paint("31", `  WRONG ${what} ${family}: ${happened}, expected ${expected}`));
    }
    const total = `${this.#findings.length - wrong.length} of ${this.#findings.length} in ${seconds.toFixed(1)} s`;
    this.#write(
      this.allHeld
        ? this.#paint("32", `  Every expectation held: ${total}.`)
        : this.#paint("31", `  Not every expectation held: ${total}.`),
    );
  }

  #paint(code: string, text: string): string {
    return this.#colour ? `\u001B[${code}m${text}\u001B[0m` : text;
  }
}

function pad(text: string, width: number): string {
  return text.length < width ? text.padEnd(width) : `${text}  `;
}
