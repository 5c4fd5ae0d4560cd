/**
 * Clears stale generations from connection marks. A generation number may be
 * used again only after no connection carries it from last time, or a
 * connection judged by a policy long gone would pass as decided.
 */
import { setImmediate as yieldToEvents } from "node:timers/promises";
import type { MarkLayout } from "../hooks/marks.ts";
import type { NativeBinding } from "../native/binding.ts";

/** Clears our bits from every connection that carries one of ours. Returns how many it cleared. */
export function sweepConnectionMarks(native: NativeBinding, marks: MarkLayout): Promise<number> {
  return sweep(native, marks, 0, 0);
}

/** Clears our bits from every connection that carries `generation`; the kernel picks them out. Returns how many. */
export function freeGeneration(native: NativeBinding, marks: MarkLayout, generation: number): Promise<number> {
  return sweep(native, marks, marks.connectionMark(generation), marks.masks.connection);
}

/** Connections with (mark & mask) === wanted; other programs' bits stay. */
async function sweep(native: NativeBinding, marks: MarkLayout, wanted: number, mask: number): Promise<number> {
  const ours = marks.masks.connection;
  const conntrack = native.openConntrack();
  let cleared = 0;
  try {
    conntrack.dumpStart(0, wanted, mask);
    for (;;) {
      const count = conntrack.dumpNext();
      if (count === 0) return cleared;
      for (let i = 0; i < count; i++) {
        if ((conntrack.batch.mark[i] & ours) !== 0 && conntrack.setMark(i, 0, ours)) cleared++;
      }
      await yieldToEvents();
    }
  } finally {
    conntrack.close();
  }
}
