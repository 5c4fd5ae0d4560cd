/**
 * Datagrams of which each is a flow of its own, at a steady pace, to an echo
 * server: every one of them that is lost, on the way there or back, shows.
 */
import { createSocket } from "node:dgram";
import type { Burst, BurstResult } from "./agent-protocol.ts";

const TICK_MS = 5;
/** After a pause of this process the pace is kept, not made up for: a flood would lose packets for other reasons. */
const TICK_MAX = 50;

/** Resolves when all were answered, or `graceMs` after the last was sent. */
export function burst({ address, port, firstSourcePort, count, perSecond, graceMs }: Burst): Promise<BurstResult> {
  const type = address.includes(":") ? "udp6" : "udp4";
  const waiting = new Map<number, { readonly sentMs: number; readonly close: () => void }>();
  let sent = 0;
  let answered = 0;
  let due = 0;
  let last = performance.now();
  let lastSent = last;
  return new Promise((resolve, reject) => {
    const sendOne = (sourcePort: number): void => {
      const socket = createSocket(type);
      waiting.set(sourcePort, { sentMs: Number(process.hrtime.bigint()) / 1e6, close: () => socket.close() });
      socket.on("error", (error) => {
        clearInterval(timer);
        reject(error);
      });
      socket.once("message", () => {
        answered++;
        waiting.delete(sourcePort);
        socket.close();
      });
      // What the own kernel refuses to send is lost as well.
      socket.bind(sourcePort, () => socket.send("one of its kind", port, address, () => undefined));
    };
    const timer = setInterval(() => {
      const now = performance.now();
      due = Math.min(due + ((now - last) * perSecond) / 1000, TICK_MAX);
      last = now;
      for (; due >= 1 && sent < count; due--) {
        sendOne(firstSourcePort + sent++);
        lastSent = now;
      }
      if (sent < count || (waiting.size > 0 && now - lastSent < graceMs)) return;
      clearInterval(timer);
      const lost = [...waiting].map(([sourcePort, { sentMs }]) => ({ sourcePort, sentMs }));
      for (const { close } of waiting.values()) close();
      resolve({ sent, answered, lost });
    }, TICK_MS);
  });
}
