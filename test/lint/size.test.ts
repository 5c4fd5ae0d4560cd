import { describe, expect, it } from "vitest";
import { lint } from "../../src/lint/lint.ts";
import { readSshConnection } from "../../src/lint/ssh-session.ts";
import type { ResourceSet } from "../../src/resources/types.ts";
import { felix, hostEndpoint, kubernetesPolicy, NODE, policy, resourceSet, workloadEndpoint } from "../policy/build.ts";

const SIZE = 10_000;
const SMALL = 1000;
/** Ten times as much takes about 13 times as long; asking every endpoint about every policy would take 100 times. */
const MOST_TIMES = 50;
const TRIES = 3;

/** No two endpoints have the same labels, nor two policies the same selector; many selectors find nobody. */
function setOf(size: number): ResourceSet {
  const numbers = [...Array(size).keys()];
  const selectors = [
    (i: number) => `app == 'app-${i}'`,
    (i: number) => `app contains 'p-${i}' && tier != 'x'`,
    (i: number) => `has(label-${i})`,
    (i: number) => `app not in {'app-${i}'}`,
    (i: number) => `app == 'app-${i}' && app == 'app-${i + 1}'`,
  ];
  return resourceSet({
    hostEndpoints: [hostEndpoint()],
    workloadEndpoints: numbers.map((i) =>
      workloadEndpoint({
        name: `pod-${i}`,
        namespace: `ns-${i % 100}`,
        labels: { app: `app-${i}`, tier: `${i % 10}` },
      }),
    ),
    felixConfigurations: [felix({ failsafeInbound: [] })],
    policies: numbers.map((i) => {
      const selector = (selectors[i % selectors.length] as (typeof selectors)[0])(i);
      const ingress = Array.from({ length: 5 }, (_, k) => ({
        protocol: 6,
        source: { nets: [`10.${i % 256}.${k}.0/24`] },
        destination: { ports: [22, 80 + k] },
      }));
      return i % 2 === 0
        ? policy({ name: `p-${i}`, selector, ingress })
        : kubernetesPolicy({ name: `p-${i}`, namespace: `ns-${i % 100}`, selector, ingress });
    }),
  });
}

const session = readSshConnection("198.51.100.7 50022 192.0.2.10 22");

/** Seconds of the processor's, so that a busy machine decides nothing; and the codes of what was found. */
function lookThrough(set: ResourceSet): { readonly seconds: number; readonly codes: ReadonlySet<string> } {
  const start = process.cpuUsage();
  const warnings = lint(set, { node: NODE, interfaces: [], session });
  return { seconds: process.cpuUsage(start).user / 1e6, codes: new Set(warnings.map(({ code }) => code)) };
}

describe("10,000 policies and 10,000 endpoints", () => {
  it("take about as much longer as they are more", { timeout: 180_000 }, () => {
    const [small, large] = [setOf(SMALL), setOf(SIZE)];
    const ratios: number[] = [];
    // The first of them also compiles the code.
    lookThrough(small);
    while (ratios.length < TRIES && !ratios.some((ratio) => ratio < MOST_TIMES)) {
      const before = lookThrough(small);
      const { seconds, codes } = lookThrough(large);
      expect(codes).toEqual(new Set(["RAMPART_W_LOCKS_OUT", "RAMPART_W_SELECTS_NOTHING", "RAMPART_W_UNKNOWN_LABEL"]));
      ratios.push(seconds / before.seconds);
    }
    expect(Math.min(...ratios)).toBeLessThan(MOST_TIMES);
  });
});
