import { describe, expect, it } from "vitest";
import { renderExplanation } from "../../src/explain/render.ts";
import type { QuestionSource } from "../../src/explain/question.ts";
import type { Scope } from "../../src/explain/course.ts";
import { explain, loadLab, POLICIES, tcp } from "./lab.ts";

/** The text a person reads, file names without their folder. */
function told(question: QuestionSource, policies?: string, scope: Partial<Scope> = {}): string[] {
  const { set, folder } = loadLab(policies);
  return renderExplanation(explain(set, question, scope)).replaceAll(folder, "").trimEnd().split("\n");
}

const gnp = (name: string, spec: string): string =>
  `---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: { name: ${name} }\nspec: ${spec}\n`;

describe("an allowed connection", () => {
  it("names the rule of each end, with file and line", () => {
    expect(told(tcp("prod/web", "prod/db", 5432))).toEqual([
      "ALLOW: prod/web (10.1.0.1) -> prod/db (10.2.0.1), tcp 5432",
      "",
      "egress of prod/web: allow, by profile kns.prod egress[0] (Allow), built in",
      "",
      "ingress of prod/db: allow, by prod/knp.default.db ingress[0] (Allow), policy.yaml:7",
    ]);
  });

  it("tells which end does not judge", () => {
    const lines = told({ from: "prod/web", to: "203.0.113.9", protocol: "icmp" });
    expect(lines[0]).toBe("ALLOW: prod/web (10.1.0.1) -> 203.0.113.9, icmp type 8");
    expect(lines.at(-1)).toBe("note: the destination belongs to no endpoint: only the source judges");
  });

  it("a failsafe port is named as the reason", () => {
    expect(told(tcp("203.0.113.9", "two-eth0", 22))).toContain("ingress of two-eth0: allow, a failsafe port");
  });
});

describe("a denied connection", () => {
  it("tells which rules came near, the nearest first, and what each of them misses", () => {
    expect(told(tcp("dev/shell", "prod/db", 5432)).slice(4)).toEqual([
      "ingress of prod/db: deny, end of tier default: prod/knp.default.db applied and no rule matched",
      "  asked before that, without a match:",
      "    prod/knp.default.db ingress[0] (Allow), policy.yaml:7",
      expect.stringMatching(/^ {6}source\.selector: wants .*app == "web".*; this is 10\.1\.0\.2, of dev\/shell$/),
      "    prod/knp.default.db ingress[1] (Allow), policy.yaml:9",
      "      source.nets: wants 198.51.100.0/24; this is 10.1.0.2, of dev/shell",
    ]);
  });

  it.each<[string, QuestionSource, string]>([
    ["a port", tcp("198.51.100.1", "two-eth0", 80), "destination.ports: wants 443, 8000:8999; this is 80"],
    ["a protocol", { ...tcp("198.51.100.1", "two-eth0", 443), protocol: "udp" }, "protocol: wants tcp; this is udp"],
    [
      "a selector",
      tcp("203.0.113.9", "two-eth0", 443),
      'source.selector: wants place == "office"; this is 203.0.113.9, which nothing in the files has',
    ],
    [
      "an exception",
      { ...tcp("198.51.100.7", "prod/db", 1), protocol: "udp" },
      "source.notNets: wants not 198.51.100.7/32; this is 198.51.100.7, of GlobalNetworkSet office",
    ],
  ])("%s that does not fit is told with what was wanted and what there is", (_, question, line) => {
    expect(told(question)).toContain(`      ${line}`);
  });

  it("each kind of criterion is told apart", () => {
    const rule = (text: string): string[] =>
      told(
        { from: "198.51.100.1", to: "two-eth0", protocol: "icmp" },
        gnp("p", `{ selector: has(host), ingress: [{ action: Allow, ${text} }] }`),
      ).filter((line) => line.startsWith("      "));
    expect(rule("notProtocol: ICMP")).toEqual(["      notProtocol: wants not icmp; this is icmp"]);
    expect(rule("protocol: ICMP, icmp: { type: 0 }")).toEqual(["      icmp: wants type 0; this is type 8 code 0"]);
    expect(rule("protocol: ICMP, notICMP: { type: 8, code: 0 }")).toEqual([
      "      notICMP: wants not type 8 code 0; this is type 8 code 0",
    ]);
    expect(rule("ipVersion: 6")).toEqual(["      ipVersion: wants 6; this is 4"]);
    expect(rule("protocol: TCP, source: { notPorts: [1:9] }")).toEqual([
      "      protocol: wants tcp; this is icmp",
      "      source.notPorts: wants not 1:9; this is no port",
    ]);
    expect(rule("destination: { notSelector: has(host) }")).toEqual([
      "      destination.notSelector: wants not has(host); this is 192.0.2.2, of two-eth0",
    ]);
  });

  it("no policy and no profile is told as such", () => {
    expect(told(tcp("two-eth0", "203.0.113.9", 80))).toContain(
      "egress of two-eth0: deny, no policy applied, and no profile allows it",
    );
  });

  it("from a pod to its own host, the setting that says so is named", () => {
    expect(told(tcp("prod/web", "one-eth0", 80)).at(-1)).toBe(
      "workload to its own host: defaultEndpointToHostAction is Drop",
    );
  });
});

describe("a policy that would decide otherwise, but is not asked", () => {
  const allow = "ingress: [{ action: Allow }]";
  const asked = (policies: string): string[] =>
    told(tcp("203.0.113.9", "two-eth0", 80), policies).slice(-5, -2).map((line) => line.trim());

  it("because its selector chooses something else", () => {
    expect(asked(gnp("p", `{ selector: host == 'one', ${allow} }`))).toEqual([
      "would decide otherwise, but was not asked:",
      "p ingress[0] (Allow), policy.yaml:5",
      "its selector does not choose two-eth0: host == 'one'",
    ]);
  });

  it("because its types leave the direction out", () => {
    const egressOnly = gnp("p", `{ selector: has(host), types: [Egress], ${allow} }`);
    expect(asked(egressOnly).at(-1)).toBe("it has no Ingress in its types");
  });

  it("because it is staged", () => {
    const staged = gnp("p", `{ selector: has(host), ${allow} }`).replace("kind: Global", "kind: StagedGlobal");
    expect(asked(staged)).toEqual([
      "would decide otherwise, but was not asked:",
      "staged:p ingress[0] (Allow), policy.yaml:5",
      "it is staged, which is never enforced",
    ]);
  });

  it("is not told of if it would decide the same, or could never choose the endpoint", () => {
    const deny = gnp("p", '{ selector: "!has(host)", ingress: [{ action: Deny }] }');
    expect(asked(deny).join()).not.toContain("not asked");
    const elsewhere = POLICIES.replace("namespace: prod", "namespace: dev").replace("app: db", "app: none");
    expect(told(tcp("198.51.100.1", "two-eth0", 80), elsewhere).join()).not.toContain("not asked");
  });

  it("is not told of if it only applies to traffic of another kind", () => {
    const preDNAT = gnp("p", `{ selector: "!has(host)", preDNAT: true, applyOnForward: true, ${allow} }`);
    expect(told(tcp("203.0.113.9", "prod/web", 80), preDNAT).join("\n")).not.toContain("was not asked");
  });
});

describe("staged policies", () => {
  const staged = (name: string, spec: string): string =>
    gnp(name, spec).replace("kind: Global", "kind: StagedGlobal");
  const office = tcp("198.51.100.1", "two-eth0", 443);

  it("that apply are told with the pending verdict and the one that would decide", () => {
    const deny = staged("s", "{ selector: has(host), order: 1, ingress: [{ action: Deny }] }");
    const lines = told(office, POLICIES + deny);
    expect(lines[0]).toMatch(/^ALLOW: /);
    expect(lines.slice(1, 4)).toEqual([
      "pending (with the staged policies in force): deny by StagedGlobalNetworkPolicy s",
      "  ingress of two-eth0: deny, by staged:s ingress[0] (Deny), policy.yaml:25",
      "",
    ]);
  });

  it("that isolate by the end of their tier are named there", () => {
    const isolating = staged("s", "{ selector: has(app), types: [Ingress] }");
    expect(told(tcp("203.0.113.9", "prod/web", 80), isolating)).toContain(
      "  ingress of prod/web: deny, end of tier default: staged:s applied and no rule matched",
    );
  });

  it("lead on to endpoints that are not asked while an enforced one denies", () => {
    const closed = gnp("p", "{ selector: app == 'web', egress: [{ action: Deny }] }");
    const opened = staged("p", "{ selector: app == 'web', egress: [{ action: Allow }] }");
    const { set } = loadLab(POLICIES + closed + opened);
    const { verdict, stages, pending } = explain(set, tcp("prod/web", "prod/db", 5432));
    expect([verdict, stages.length]).toEqual(["deny", 1]);
    expect(pending).toMatchObject({
      verdict: "allow",
      stages: [{ rule: { policy: "staged:p" } }, { rule: { policy: "prod/knp.default.db" } }],
    });
  });

  it("that would delete a policy show what is left without it", () => {
    const { set } = loadLab(POLICIES + staged("hosts", "{ stagedAction: Delete }"));
    expect(explain(set, office)).toMatchObject({
      verdict: "allow",
      pending: { verdict: "deny", stages: [{ reason: "no-match" }, { reason: "no-policy" }] },
    });
  });

  it("that apply to no stage of the connection are not mentioned", () => {
    const elsewhere = staged("s", "{ selector: host == 'one', ingress: [{ action: Deny }] }");
    expect(explain(loadLab(POLICIES + elsewhere).set, office).pending).toBeUndefined();
    const otherWay = staged("s", "{ selector: has(host), egress: [{ action: Deny }] }");
    expect(explain(loadLab(POLICIES + otherWay).set, office).pending).toBeUndefined();
  });
});

describe("tiers", () => {
  const tier = "---\napiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: { name: first }\nspec: { order: 1 }\n";
  const logAndPass = "ingress: [{ action: Log }, { action: Pass }]";
  const passing = gnp("first.pass", `{ tier: first, selector: has(host), ${logAndPass} }`);

  it("a Pass is told as a rule that matched, and the next tier decides", () => {
    const { set } = loadLab(`${tier}${passing}${gnp("p", "{ selector: has(host), ingress: [{ action: Deny }] }")}`);
    const [stage] = explain(set, tcp("203.0.113.9", "two-eth0", 80)).stages.slice(-1);
    expect(stage).toMatchObject({ verdict: "deny", reason: "policy", tier: "default", policies: ["first.pass", "p"] });
    expect(stage?.candidates.map(({ policy, action, matched }) => [policy, action, matched])).toEqual([
      ["first.pass", "Log", true],
      ["first.pass", "Pass", true],
      ["p", "Deny", true],
    ]);
  });

  it("nothing behind the tier that ended it is listed as asked", () => {
    const closed = gnp("first.closed", "{ tier: first, selector: has(host) }");
    const { set } = loadLab(`${tier}${closed}${gnp("p", "{ selector: has(host), ingress: [{ action: Allow }] }")}`);
    const stage = explain(set, tcp("203.0.113.9", "two-eth0", 80)).stages.at(-1);
    expect(stage).toMatchObject({ verdict: "deny", reason: "end-of-tier", tier: "first", candidates: [] });
  });
});

describe("as data", () => {
  it("an explanation is plain JSON with the deciding rule's place", () => {
    const { set, folder } = loadLab();
    const explanation = JSON.parse(JSON.stringify(explain(set, tcp("prod/web", "prod/db", 5432)))) as object;
    expect(explanation).toMatchObject({
      verdict: "allow",
      connection: { from: "prod/web", source: "10.1.0.1", to: "prod/db", protocol: "tcp", port: 5432 },
      stages: [
        { endpoint: "prod/web", direction: "egress" },
        {
          endpoint: "prod/db",
          direction: "ingress",
          rule: { policy: "prod/knp.default.db", index: 0, location: { file: `${folder}policy.yaml`, line: 7 } },
        },
      ],
    });
  });
});
