import { PassThrough, Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { BatchAnswers } from "../../src/explain/batch-answers.ts";
import { answerStream } from "../../src/explain/batch-stream.ts";
import type { Scope } from "../../src/explain/course.ts";
import type { QuestionSource } from "../../src/explain/question.ts";
import { loadLab, tcp } from "./lab.ts";

function batch(policies?: string, scope: Partial<Scope> = {}): BatchAnswers {
  return new BatchAnswers(loadLab(policies).set, { node: undefined, hook: undefined, ...scope });
}

function answer(answers: BatchAnswers, question: QuestionSource): unknown {
  return JSON.parse(answers.answer(JSON.stringify(question)));
}

describe("the answer to a line", () => {
  it("is a verdict with the policy, the rule and the direction that decided", () => {
    const answers = batch();
    expect(answers.answer(JSON.stringify(tcp("prod/web", "prod/db", 5432)))).toBe(
      '{"verdict":"allow","policy":"prod/knp.default.db","rule":0,"direction":"ingress","reason":"policy"}',
    );
    expect(answer(answers, tcp("198.51.100.3", "prod/db", 1))).toMatchObject({ verdict: "allow", rule: 1 });
    const v6 = { ...tcp("fd00:1::1", "fd00:2::1", 5432), family: 6 };
    expect(answer(answers, v6)).toMatchObject({ verdict: "allow", rule: 0 });
  });

  it("has null where no rule of a policy decided", () => {
    const answers = batch();
    const nothing = { policy: null, rule: null };
    expect(answer(answers, tcp("dev/shell", "prod/db", 5432))).toEqual({
      verdict: "deny",
      ...nothing,
      direction: "ingress",
      reason: "end-of-tier",
    });
    expect(answer(answers, tcp("prod/web", "203.0.113.9", 80))).toMatchObject({ ...nothing, reason: "profile" });
    expect(answer(answers, tcp("203.0.113.9", "two-eth0", 22))).toMatchObject({ ...nothing, reason: "failsafe" });
    expect(answer(answers, tcp("prod/web", "one-eth0", 80))).toEqual({
      verdict: "deny",
      ...nothing,
      direction: "egress",
      reason: "endpoint-to-host",
    });
    expect(answer(answers, tcp("203.0.113.9", "203.0.113.10", 80))).toEqual({
      verdict: "allow",
      ...nothing,
      direction: null,
      reason: "unpoliced",
    });
  });

  it("tells what holds of a workload whatever its policies say", () => {
    const answers = batch();
    const vxlan = { from: "prod/web", to: "prod/db", protocol: "udp", port: 4789 };
    expect(answer(answers, vxlan)).toMatchObject({ verdict: "deny", reason: "encapsulation" });
    const ipip = { from: "prod/web", to: "203.0.113.9", protocol: 4 };
    expect(answer(answers, ipip)).toMatchObject({ verdict: "deny", reason: "encapsulation" });
    expect(answer(answers, { ...vxlan, from: "203.0.113.9" })).not.toMatchObject({ reason: "encapsulation" });
    const discovery = { from: "prod/web", to: "one-eth0@fd00::1", protocol: "icmpv6", icmpType: 135 };
    expect(answer(answers, discovery)).toMatchObject({ verdict: "allow", reason: "neighbour-discovery" });
    expect(answer(answers, { ...discovery, icmpType: 134 })).toMatchObject({ verdict: "deny" });
  });

  it("depends on nothing that was asked before", () => {
    const answers = batch();
    const questions = [
      tcp("prod/web", "prod/db", 5432),
      { from: "prod/web", to: "prod/db", protocol: "icmp" },
      tcp("prod/web", "prod/db", 5433),
      { ...tcp("prod/web", "prod/db", 5432), family: 6 },
      { from: "prod/web", to: "prod/db", protocol: 47 },
    ];
    const alone = questions.map((question) => answer(batch(), question));
    for (const order of [questions, questions.toReversed()]) {
      for (const question of order) expect(answer(answers, question)).toEqual(alone[questions.indexOf(question)]);
    }
  });

  it("leaves a caller's own fields alone", () => {
    const question = { ...tcp("prod/web", "prod/db", 5432), id: 7, expect: "allow" };
    expect(answer(batch(), question)).toMatchObject({ verdict: "allow" });
  });

  it.each([
    ["", "RAMPART_E_QUESTION"],
    ["{", "RAMPART_E_QUESTION"],
    ["[]", "RAMPART_E_QUESTION"],
    ["null", "RAMPART_E_QUESTION"],
    ['{"from":"prod/web"}', "RAMPART_E_QUESTION"],
    ['{"from":"prod/none","to":"prod/db","protocol":"tcp","port":1}', "RAMPART_E_END_UNKNOWN"],
    ['{"from":"__proto__","to":"prod/db","protocol":"tcp","port":1}', "RAMPART_E_END_UNKNOWN"],
    ['{"from":"prod/web","to":"prod/v6only","protocol":"tcp","port":1,"family":4}', "RAMPART_E_END_ADDRESS"],
    ['{"from":"prod/web","to":"prod/db","protocol":"tcp","port":"none"}', "RAMPART_E_PORT_UNKNOWN"],
  ])("to %s is an error object", (line, code) => {
    expect(JSON.parse(batch().answer(line))).toEqual({
      error: { code, message: expect.any(String) as string, hint: expect.any(String) as string },
    });
  });

  it("follows the FelixConfiguration of the node an endpoint is on", () => {
    const felix = (name: string, ports: string): string =>
      `---\napiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: { name: ${name} }\n` +
      `spec: { failsafeInboundHostPorts: [${ports}] }\n`;
    const answers = batch(felix("default", '"tcp:1000"') + felix("node.two", '"tcp:2000"'));
    const allows = (to: string, port: number): boolean =>
      (answer(answers, tcp("203.0.113.9", to, port)) as { reason: string }).reason === "failsafe";
    expect([allows("two-eth0", 2000), allows("two-eth0", 1000)]).toEqual([true, false]);
    expect([allows("one-eth0", 1000), allows("one-eth0", 2000)]).toEqual([true, false]);
  });

  it("follows the FelixConfiguration that selects the node, in what workloads may send too", () => {
    const node = "---\napiVersion: v1\nkind: Node\nmetadata: { name: one, labels: { edge: here } }\n";
    const felix =
      "---\napiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: { name: edge }\n" +
      "spec: { nodeSelector: has(edge), failsafeInboundHostPorts: [], allowVXLANPacketsFromWorkloads: true }\n";
    const answers = batch(node + felix);
    const reason = (question: object): string => (answer(answers, question) as { reason: string }).reason;
    expect(reason(tcp("203.0.113.9", "two-eth0", 22))).toBe("failsafe");
    expect(reason(tcp("203.0.113.9", "one-eth0", 22))).not.toBe("failsafe");
    const vxlan = { to: "203.0.113.9", protocol: "udp", port: 4789 };
    expect(reason({ ...vxlan, from: "prod/web" })).not.toBe("encapsulation");
    expect(reason({ ...vxlan, from: "prod/db" })).toBe("encapsulation");
  });
});

describe("a stream of lines", () => {
  const QUESTION = JSON.stringify(tcp("prod/web", "prod/db", 5432));
  const ERROR = /^\{"error":/;

  async function answered(chunks: readonly (string | Buffer)[]): Promise<string[]> {
    const output = new PassThrough();
    const received = text(output);
    await answerStream(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), output, batch());
    output.end();
    return (await received).split("\n");
  }

  it("is answered one for one, in order, bad lines in place", async () => {
    const lines = await answered([`${QUESTION}\nnonsense\n\n${QUESTION}\r\n`]);
    expect(lines.map((line) => (line === "" ? "end" : ERROR.test(line) ? "error" : "verdict"))).toEqual([
      "verdict",
      "error",
      "error",
      "verdict",
      "end",
    ]);
  });

  it("may be cut anywhere, within a character too, and need not end with a newline", async () => {
    const bytes = Buffer.from(`${QUESTION}\n{"from":"prod/wéb"}\n${QUESTION}`);
    const whole = await answered([bytes]);
    expect(whole).toHaveLength(4);
    expect(whole[1]).toContain("protocol");
    expect(await answered([...bytes].map((byte) => Buffer.of(byte)))).toEqual(whole);
  });

  it("answers a line without end with one error and goes on after it", async () => {
    const long = "x".repeat(40_000);
    const lines = await answered([`${QUESTION}\n${long}`, long, long, `${long}\n${QUESTION}\n`]);
    expect(lines.map((line) => ERROR.test(line))).toEqual([false, true, false, false]);
    expect(await answered([long, long])).toEqual([expect.stringMatching(/longer than/), ""]);
  });

  it("is not read further while its answers are not taken", async () => {
    let taken = 0;
    const chunks = Readable.from(
      (function* () {
        for (let i = 0; i < 1000; i++) {
          taken++;
          yield Buffer.from(`${QUESTION}\n`.repeat(100));
        }
      })(),
    );
    const waiting: (() => void)[] = [];
    const output = new Writable({ highWaterMark: 1000, write: (_, __, done) => void waiting.push(done) });
    const done = answerStream(chunks, output, batch());
    for (let i = 0; i < 50; i++) await setImmediate();
    expect(taken).toBeLessThan(100);
    output.destroy();
    await done;
    expect(taken).toBeLessThan(200);
  });
});
