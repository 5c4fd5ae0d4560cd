/**
 * Any sequence of operations leaves the table as a plain Map would be left.
 * Capacities are tiny, so that chains collide and slots are reused all the
 * time.
 */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { CONNECTION_CLASSES, ConnectionClass, connectionLimits, FIRST_KEPT } from "../../src/flow/connection-class.ts";
import { allocateConnections } from "../../src/flow/connection-memory.ts";
import { ConnectionTable } from "../../src/flow/connection-table.ts";
import { Protocol } from "../../src/packet/protocol.ts";
import { portView } from "./views.ts";

const TICK_MS = 64;
const KEPT_MS = 300_000;

interface ModelConnection {
  source: number;
  class: number;
  seen: number;
  decision: number;
}

interface Step {
  readonly source: 1 | 2;
  readonly port: number;
  readonly domain: number;
  readonly class: number;
  readonly decision: number;
  readonly elapsed: number;
  readonly budget: number;
  readonly turn: boolean;
}

class Model {
  /** Insertion order is order of use. */
  readonly connections = new Map<string, ModelConnection>();
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  use(key: string, of: number, now: number): void {
    const found = this.connections.get(key) as ModelConnection;
    if (found.class === of && tick(found.seen) === tick(now)) return;
    this.connections.delete(key);
    this.connections.set(key, { ...found, class: of, seen: now });
  }

  insert(key: string, connection: ModelConnection): void {
    if (this.connections.size === this.capacity) {
      const victim = this.#victim(connection);
      if (victim === undefined) return;
      this.connections.delete(victim);
    }
    this.connections.set(key, connection);
  }

  expire(now: number, budget: number): number {
    const old = [...this.connections]
      .filter(([, each]) => tick(each.seen) * TICK_MS < now - (connectionLimits[each.class] ?? 0))
      .toSorted(([, a], [, b]) => a.class - b.class)
      .slice(0, budget);
    for (const [key] of old) this.connections.delete(key);
    return old.length;
  }

  #victim({ class: of, seen: now }: ModelConnection): string | undefined {
    const candidates = [...this.connections].filter(([, each]) => {
      if (of <= ConnectionClass.CUT && each.class > of) return false;
      return each.class < FIRST_KEPT || now - tick(each.seen) * TICK_MS >= KEPT_MS;
    });
    return candidates.toSorted(([, a], [, b]) => a.class - b.class)[0]?.[0];
  }
}

function tick(now: number): number {
  return Math.floor(now / TICK_MS);
}

const step: fc.Arbitrary<Step> = fc.record({
  source: fc.constantFrom(1, 2),
  port: fc.nat(5),
  domain: fc.nat(1),
  class: fc.nat(CONNECTION_CLASSES - 1),
  decision: fc.integer({ min: -9, max: 9 }),
  elapsed: fc.oneof(fc.nat(200), fc.constantFrom(10_000, 30_000, 150_000, 700_000)),
  budget: fc.nat(3),
  turn: fc.boolean(),
});

it("whatever is looked up, inserted, used, turned and expired, the table is what a Map would be", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 80 }), (capacity, steps) => {
      const table = new ConnectionTable(allocateConnections(capacity));
      const model = new Model(capacity);
      let now = 0;
      for (const { source, port, domain, class: of, decision, elapsed, budget, turn } of steps) {
        now += elapsed;
        const key = `${port} ${domain}`;
        const view = source === 1 ? portView(Protocol.TCP, 1, 2, port, 80) : portView(Protocol.TCP, 2, 1, 80, port);
        const known = model.connections.get(key);
        let slot = table.lookup(view, domain);
        const found = slot < 0 ? undefined : { reply: table.isReply(slot), decision: table.decision[slot] };
        expect(found).toEqual(known && { reply: known.source === source ? 0 : 1, decision: known.decision });
        if (known === undefined) {
          slot = table.insert(of, now);
          model.insert(key, { source, class: of, seen: now, decision });
          if (slot >= 0) table.decision[slot] = decision;
        } else {
          if (turn) {
            table.orient(slot, 0);
            known.source = source;
          }
          table.use(slot, of, now);
          model.use(key, of, now);
        }
        expect(slot >= 0).toBe(model.connections.has(key));
        expect(table.expire(now, budget)).toBe(model.expire(now, budget));
        expect(table.size).toBe(model.connections.size);
        const counts = Array.from({ length: CONNECTION_CLASSES }, () => 0);
        for (const each of model.connections.values()) counts[each.class] = (counts[each.class] ?? 0) + 1;
        expect([...table.counts]).toEqual(counts);
      }
    }),
    { numRuns: 500 },
  );
});
