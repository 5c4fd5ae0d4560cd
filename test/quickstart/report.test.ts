/** The quickstart's verdict on itself: it may only be good when something was tried and all of it held. */
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Finding } from "../../src/quickstart/report.ts";
import { Report } from "../../src/quickstart/report.ts";

function finding(held: boolean): Finding {
  const what = "visitor TCP 80";
  return { what, family: "IPv4", expected: "no answer", happened: "connected", decidedBy: "web", held };
}

function reportInto(isTTY: boolean): { report: Report; text: () => string } {
  const output = Object.assign(new PassThrough(), { isTTY });
  return { report: new Report(output as unknown as NodeJS.WriteStream), text: () => String(output.read()) };
}

describe("Report", () => {
  it("has not held when nothing was tried", () => {
    expect(reportInto(false).report.allHeld).toBe(false);
  });

  it("has not held when one expectation did not, and repeats that one in the summary", () => {
    const { report, text } = reportInto(false);
    report.chapter("1. Rules", "");
    report.finding(finding(true));
    report.finding(finding(false));
    report.summary(2);
    expect(report.allHeld).toBe(false);
    expect(text()).toMatch(/1 of 2 expectations held\n {2}WRONG visitor TCP 80 IPv4: connected, expected no answer/);
  });

  it("has held when everything did", () => {
    const { report, text } = reportInto(false);
    report.finding(finding(true));
    report.summary(2);
    expect(report.allHeld).toBe(true);
    expect(text()).toContain("Every expectation held: 1 of 1 in 2.0 s.");
  });

  it("has colour on a terminal only", () => {
    const terminal = reportInto(true);
    const file = reportInto(false);
    for (const { report } of [terminal, file]) report.finding(finding(true));
    expect(terminal.text()).toContain("\u001B[");
    expect(file.text()).not.toContain("\u001B[");
  });
});
