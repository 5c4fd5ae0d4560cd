/**
 * Clears stale generations from connection marks. A generation number may be
 * used again only after no connection carries it from last time, or a
 * connection judged by a policy long gone would pass as decided.
 */
import { setImmediate as yieldToEvents } from "node:timers/promises";
import type { MarkLayout } from "../hooks/marks.ts";
import type { NativeBinding } from "../native/binding.ts";

/**
 * Clears our bits from every connection whose mark is neither undecided nor
 * `keep` (0: keep none). Other programs' bits stay. Returns how many it cleared.
 */
export async function sweepConnectionMarks(native: NativeBinding, marks: MarkLayout, keep: number): Promise<number> {
  const { connection: mask } = marks.masks;
  const kept = marks.connectionMark(keep);
  const conntrack = native.openConntrack();
  let cleared = 0;
  try {
    conntrack.dumpStart(0, 0, 0);
    for (;;) {
      const count = conntrack.dumpNext();
      if (count === 0) return cleared;
      for (let i = 0; i < count; i++) {
        const mark = (conntrack.batch.mark[i] & mask) >>> 0;
        if (mark !== 0 && mark !== kept && conntrack.setMark(i, 0, mask)) cleared++;
      }
      await yieldToEvents();
    }
  } finally {
    conntrack.close();
  }
}
