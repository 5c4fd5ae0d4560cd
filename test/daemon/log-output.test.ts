/** The log's output to real descriptors: a pipe that is read, one that nobody reads, one that is closed, a file. */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openLogOutput } from "../../src/daemon/log-output.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rampart-log-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Both ends of a FIFO, neither of which blocks anybody at its opening. */
function fifo(): { reader: number; writer: number } {
  const path = join(directory, "fifo");
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, "w") };
}

/** Bytes that were there to be read, 0 when there are none now. */
function readNow(fd: number): number {
  try {
    return readSync(fd, Buffer.alloc(1024 * 1024));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}

const LINE = `${"x".repeat(99)}\n`;

describe("the log's output", () => {
  test("writes a line at once where there is room", () => {
    const { reader, writer } = fifo();
    const output = openLogOutput(writer);
    output.write(LINE);
    const buffer = Buffer.alloc(200);
    expect(buffer.toString("latin1", 0, readSync(reader, buffer))).toBe(LINE);
    expect(output.dropped).toBe(0);
    closeSync(reader);
  });

  test("never waits for a reader: it keeps a mebibyte, drops and counts the rest, and goes on when it is read", async () => {
    const { reader, writer } = fifo();
    const output = openLogOutput(writer);
    const lines = 50_000;
    for (let n = 0; n < lines; n++) output.write(LINE);
    const { dropped } = output;
    expect(dropped).toBeGreaterThan(lines / 2);
    expect(dropped).toBeLessThan(lines);
    let read = 0;
    const readOn = (): number => (read += readNow(reader)) / LINE.length;
    await expect.poll(readOn, { interval: 1, timeout: 20_000 }).toBe(lines - dropped);
    output.write(LINE);
    expect(output.dropped).toBe(dropped);
    closeSync(reader);
  });

  test("outlives its reader, and counts what it can tell nobody", async () => {
    const { reader, writer } = fifo();
    const output = openLogOutput(writer);
    closeSync(reader);
    output.write(LINE);
    await expect.poll(() => {
      output.write(LINE);
      return output.dropped;
    }).toBeGreaterThan(0);
  });

  test("has everything in a file by the end of the process", async () => {
    const path = join(directory, "file");
    const script = `
      const { openLogOutput } = await import(${JSON.stringify(new URL("../../dist/daemon/log-output.js", import.meta.url).href)});
      const output = openLogOutput(1);
      for (let n = 0; n < 1000; n++) output.write(n + "\\n");
      process.exit(0);`;
    const file = openSync(path, "w");
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", file, "inherit"] });
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
    closeSync(file);
    expect(readFileSync(path, "utf8").trim().split("\n")).toEqual(Array.from({ length: 1000 }, (_, n) => String(n)));
  });
});
