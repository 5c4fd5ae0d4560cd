import { describe, expect, it } from "vitest";
import { lint } from "../../src/lint/lint.ts";
import { readSshConnection } from "../../src/lint/ssh-session.ts";
import type { Labels, ResourceSet } from "../../src/resources/types.ts";
import { felix, hostEndpoint, kubernetesPolicy, NODE, policy, resourceSet, workloadEndpoint } from "../policy/build.ts";

const SIZE = 5000;

/** Counts how often one of them is looked at: the time it takes is another one on every machine. */
function countingLabels(labels: Labels, look: () => void): Labels {
  return new Proxy(labels, {
    get(target, name, receiver): unknown {
      look();
      return Reflect.get(target, name, receiver);
    },
    getOwnPropertyDescriptor(target, name) {
      look();
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
  });
}

/** No two endpoints have the same labels, nor two policies the same selector; many selectors find nobody. */
function largeSet(): ResourceSet {
  const numbers = [...Array(SIZE).keys()];
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

describe("thousands of policies and endpoints", () => {
  it("are looked through without asking every endpoint about every policy", () => {
    let looks = 0;
    const set = largeSet();
    const workloadEndpoints = set.workloadEndpoints.map((endpoint) => ({
      ...endpoint,
      labels: countingLabels(endpoint.labels, () => looks++),
    }));
    const warnings = lint({ ...set, workloadEndpoints }, { node: NODE, interfaces: [], session });
    expect(new Set(warnings.map(({ code }) => code))).toEqual(
      new Set(["RAMPART_W_LOCKS_OUT", "RAMPART_W_SELECTS_NOTHING", "RAMPART_W_UNKNOWN_LABEL"]),
    );
    expect(looks).toBeGreaterThan(SIZE);
    // A question is one look at least, often two. A tenth of the selectors wants a part of a value, and asks everybody.
    expect(looks).toBeLessThan((SIZE * SIZE) / 3);
  });
});
