import { describe, expect, it } from "vitest";
import type { PolicyClass, PolicyPacket } from "../../src/policy/decision.ts";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import { evaluatePending, isAffected } from "../../src/policy/pending.ts";
import type { Direction, Endpoint, Policy } from "../../src/resources/types.ts";
import {
  felix,
  hostEndpoint,
  kubernetesPolicy,
  NODE,
  packet,
  policy,
  resourceSet,
  tier,
  workloadEndpoint,
} from "./build.ts";
import type { PolicyOptions, SetOptions } from "./build.ts";
import { said } from "./said.ts";

const deny = [{ action: "Deny" }] as const;
const allow = [{ action: "Allow" }] as const;
const web = packet({ port: 80 });
const pod = workloadEndpoint({ name: "web", namespace: "default", profiles: ["projectcalico-default-allow"] });
const host = hostEndpoint({});

const staged = (options: PolicyOptions): Policy => policy({ ...options, staged: true });
const deletion = (options: PolicyOptions): Policy => staged({ ...options, stagedAction: "Delete" });

interface Question {
  readonly endpoint?: Endpoint;
  readonly policyClass?: PolicyClass;
  readonly direction?: Direction;
  readonly what?: PolicyPacket;
}

/** `enforced -> pending`, each in one line. */
function change(options: SetOptions, question: Question = {}): string {
  const set = resourceSet(options);
  const { endpoint = pod, policyClass = "normal", direction = "ingress", what = web } = question;
  const enforced = said(evaluateEndpoint(set, NODE, endpoint, policyClass, direction, what));
  const pending = said(evaluatePending(set, NODE, endpoint, policyClass, direction, what));
  const mayDiffer = isAffected(set, endpoint, policyClass, direction);
  expect(mayDiffer || pending === enforced, `not affected: ${enforced} -> ${pending}`).toBe(true);
  return `${enforced} -> ${pending}`;
}

describe("stagedAction Set: the pending verdict counts the policy in (SEMANTICS 1.14)", () => {
  it("at its place among the enforced ones, by order and by tier", () => {
    const enforced = policy({ name: "e", order: 10, ingress: allow });
    const before = staged({ name: "s", order: 5, ingress: deny });
    const after = staged({ name: "s", order: 15, ingress: deny });
    const e = "allow policy default/e/ingress[0]";
    expect(change({ policies: [enforced, before] })).toBe(`${e} -> deny policy default/staged:s/ingress[0]`);
    expect(change({ policies: [enforced, after] })).toBe(`${e} -> ${e}`);
    const tiers = [tier("first", 1)];
    const first = staged({ name: "s", tier: "first", order: 99, ingress: deny });
    expect(change({ tiers, policies: [enforced, first] })).toBe(`${e} -> deny policy first/staged:s/ingress[0]`);
  });

  it("and may allow what is denied", () => {
    const policies = [policy({ name: "e", order: 10, ingress: deny }), staged({ name: "s", order: 5, ingress: allow })];
    const e = "deny policy default/e/ingress[0]";
    expect(change({ policies })).toBe(`${e} -> allow policy default/staged:s/ingress[0]`);
  });

  it("isolates by the end of its tier what it does not allow; the tier's default action Pass prevents it", () => {
    const policies = [staged({ name: "s", tier: "t", types: ["ingress"] })];
    expect(change({ tiers: [tier("t", 1)], policies })).toBe("allow profile -> deny end-of-tier t");
    expect(change({ tiers: [tier("t", 1, "Pass")], policies })).toBe("allow profile -> allow profile");
  });

  it("row 92: a tier with only staged policies ends nothing that is enforced", () => {
    const policies = [
      staged({ name: "s", tier: "t", types: ["ingress"] }),
      policy({ name: "e", ingress: allow }),
    ];
    const e = "allow policy default/e/ingress[0]";
    expect(change({ tiers: [tier("t", 1)], policies })).toBe(`${e} -> deny end-of-tier t`);
    expect(change({ tiers: [tier("t", 1)], policies }, { direction: "egress" })).toBe("allow profile -> allow profile");
  });

  it("row 65: a staged Kubernetes policy isolates pending traffic in its directions, and reaches no host", () => {
    const policies = [kubernetesPolicy({ name: "s", types: ["egress"], staged: true })];
    expect(change({ policies }, { direction: "egress" })).toBe("allow profile -> deny end-of-tier default");
    expect(change({ policies }, { direction: "ingress" })).toBe("allow profile -> allow profile");
    expect(change({ policies }, { endpoint: host, direction: "egress" })).toBe("deny no-policy -> deny no-policy");
  });

  it("leaves a failsafe port open", () => {
    const set = { policies: [staged({ ingress: deny })], felixConfigurations: [felix({})] };
    const ssh = packet({ port: 22 });
    expect(change(set, { endpoint: host, what: ssh })).toBe("allow failsafe -> allow failsafe");
  });

  it("counts in its own class only", () => {
    const forwarded = [staged({ name: "s", applyOnForward: true, ingress: deny })];
    const question = { endpoint: host, policyClass: "forward" } as const;
    const denied = "deny policy default/staged:s/ingress[0]";
    expect(change({ policies: forwarded }, question)).toBe(`allow forward-default -> ${denied}`);
    // No end of tier in the other direction, but traffic that no policy is for is left to the host's own rules.
    expect(change({ policies: forwarded }, { ...question, direction: "egress" })).toBe(
      "allow forward-default -> continue forward-default",
    );
    const preDNAT = [staged({ name: "s", preDNAT: true, ingress: deny })];
    expect(change({ policies: preDNAT }, question)).toBe("allow forward-default -> allow forward-default");
    expect(change({ policies: preDNAT }, { endpoint: host, policyClass: "preDNAT" })).toBe(
      `continue no-match -> ${denied}`,
    );
  });
});

describe("stagedAction Set beside an enforced policy of the same kind, namespace and name", () => {
  it("replaces it, rules, order and tier", () => {
    const policies = [
      policy({ name: "p", order: 1, ingress: allow }),
      policy({ name: "q", order: 5, ingress: deny }),
      staged({ name: "p", order: 10, ingress: allow }),
    ];
    const p = "allow policy default/p/ingress[0]";
    expect(change({ policies })).toBe(`${p} -> deny policy default/q/ingress[0]`);
    const moved = [policies[0] as Policy, staged({ name: "p", tier: "t", ingress: deny })];
    expect(change({ tiers: [tier("t", 1)], policies: moved })).toBe(`${p} -> deny policy t/staged:p/ingress[0]`);
  });

  it("that no longer chooses the endpoint or the direction leaves it without", () => {
    const enforced = policy({ name: "p", ingress: deny });
    const p = "deny policy default/p/ingress[0]";
    const elsewhere = staged({ name: "p", selector: "role == 'nobody'", ingress: deny });
    expect(change({ policies: [enforced, elsewhere] })).toBe(`${p} -> allow profile`);
    expect(change({ policies: [enforced, staged({ name: "p", egress: deny })] })).toBe(`${p} -> allow profile`);
  });

  it("is not replaced by one of another kind, namespace or name", () => {
    const enforced = policy({ name: "p", namespace: "default", order: 1, ingress: deny });
    const p = "deny policy default/default/p/ingress[0]";
    const others = [
      staged({ name: "p", order: 2, ingress: allow }),
      kubernetesPolicy({ name: "p", staged: true, ingress: allow }),
      staged({ name: "p", namespace: "other", ingress: allow }),
      staged({ name: "p2", namespace: "default", order: 2, ingress: allow }),
    ];
    for (const other of others) expect(change({ policies: [enforced, other] })).toBe(`${p} -> ${p}`);
  });
});

describe("stagedAction Delete", () => {
  it("takes the enforced policy of its kind, namespace and name out, and its isolation with it", () => {
    const policies = [policy({ name: "p", types: ["ingress"] }), deletion({ name: "p" })];
    expect(change({ policies })).toBe("deny end-of-tier default -> allow profile");
    const kubernetes = [
      kubernetesPolicy({ name: "p" }),
      kubernetesPolicy({ name: "p", staged: true, stagedAction: "Delete" }),
    ];
    expect(change({ policies: kubernetes })).toBe("deny end-of-tier default -> allow profile");
  });

  it("leaves the others, and the end of their tier", () => {
    const policies = [
      policy({ name: "p", order: 1, ingress: allow }),
      policy({ name: "q", order: 2, types: ["ingress"] }),
      deletion({ name: "p" }),
    ];
    expect(change({ policies })).toBe("allow policy default/p/ingress[0] -> deny end-of-tier default");
  });

  it("is no policy itself: it chooses nothing and ends no tier", () => {
    expect(change({ policies: [deletion({ name: "p" })] })).toBe("allow profile -> allow profile");
    expect(isAffected(resourceSet({ policies: [deletion({ name: "p" })] }), pod, "normal", "ingress")).toBe(false);
  });
});

it("an endpoint whose policies would be the same is not affected", () => {
  const set = resourceSet({ policies: [staged({ selector: "role == 'nobody'", ingress: deny })] });
  for (const direction of ["ingress", "egress"] as const) expect(isAffected(set, pod, "normal", direction)).toBe(false);
});
