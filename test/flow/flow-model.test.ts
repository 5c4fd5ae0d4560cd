/**
 * Any sequence of operations leaves the table as a Map kept in order of use
 * would be left, also where the clock passes 2^32 ms. Capacities are tiny, so
 * that chains collide and cells are reused all the time, by either family.
 */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FlowTable } from "../../src/flow/flow-table.ts";
import type { PacketView } from "../../src/packet/view.ts";
import { portView } from "./views.ts";

const LIMITS = new Map([[6, 3_600_000], [17, 120_000], [1, 30_000], [132, 600_000]]);
/** The order in which flows of equal age give way, and are expired. */
const PROTOCOLS = [6, 17, 1, 132];

interface ModelFlow {
  readonly protocol: number;
  lastSeen: number;
  generation: number;
  decision: number;
}

/** Addresses a flow may come from; those of IPv6 differ in one word that an IPv4 key does not have. */
const SOURCES = ["ipv4", "ipv6", "ipv6 far", "ipv6 farther"] as const;
type Source = (typeof SOURCES)[number];

const key = (protocol: number, port: number, scope: number, source: Source): string =>
  `${protocol}/${port}/${scope}/${source}`;

function viewOf(protocol: number, port: number, source: Source): PacketView {
  const view = portView(protocol, 1, 2, port, 80, source === "ipv4" ? 4 : 6);
  if (source === "ipv6 far") view.words[0] = 0x20010db8;
  if (source === "ipv6 farther") view.words[6] = 0xffffffff;
  return view;
}

class Model {
  /** Insertion order is order of use: the first is idle longest. */
  readonly flows = new Map<string, ModelFlow>();
  evictions = 0;
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  touch(name: string, now: number): void {
    const flow = this.flows.get(name);
    if (flow === undefined) return;
    this.flows.delete(name);
    this.flows.set(name, flow);
    flow.lastSeen = now;
  }

  insert(name: string, flow: ModelFlow): void {
    if (this.flows.has(name)) {
      this.touch(name, flow.lastSeen);
      return;
    }
    if (this.flows.size === this.#capacity) {
      const oldest = [...this.flows].toSorted(
        ([, a], [, b]) => a.lastSeen - b.lastSeen || PROTOCOLS.indexOf(a.protocol) - PROTOCOLS.indexOf(b.protocol),
      )[0];
      this.flows.delete(oldest[0]);
      this.evictions++;
    }
    this.flows.set(name, flow);
  }

  expire(now: number, budget: number): number {
    const idle = PROTOCOLS.flatMap((protocol) =>
      [...this.flows].filter(([, flow]) => flow.protocol === protocol && now - flow.lastSeen > LIMITS.get(protocol)!),
    ).slice(0, budget);
    for (const [name] of idle) this.flows.delete(name);
    return idle.length;
  }
}

/** What can be seen of a table and of a model, in the same words. */
interface Observed {
  readonly size: number;
  readonly evictions: number;
  readonly flows: Record<string, readonly number[]>;
}

function observeTable(table: FlowTable): Observed {
  const flows: Record<string, readonly number[]> = {};
  for (const protocol of PROTOCOLS) {
    for (let port = 0; port <= MAX_PORT; port++) {
      for (const scope of [0, 1]) {
        for (const source of SOURCES) {
          const slot = table.find(viewOf(protocol, port, source), scope);
          if (slot === -1) continue;
          const name = key(protocol, port, scope, source);
          flows[name] = [table.lastSeen(slot), table.generationOf(slot), table.decisionOf(slot)];
        }
      }
    }
  }
  return { size: table.size, evictions: table.evictions, flows };
}

function observeModel(model: Model): Observed {
  const flows: Record<string, readonly number[]> = {};
  for (const [name, flow] of model.flows) flows[name] = [flow.lastSeen % 2 ** 32, flow.generation, flow.decision];
  return { size: model.flows.size, evictions: model.evictions, flows };
}

const MAX_PORT = 5;
const flowOf = {
  protocol: fc.constantFrom(...PROTOCOLS),
  port: fc.nat(MAX_PORT),
  scope: fc.nat(1),
  source: fc.constantFrom(...SOURCES),
};
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constant("insert" as const), ...flowOf, code: fc.nat(99) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("touch" as const), ...flowOf }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("expire" as const), budget: fc.nat(4) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
const elapsed = fc.oneof(fc.constant(0), fc.nat(10), fc.nat(150_000), fc.nat(4_000_000));

/** Does one step to both; returns what each said about it. */
function apply(table: FlowTable, model: Model, action: Step, now: number): readonly [unknown, unknown] {
  if (action.op === "expire") return [table.expire(now, action.budget), model.expire(now, action.budget)];
  const { protocol, port, scope, source } = action;
  const name = key(protocol, port, scope, source);
  const view = viewOf(protocol, port, source);
  const known = model.flows.has(name);
  const found = table.find(view, scope);
  if (action.op === "touch") {
    if (found !== -1) table.touch(found, now);
    model.touch(name, now);
    return [found !== -1, known];
  }
  const slot = table.insert(view, scope, now);
  model.insert(name, { protocol, lastSeen: now, generation: 0, decision: 0 });
  const flow = model.flows.get(name)!;
  const said = [found !== -1, table.generationOf(slot), table.decisionOf(slot)];
  const expected = [known, flow.generation, flow.decision];
  flow.generation = action.code + 1;
  flow.decision = action.code - 50;
  table.decide(slot, flow.generation, flow.decision);
  return [said, expected];
}

describe("FlowTable against a Map", () => {
  it("holds the same flows after every step", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(0, 2 ** 31 - 500_000, 2 ** 32 - 500_000),
        fc.array(fc.tuple(elapsed, step), { maxLength: 60, size: "max" }),
        (capacity, start, steps) => {
          const table = new FlowTable(capacity);
          const model = new Model(capacity);
          let now = start;
          for (const [pause, action] of steps) {
            now += pause;
            const [said, expected] = apply(table, model, action, now);
            expect(said).toEqual(expected);
            expect([table.size, table.evictions]).toEqual([model.flows.size, model.evictions]);
          }
          expect(observeTable(table)).toEqual(observeModel(model));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
