/**
 * Which steps and probes of the conformance suites go over real wires: always
 * the same, every tag among them, spread over cases, peers and protocols.
 */
import type { Probe, Step } from "../../conformance/decode.ts";
import { SUITES, suiteSteps } from "../../conformance/decode.ts";

/** A case with its steps in order. */
export interface Case {
  readonly id: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly steps: readonly Step[];
}

export function allCases(): Case[] {
  const cases = new Map<string, Case & { readonly steps: Step[] }>();
  for (const step of SUITES.flatMap(suiteSteps)) {
    const id = step.id.replace(/\/\d+$/, "");
    const known = cases.get(id);
    if (known === undefined) cases.set(id, { id, description: step.description, tags: step.tags, steps: [step] });
    else known.steps.push(step);
  }
  return [...cases.values()];
}

export function allTags(cases: readonly Case[]): string[] {
  return [...new Set(cases.flatMap(({ tags }) => tags))].toSorted();
}

/** At least `count` cases: one for each tag, the rarest tags first, then evenly from what is left. */
export function chooseCases(cases: readonly Case[], count: number): Case[] {
  const chosen = new Set<Case>();
  const holding = (tag: string): Case[] => cases.filter(({ tags }) => tags.includes(tag));
  const rarestFirst = allTags(cases).toSorted((a, b) => holding(a).length - holding(b).length);
  for (const tag of rarestFirst) {
    const candidates = holding(tag);
    if (!candidates.some((each) => chosen.has(each))) chosen.add(candidates[Math.floor(candidates.length / 2)]);
  }
  const rest = cases.filter((each) => !chosen.has(each));
  for (const each of spread(rest, Math.max(0, count - chosen.size), 0)) chosen.add(each);
  return cases.filter((each) => chosen.has(each));
}

/** About `count` probes, allowed and denied ones alike where there are both. */
export function sampleProbes(step: Step, count: number, offset: number): Probe[] {
  const probes = step.probes.filter(({ self }) => !self);
  const allowed = probes.filter(({ expect }) => expect === "allow");
  const denied = probes.filter(({ expect }) => expect === "deny");
  const half = Math.ceil(count / 2);
  return [
    ...spread(allowed, Math.max(half, count - denied.length), offset),
    ...spread(denied, Math.max(half, count - allowed.length), offset),
  ];
}

function spread<T>(items: readonly T[], count: number, offset: number): T[] {
  if (items.length <= count) return [...items];
  // An odd stride would meet the same column of a square matrix again and again; fractions do not.
  const stride = items.length / count;
  return Array.from({ length: count }, (_, index) => {
    return items[(Math.floor(index * stride) + offset) % items.length] as T;
  });
}
