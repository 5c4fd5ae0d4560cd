import { afterAll, beforeAll, expect, test } from "vitest";
import { loadNative } from "../../src/native/load.ts";
import { CompiledSources } from "./namespace.ts";

const sources = new CompiledSources();
beforeAll(() => sources.build(false));
afterAll(() => sources.remove());

test("the built addon has every function of the binding, and is loaded once", () => {
  const native = loadNative();
  expect(Object.keys(native).toSorted()).toEqual([
    "bindDatagram",
    "boundMemory",
    "listInterfaces",
    "openConntrack",
    "openQueue",
    "receiveDatagram",
    "releaseMemory",
    "releasePages",
    "runProgram",
    "sendDatagram",
    "sendMarked",
    "tableDigest",
    "wakeQueue",
    "watchInterfaces",
    "watchRuleset",
  ]);
  expect(loadNative()).toBe(native);
});

function missing(name: string, hint: string): Error {
  return expect.objectContaining({
    code: "RAMPART_E_NATIVE_MISSING",
    message: expect.stringContaining(`${name}.node is not built`) as string,
    hint: expect.stringContaining(hint) as string,
  }) as Error;
}

test("a missing addon is RAMPART_E_NATIVE_MISSING with the command that builds it", async () => {
  const load = (await import(`${sources.environment.RAMPART_NATIVE_SOURCES}load.js`)) as Record<string, () => unknown>;
  expect(load["loadNative"]).toThrow(missing("rampart", "npm run build:native"));
  expect(load["loadPacketFilterCompiler"]).toThrow(missing("rampart_bpf", "libpcap-dev"));
});
