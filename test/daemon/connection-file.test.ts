/** The file in which connections pass to the next process. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readConnections, writeConnections } from "../../src/daemon/connection-file.ts";
import { ConnectionClass } from "../../src/flow/connection-class.ts";
import { Domain } from "../../src/flow/connection-key.ts";
import { allocateConnections } from "../../src/flow/connection-memory.ts";
import { connectionRecords } from "../../src/flow/connection-records.ts";
import { ConnectionTable } from "../../src/flow/connection-table.ts";
import { Protocol } from "../../src/packet/protocol.ts";
import { portView } from "../flow/views.ts";

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rampart-connections-"));
  path = join(directory, "connections");
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A table's memory with that many connections. */
function memory(count: number): SharedArrayBuffer {
  const block = allocateConnections(32);
  const table = new ConnectionTable(block);
  for (let port = 1; port <= count; port++) {
    table.lookup(portView(Protocol.UDP, 1, 2, port, 53), Domain.LOCAL);
    table.insert(ConnectionClass.UDP, 0);
  }
  return block;
}

test("has the records of every queue, is its owner's alone, and is gone when it was read", () => {
  const queues = new Map([[100, memory(3)], [101, memory(0)], [102, memory(7)]]);
  writeConnections(path, queues, "rejudge");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const read = readConnections(path, "rejudge");
  for (const [queue, block] of queues) expect(read.get(queue), `queue ${queue}`).toEqual(connectionRecords(block));
  expect(existsSync(path)).toBe(false);
});

test("replaces one that was left behind", () => {
  writeFileSync(path, "left behind");
  writeConnections(path, new Map([[100, memory(1)]]), "rejudge");
  expect(readConnections(path, "rejudge").size).toBe(1);
});

describe("is not used", () => {
  test("when it is not there", () => {
    expect(readConnections(path, "rejudge").size).toBe(0);
  });

  test("when decisions are kept by one process and not by the other", () => {
    writeConnections(path, new Map([[100, memory(1)]]), "keep");
    expect(readConnections(path, "rejudge").size).toBe(0);
  });

  test.each([
    ["cut short", (bytes: Buffer) => bytes.subarray(0, -1)],
    ["too long", (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1)])],
    ["empty", () => Buffer.alloc(0)],
    ["no JSON", (bytes: Buffer) => Buffer.concat([Buffer.from("{"), bytes])],
    ["of another version", (bytes: Buffer) => Buffer.from(bytes.toString("latin1").replace("connections 1", "connections 2"), "latin1")],
    ["without end of line", () => Buffer.alloc(100_000, 0x20)],
    ["of a count below zero", () => Buffer.from('{"meaning":"","queues":[[100,-1]]}\n')],
    ["of a shape it should not have", () => Buffer.from('{"meaning":1,"queues":{}}\n')],
  ])("when it is %s; and it is gone", (_what, spoil) => {
    writeConnections(path, new Map([[100, memory(2)]]), "rejudge");
    writeFileSync(path, spoil(readFileSync(path)));
    expect(readConnections(path, "rejudge").size).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});
