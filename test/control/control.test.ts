import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type Socket, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { controlRequest, controlStream } from "../../src/control/client.ts";
import { MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES } from "../../src/control/protocol.ts";
import { ControlServer } from "../../src/control/server.ts";
import type { ControlHandler } from "../../src/control/stream.ts";
import { RampartError } from "../../src/errors/rampart-error.ts";

let directory: string;
let path: string;
let cleanups: (() => Promise<unknown> | void)[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rampart-control-"));
  path = join(directory, "control.sock");
  cleanups = [];
});

afterEach(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(handlers: Record<string, ControlHandler> = {}): Promise<ControlServer> {
  const server = new ControlServer(path, { echo: (params) => params, ...handlers });
  await server.listen();
  cleanups.push(() => server.close());
  return server;
}

async function rawClient(): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(path);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => {});
  await once(socket, "connect");
  cleanups.push(() => void socket.destroy());
  return { socket, text: () => Buffer.concat(chunks).toString() };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof RampartError ? error.code : `not a RampartError: ${String(error)}`;
}

describe("a request", () => {
  it("is answered with the handler's result", async () => {
    await serve();
    expect(await controlRequest(path, "echo", { a: "é\n", b: [1, null] })).toEqual({ a: "é\n", b: [1, null] });
  });

  it("may be as long as the bound, cut anywhere by the socket", async () => {
    await serve();
    const text = "x".repeat(MAX_REQUEST_BYTES - 100);
    expect(await controlRequest(path, "echo", { text })).toEqual({ text });
  });

  it("is answered with the handler's RampartError: code, sentence and hint", async () => {
    await serve({
      fail: () => {
        throw new RampartError("RAMPART_E_TEST", "it failed", { hint: "do it otherwise" });
      },
    });
    await expect(controlRequest(path, "fail")).rejects.toMatchObject({
      code: "RAMPART_E_TEST",
      message: "it failed",
      hint: "do it otherwise",
    });
  });

  it("whose handler has a defect says so, tells the log, and the daemon lives on", async () => {
    const logged: string[] = [];
    const server = new ControlServer(
      path,
      { fail: () => Promise.reject(new TypeError("x is undefined")), echo: (params) => params },
      { onInternalError: (method, error) => logged.push(`${method}: ${String(error)}`) },
    );
    await server.listen();
    cleanups.push(() => server.close());
    expect(await codeOf(controlRequest(path, "fail"))).toBe("RAMPART_E_INTERNAL");
    expect(logged).toEqual(["fail: TypeError: x is undefined"]);
    expect(await controlRequest(path, "echo", 1)).toBe(1);
  });

  it.each(["nothing", "constructor", "__proto__"])("for the unknown method %s is refused by name", async (method) => {
    await serve();
    expect(await codeOf(controlRequest(path, method))).toBe("RAMPART_E_CONTROL_METHOD");
  });

  it("that is never answered ends with the caller's timeout", async () => {
    await serve({ hang: (_params, stream) => stream.closed });
    expect(await codeOf(controlRequest(path, "hang", {}, 100))).toBe("RAMPART_E_CONTROL_TIMEOUT");
  });

  it("whose result is too long for a line gets an error instead", async () => {
    await serve({ huge: () => "x".repeat(MAX_MESSAGE_BYTES) });
    expect(await codeOf(controlRequest(path, "huge"))).toBe("RAMPART_E_CONTROL_TOO_LARGE");
  });

  it("is answered also after the client has closed its sending side", async () => {
    await serve({ slow: () => new Promise((resolve) => setTimeout(resolve, 50, "late")) });
    const { socket, text } = await rawClient();
    socket.end('{"id":7,"method":"slow"}\n');
    await once(socket, "close");
    expect(JSON.parse(text())).toEqual({ id: 7, result: "late" });
  });
});

describe("a client that breaks the protocol", () => {
  it.each([
    ["text that is no JSON", "hello\n"],
    ["JSON that is no object", "[1,2]\n"],
    ["no id", '{"method":"echo"}\n'],
    ["an id below 1", '{"id":0,"method":"echo"}\n'],
    ["no method", '{"id":1}\n'],
    ["bytes that are no UTF-8", Buffer.from([0xff, 0xfe, 0x0a])],
    ["a line over the bound", `${"x".repeat(MAX_REQUEST_BYTES + 1)}\n`],
    ["a line over the bound that never ends", "x".repeat(MAX_REQUEST_BYTES * 3)],
  ])("%s: is told so and hung up on, and others are served", async (_name, bytes) => {
    await serve();
    const { socket, text } = await rawClient();
    socket.write(bytes);
    await once(socket, "close");
    const lines = text().trimEnd().split("\n");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ id: 0, error: { code: "RAMPART_E_CONTROL_PROTOCOL" } });
    expect(await controlRequest(path, "echo", 1)).toBe(1);
  });

  it("asks for too much at a time", async () => {
    let running = 0;
    await serve({
      hang: (_params, stream) => {
        running++;
        return stream.closed;
      },
    });
    const { socket, text } = await rawClient();
    for (let id = 1; id <= 20; id++) socket.write(`{"id":${id},"method":"hang"}\n`);
    await once(socket, "close");
    expect(running).toBe(8);
    expect(text()).toContain("RAMPART_E_CONTROL_PROTOCOL");
  });

  it("cannot open more connections than the bound", async () => {
    await serve({ hang: (_params, stream) => stream.closed });
    const clients = await Promise.all(Array.from({ length: 64 }, () => rawClient()));
    for (const { socket } of clients) socket.write('{"id":1,"method":"hang"}\n');
    expect(await codeOf(controlRequest(path, "echo"))).toBe("RAMPART_E_CONTROL_LOST");
    clients[0]!.socket.destroy();
    await expect.poll(() => controlRequest(path, "echo", 1).catch(() => 0)).toBe(1);
  });
});

describe("a stream", () => {
  it("delivers events in order, then the result", async () => {
    await serve({
      count: (_params, stream) => {
        for (let i = 0; i < 1_000; i++) stream.push(i);
        return "done";
      },
    });
    const events: unknown[] = [];
    const stream = controlStream(path, "count", {}, (event) => events.push(event));
    expect(await stream.done).toBe("done");
    expect(events).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
  });

  it("closed by the client still gets the handler's closing word", async () => {
    await serve({
      tick: async (_params, stream) => {
        stream.push("first");
        await stream.closed;
        return { after: "close" };
      },
    });
    const stream = controlStream(path, "tick", {}, () => stream.close());
    expect(await stream.done).toEqual({ after: "close" });
  });

  it("drops for a reader that is too slow, in bounded memory, and goes on when it reads again", async () => {
    const event = "x".repeat(10_000);
    let pushed = 0;
    let dropped = 0;
    const flood = { on: true };
    await serve({
      flood: async (_params, stream) => {
        while (flood.on) {
          for (let i = 0; i < 100; i++) {
            if (stream.push(event)) pushed++;
            else dropped++;
          }
          await new Promise((resolve) => setImmediate(resolve));
        }
        while (!stream.push("after the flood")) await new Promise((resolve) => setTimeout(resolve, 5));
        return "end";
      },
    });
    const events: unknown[] = [];
    const stream = controlStream(path, "flood", {}, (value) => events.push(value));
    stream.pause();
    await expect.poll(() => dropped).toBeGreaterThan(10_000);
    const held = pushed * event.length;
    expect(held).toBeLessThan(4 * 1024 * 1024);
    flood.on = false;
    stream.resume();
    expect(await stream.done).toBe("end");
    expect(events.at(-1)).toBe("after the flood");
    expect(events).toHaveLength(pushed + 1);
  });

  it("whose client dies is closed for the handler, and its pushes are refused", async () => {
    let outcome: boolean | undefined;
    await serve({
      wait: async (_params, stream) => {
        stream.push("ready");
        await stream.closed;
        await new Promise((resolve) => setTimeout(resolve, 50));
        outcome = stream.push("too late");
      },
    });
    const { socket } = await rawClient();
    socket.write('{"id":1,"method":"wait"}\n');
    await once(socket, "data");
    socket.destroy();
    await expect.poll(() => outcome).toBe(false);
  });

  it("ends with an error when the daemon goes away", async () => {
    const server = await serve({
      wait: async (_params, stream) => {
        stream.push("ready");
        await stream.closed;
      },
    });
    const stream = controlStream(path, "wait", {}, () => void server.close());
    expect(await codeOf(stream.done)).toBe("RAMPART_E_CONTROL_LOST");
  });
});

describe("the socket file", () => {
  it("has mode 0600 whatever the umask, also before anything ran after bind", async () => {
    const before = process.umask(0);
    try {
      const server = new ControlServer(path, {});
      const listening = server.listen();
      expect(statSync(path).mode & 0o777).toBe(0o600);
      await listening;
      cleanups.push(() => server.close());
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(before);
    }
  });

  it("gets its directory, for the owner only", async () => {
    path = join(directory, "run", "control.sock");
    await serve();
    expect(statSync(join(directory, "run")).mode & 0o777).toBe(0o700);
    expect(await controlRequest(path, "echo", 1)).toBe(1);
  });

  it("is gone after close, which may be called twice", async () => {
    const server = await serve();
    await server.close();
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  it("left behind by a killed daemon is replaced", async () => {
    const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(existsSync(path)).toBe(true);
    await serve();
    expect(await controlRequest(path, "echo", 1)).toBe(1);
  });

  it("somebody answers on is left to them", async () => {
    await serve();
    expect(await codeOf(new ControlServer(path, {}).listen())).toBe("RAMPART_E_CONTROL_BUSY");
    expect(await controlRequest(path, "echo", 1)).toBe(1);
  });

  it("of a daemon that takes over is beside the other's until it moves in, and goes with it", async () => {
    const before = await serve();
    const next = new ControlServer(path, { echo: () => "the next one" });
    await next.listen({ aside: true });
    cleanups.push(() => next.close());
    expect(await controlRequest(path, "echo", "the one before")).toBe("the one before");
    await before.close();
    next.moveIn();
    expect(await controlRequest(path, "echo")).toBe("the next one");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(["control.sock"]);
    await next.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("of a daemon that did not take over goes, and leaves the other's", async () => {
    await serve();
    const next = new ControlServer(path, {});
    await next.listen({ aside: true });
    await next.close();
    expect(readdirSync(directory)).toEqual(["control.sock"]);
    expect(await controlRequest(path, "echo", 1)).toBe(1);
  });

  it("that is no socket is left alone", async () => {
    writeFileSync(path, "precious");
    expect(await codeOf(new ControlServer(path, {}).listen())).toBe("RAMPART_E_CONTROL_PATH");
    expect(statSync(path).size).toBe(8);
  });

  it.each([
    ["too long a path", () => join(directory, "x".repeat(120)), "RAMPART_E_CONTROL_PATH"],
    ["a file where the directory should be", () => join(directory, "file", "control.sock"), "RAMPART_E_CONTROL_PATH"],
    ["a place nobody may write", () => "/proc/rampart/control.sock", "RAMPART_E_CONTROL_PATH"],
  ])("cannot be made: %s", async (_name, place, code) => {
    writeFileSync(join(directory, "file"), "");
    expect(await codeOf(new ControlServer(place(), {}).listen())).toBe(code);
  });
});

describe("without a daemon", () => {
  it("a missing socket is named, with what to do", async () => {
    await expect(controlRequest(path, "status")).rejects.toMatchObject({
      code: "RAMPART_E_DAEMON_ABSENT",
      message: `no rampart daemon answers on ${path}`,
    });
  });

  it("a dead socket is the same to the user", async () => {
    const server = createServer().listen(path);
    await once(server, "listening");
    renameSync(path, `${path}.kept`);
    server.close();
    await once(server, "close");
    expect(await codeOf(controlRequest(`${path}.kept`, "status"))).toBe("RAMPART_E_DAEMON_ABSENT");
  });

  it("a path below a file is the same to the user", async () => {
    writeFileSync(join(directory, "file"), "");
    expect(await codeOf(controlRequest(join(directory, "file", "s"), "status"))).toBe("RAMPART_E_DAEMON_ABSENT");
  });

  it("a socket of another user asks for sudo", async () => {
    await serve();
    // Root may open every file, so as root the question is asked as nobody.
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65534);
    else chmodSync(path, 0);
    const code = codeOf(controlRequest(path, "status"));
    if (root) process.seteuid?.(0);
    expect(await code).toBe("RAMPART_E_PRIVILEGE");
  });
});
