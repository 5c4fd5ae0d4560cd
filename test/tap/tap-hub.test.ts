import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ControlStreamHandle, controlStream } from "../../src/control/client.ts";
import { ControlServer } from "../../src/control/server.ts";
import { loadPacketFilterCompiler } from "../../src/native/load.ts";
import { hookNames } from "../../src/datapath/outcome.ts";
import { type TapEvent, decodeTapEvent } from "../../src/tap/tap-event.ts";
import { TapHub } from "../../src/tap/tap-hub.ts";
import type { TapPacket } from "../../src/tap/tap-packet.ts";
import { SYN, ip, tapPacket, tcp, udp } from "./packets.ts";

const TCP = tapPacket(ip("10.0.0.2", "10.0.0.1", 6, tcp(51_234, 22, { flags: SYN })));
const UDP6 = tapPacket(ip("2001:db8::2", "2001:db8::1", 17, udp(40_000, 53, "x")));

let directory: string;
let socket: string;
let server: ControlServer;
let hub: TapHub;
let changes: boolean[];
let readers: ControlStreamHandle[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "rampart-tap-"));
  socket = join(directory, "control.sock");
  changes = [];
  readers = [];
  hub = new TapHub({
    compile: (expression) => loadPacketFilterCompiler().compile(expression),
    onActiveChange: (active) => changes.push(active),
  });
  server = new ControlServer(socket, { tap: (params, stream) => hub.subscribe(stream, params) });
  await server.listen();
});

afterEach(async () => {
  for (const reader of readers) reader.close();
  await Promise.all(readers.map((reader) => reader.done));
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Reader {
  readonly handle: ControlStreamHandle;
  readonly events: (TapEvent | undefined)[];
  packets(): TapPacket[];
}

/** A reader whose filter is in place. */
async function listen(params: object): Promise<Reader> {
  const events: (TapEvent | undefined)[] = [];
  const handle = controlStream(socket, "tap", params, (event) => events.push(decodeTapEvent(event)));
  readers.push(handle);
  await expect.poll(() => events.length).toBeGreaterThan(0);
  const packets = (): TapPacket[] => {
    return events.flatMap((event) => (event !== undefined && "packet" in event ? event.packet : []));
  };
  return { handle, events, packets };
}

describe("the tap", () => {
  it("is active only while somebody listens", async () => {
    expect(hub.active).toBe(false);
    hub.publish(TCP);
    const first = await listen({});
    const second = await listen({});
    expect([hub.active, hub.subscribers]).toEqual([true, 2]);
    first.handle.close();
    second.handle.close();
    await Promise.all([first.handle.done, second.handle.done]);
    expect([hub.active, hub.subscribers]).toEqual([false, 0]);
    expect(changes).toEqual([true, false]);
  });

  it("hands a packet on with every field and byte, though its bytes are reused at once", async () => {
    const reader = await listen({});
    const bytes = Buffer.from(TCP.bytes);
    hub.publish({ ...TCP, bytes, outInterface: undefined });
    bytes.fill(0xee);
    await expect.poll(() => reader.packets()).toHaveLength(1);
    expect(reader.events[0]).toEqual({ listening: true });
    expect(reader.packets()[0]).toEqual({ ...TCP, bytes: Buffer.from(TCP.bytes) });
  });

  it.each(hookNames)("hands on packets judged at %s", async (hook) => {
    const reader = await listen({});
    hub.publish({ ...TCP, hook });
    await expect.poll(() => reader.packets()).toHaveLength(1);
    expect(reader.packets()[0]?.hook).toBe(hook);
  });

  it("filters inside the daemon with libpcap's expressions, each reader its own", async () => {
    const ssh = await listen({ filter: "tcp dst port 22 and host 10.0.0.2" });
    const six = await listen({ filter: "ip6" });
    const all = await listen({ filter: " " });
    for (const packet of [TCP, UDP6, TCP]) hub.publish(packet);
    await expect.poll(() => all.packets()).toHaveLength(3);
    await expect.poll(() => ssh.packets()).toHaveLength(2);
    await expect.poll(() => six.packets()).toHaveLength(1);
    expect(Buffer.compare(six.packets()[0]!.bytes, UDP6.bytes)).toBe(0);
  });

  it("refuses a filter that does not compile, with libpcap's words", async () => {
    const stream = controlStream(socket, "tap", { filter: "tcp prot 22" }, () => {});
    await expect(stream.done).rejects.toMatchObject({ code: "RAMPART_E_TAP_FILTER" });
    expect([hub.active, changes]).toEqual([false, []]);
  });

  it.each([
    { filter: 5 },
    { snaplen: 0 },
    { snaplen: 65_536 },
    { count: 0 },
    { count: 1.5 },
    { fliter: "tcp" },
    { filter: "x".repeat(10_000) },
    ["tcp"],
  ])("refuses the parameters %o", async (params) => {
    const { done } = controlStream(socket, "tap", params, () => {});
    await expect(done).rejects.toMatchObject({ code: "RAMPART_E_TAP_PARAMS" });
    expect(hub.active).toBe(false);
  });

  it("cuts packets to the reader's snaplen and keeps their original length", async () => {
    const reader = await listen({ snaplen: 24 });
    hub.publish(TCP);
    await expect.poll(() => reader.packets()).toHaveLength(1);
    const [packet] = reader.packets();
    expect([packet!.bytes.length, packet!.originalLength]).toEqual([24, 40]);
  });

  it("ends by itself after count packets", async () => {
    const reader = await listen({ count: 2 });
    for (let i = 0; i < 5; i++) hub.publish(TCP);
    expect(await reader.handle.done).toEqual({ packets: 2, lost: 0 });
    expect(reader.packets()).toHaveLength(2);
    expect(hub.active).toBe(false);
  });

  it("loses packets for a slow reader, counts them, tells it, and loses none for others", async () => {
    const slow = await listen({});
    const quick = await listen({ filter: "ip6" });
    slow.handle.pause();
    const big = tapPacket(ip("10.0.0.2", "10.0.0.1", 17, udp(1, 2, "x".repeat(40_000))));
    for (let i = 0; i < 500; i++) {
      hub.publish(big);
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    hub.publish(UDP6);
    await expect.poll(() => quick.packets()).toHaveLength(1);
    expect(hub.lost).toBeGreaterThan(400);
    slow.handle.resume();
    await expect.poll(() => slow.events.at(-1), { timeout: 5_000 }).toEqual({ lost: hub.lost });
    slow.handle.close();
    expect(await slow.handle.done).toEqual({ packets: slow.packets().length, lost: hub.lost });
    quick.handle.close();
    expect(await quick.handle.done).toEqual({ packets: 1, lost: 0 });
  });

  it("tells readers of packets that never reached it", async () => {
    const reader = await listen({});
    hub.missed(12);
    await expect.poll(() => reader.events.at(-1), { timeout: 3_000 }).toEqual({ lost: 12 });
    reader.handle.close();
    expect(await reader.handle.done).toEqual({ packets: 0, lost: 12 });
    expect(hub.lost).toBe(0);
  });

  it("takes a bounded number of readers", async () => {
    for (let i = 0; i < 16; i++) await listen({});
    await expect(controlStream(socket, "tap", {}, () => {}).done).rejects.toMatchObject({ code: "RAMPART_E_TAP_BUSY" });
    readers.pop()!.close();
    await expect.poll(() => hub.subscribers).toBe(15);
    await listen({});
  });
});
