/** The settings file: defaults, limits, and errors that point at the place. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LoadedSettings } from "../../src/config/settings.ts";
import { loadSettings } from "../../src/config/settings.ts";
import { RampartError } from "../../src/errors/rampart-error.ts";

/** Half of the cores, at least one, at most eight. */
const BY_CORES = Math.min(8, Math.max(1, Math.floor(availableParallelism() / 2)));

let directory = "";
let file = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "rampart-config-"));
  file = join(directory, "rampart.yaml");
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function load(yaml: string): LoadedSettings {
  writeFileSync(file, yaml);
  return loadSettings(file);
}

function failure(yaml: string): RampartError {
  try {
    load(yaml);
  } catch (error) {
    if (error instanceof RampartError) return error;
    throw error;
  }
  throw new Error("the settings were accepted");
}

describe("the file", () => {
  it("may have a megabyte, and is not read when it has more", () => {
    expect(load(`#${"x".repeat(1024 * 1024 - 2)}\n`).warnings).toEqual([]);
    expect(failure(`#${"x".repeat(1024 * 1024 - 1)}\n`)).toMatchObject({
      code: "RAMPART_E_CONFIG",
      message: expect.stringContaining("larger than 1048576 bytes") as string,
    });
  });
});

describe("defaults", () => {
  it("fills in everything for an empty file", () => {
    expect(load("")).toEqual({
      settings: {
        node: hostname(),
        policy: { paths: [join(directory, "policy.d")], watch: true, debounceMs: 50, lenientYaml: true },
        queue: {
          number: 100,
          backend: "native",
          maxLength: 8192,
          copyRange: 512,
          gatherMicros: 0,
          receiveBuffer: 33_554_432,
          failOpen: false,
        },
        iptables: { variant: "auto", lockWaitSeconds: 10 },
        marks: { packet: 0xff000000, connection: 0xff00 },
        exemptLoopback: true,
        datapath: { offload: "connmark", workers: BY_CORES },
        established: "rejudge",
        startup: "closed",
        stateDirectory: "/var/lib/rampart",
        watchdog: { canary: true, intervalSeconds: 2, patienceSeconds: 10 },
        overload: {
          secondLane: true,
          sourcePerSecond: 2000,
          destinationPerSecond: 20_000,
          deniedPerSecond: 20_000,
          queueLength: 1024,
        },
        flows: { capacity: 65_536 },
        log: { level: "info", format: "json", deniedPerSecond: 50 },
        metrics: { host: "127.0.0.1", port: 9095 },
        control: { socket: "/run/rampart/control.sock" },
      },
      file,
      warnings: [],
    });
  });

  it("takes a section whose keys are all commented out as defaults", () => {
    expect(load("queue:\n  # number: 7\nnode:\n").settings.queue.number).toBe(100);
  });

  it("have no second lane where every packet is queued, where the package nfqueue has its own, and where it is switched off", () => {
    expect(load("datapath: {offload: none}\n").settings.overload.secondLane).toBe(false);
    expect(load("queue: {backend: nfqueue}\ndatapath: {workers: 1}\n").settings.overload.secondLane).toBe(false);
    expect(load("overload: {secondLane: false}\nqueue: {number: 65535}\ndatapath: {workers: 1}\n").settings.overload.secondLane).toBe(false);
    expect(load("datapath: {offload: connmark}\n").settings.overload.secondLane).toBe(true);
  });

  it("takes the state directory as an absolute path, and startup as closed or open", () => {
    const { settings } = load("startup: open\nstateDirectory: /srv/rampart\n");
    expect([settings.startup, settings.stateDirectory]).toEqual(["open", "/srv/rampart"]);
    expect(failure("stateDirectory: state\n").message).toContain("stateDirectory: must be an absolute path");
    expect(failure("startup: half\n").message).toContain("startup: must be one of closed, open");
  });

  it("keeps zero and false where they are written", () => {
    const { settings } = load("queue: {number: 0}\nlog: {deniedPerSecond: 0}\nexemptLoopback: false\n");
    expect([settings.queue.number, settings.log.deniedPerSecond, settings.exemptLoopback]).toEqual([0, 0, false]);
  });

  it("makes room for more connections where userspace alone knows them, unless told", () => {
    const capacity = (yaml: string): number => load(yaml).settings.flows.capacity;
    expect(capacity("datapath: {offload: none}\n")).toBe(262_144);
    expect(capacity("datapath: {offload: none}\nflows: {capacity: 5000}\n")).toBe(5000);
    expect(capacity("flows: {capacity: 5000}\n")).toBe(5000);
  });

  it("sizes the receive buffer for a longer queue", () => {
    const { settings, warnings } = load("queue: {maxLength: 100000}\n");
    expect(settings.queue.receiveBuffer).toBeGreaterThanOrEqual(100_000 * (512 + 1024));
    expect(warnings).toEqual([]);
  });
});

describe("policy paths", () => {
  it("count from the settings file's directory, absolute ones stay", () => {
    const { settings } = load("policy: {paths: [policies, ../shared.yaml, /etc/x]}\n");
    expect(settings.policy.paths).toEqual([join(directory, "policies"), join(directory, "../shared.yaml"), "/etc/x"]);
  });
});

describe("metrics.listen", () => {
  it.each([
    ["127.0.0.1:9100", { host: "127.0.0.1", port: 9100 }],
    ['"[::1]:9100"', { host: "::1", port: 9100 }],
    ["localhost:1", { host: "localhost", port: 1 }],
    ["off", undefined],
  ])("accepts %s", (written, expected) => {
    const { settings, warnings } = load(`metrics: {listen: ${written}}\n`);
    expect(settings.metrics).toEqual(expected);
    expect(warnings).toEqual([]);
  });

  it("warns, with the place, about an address other hosts reach", () => {
    const { settings, warnings } = load('metrics:\n  listen: "0.0.0.0:9095"\n');
    expect(settings.metrics).toEqual({ host: "0.0.0.0", port: 9095 });
    expect(warnings).toMatchObject([{ code: "RAMPART_W_METRICS_EXPOSED", location: { file, line: 2, column: 11 } }]);
  });
});

describe("warnings", () => {
  it("names a receive buffer that cannot hold a full queue", () => {
    const { warnings } = load("queue: {receiveBuffer: 1048576}\n");
    expect(warnings).toMatchObject([{ code: "RAMPART_W_RECEIVE_BUFFER" }]);
  });

  it("names a queue longer than any receive buffer holds, and takes the largest", () => {
    const { settings, warnings } = load("queue: {maxLength: 1000000, copyRange: 65535}\n");
    expect(settings.queue.receiveBuffer).toBe(2 ** 30 - 1);
    expect(warnings).toMatchObject([
      { code: "RAMPART_W_RECEIVE_BUFFER", location: { line: 1, column: 20 }, hint: expect.stringContaining("lower one") },
    ]);
  });
});

describe("errors", () => {
  it.each([
    ["a number too large", "queue:\n  number: 70000\n", 2, 11, "queue.number: must be a whole number from 0 to 65535"],
    ["a wrong type", "datapath: {workers: many}\n", 1, 21, "datapath.workers: must be a whole number from 1 to 64"],
    ["a fraction", "datapath: {workers: 1.5}\n", 1, 21, "datapath.workers: must be a whole number from 1 to 64"],
    ["yes for a boolean", "queue: {failOpen: yes}\n", 1, 19, "queue.failOpen: must be true or false"],
    ["a variant", "iptables: {variant: nftables}\n", 1, 21, "iptables.variant: must be one of auto, nft, legacy"],
    ["a list for a section", "queue: [1]\n", 1, 8, "queue: must be a mapping of settings"],
    ["a scalar file", "hello\n", 1, 1, "settings: must be a mapping of settings"],
    ["no policy paths", "policy: {paths: []}\n", 1, 17, "policy.paths: must name at least one file or directory"],
    ["an empty path", 'policy:\n  paths:\n    - ""\n', 3, 7, "policy.paths.0: must be a file or directory"],
    ["a broken mask", "marks: {packet: 0xff0f}\n", 1, 17, "marks.packet: must be one run of bits, such as 0xff00"],
    ["a small mask", "marks: {connection: 0x7}\n", 1, 21, "marks.connection: must have at least 4 bits"],
    ["metrics port 0", 'metrics: {listen: "127.0.0.1:0"}\n', 1, 19, "metrics.listen: must be"],
    ["metrics without port", "metrics: {listen: localhost}\n", 1, 19, "metrics.listen: must be"],
    ["a relative socket", "control: {socket: run/x.sock}\n", 1, 19, "control.socket: must be an absolute path"],
    ["a long socket", `control: {socket: /${"x".repeat(107)}}\n`, 1, 19, "control.socket: must be at most 107 bytes"],
    ["a log level", "log: {level: loud}\n", 1, 14, "log.level: must be one of trace, debug"],
    ["workers of a backend that has none", "queue: {backend: nfqueue}\ndatapath:\n  workers: 2\n", 3, 12, "with the backend nfqueue"],
    ["nfqueue's second queue beyond 65535", "queue: {number: 65535, backend: nfqueue}\n", 1, 17, "the last queue would be 65536"],
    ["queues beyond 65535", "queue: {number: 65535}\ndatapath:\n  workers: 2\n", 3, 12, "the last queue would be 65537"],
    ["the second lane's queue beyond 65535", "queue:\n  number: 65535\n", 2, 11, "the last queue would be 65536"],
    ["tabs as indentation", "queue:\n\tnumber: 1\n", 2, 1, "not valid YAML"],
    ["a key twice", "node: a\nnode: b\n", 2, 1, "not valid YAML"],
    ["two documents", "node: a\n---\nnode: b\n", 2, 1, "not valid YAML"],
    ["an alias", "node: &n a\nlog: {level: *n}\n", 1, 1, "aliases"],
  ])("%s", (_name, yaml, line, column, message) => {
    const error = failure(yaml);
    expect(error.code).toBe("RAMPART_E_CONFIG");
    expect(error.message).toContain(message);
    expect(error.location).toEqual({ file, line, column });
  });

  it("refuses marks that share bits", () => {
    const error = failure("marks:\n  packet: 0xff00\n  connection: 0xf000\n");
    expect(error.message).toBe("marks.packet and marks.connection share the bits 0xf000");
    expect(error.location).toEqual({ file, line: 3, column: 15 });
  });

  it("names the nearest known key for a mistyped one", () => {
    const error = failure("queue:\n  failopen: true\n");
    expect(error).toMatchObject({ message: "unknown setting queue.failopen", hint: "did you mean failOpen?" });
    expect(error.location).toEqual({ file, line: 2, column: 3 });
    expect(failure("metric: {}\n").hint).toBe("did you mean metrics?");
  });

  it("lists the known keys when none is near", () => {
    expect(failure("log: {colour: true}\n").hint).toBe("known here: level, format, deniedPerSecond");
  });

  it("reports everything that is wrong at once, each with its place", () => {
    const error = failure("quue: {}\nlog:\n  level: loud\n  format: xml\n");
    expect(error.message.split("\n")).toHaveLength(4);
    for (const place of ["1:1", "3:10", "4:11"]) expect(error.message).toContain(`${file}:${place}: RAMPART_E_CONFIG`);
  });

  it.each([
    ["brackets", "[".repeat(100_000)],
    ["colons after a bracket that is never closed", `a: [b, ${"c: ".repeat(100_000)}\nd: e\n`],
    ["keys that are mappings", `queue:\n  number: 1\n${"? ".repeat(60)}a\n`],
  ])("refuses what nests deep by %s, quickly", (_what, yaml) => {
    const started = performance.now();
    const message = "nested deeper than 8 levels";
    expect(failure(yaml)).toMatchObject({ code: "RAMPART_E_CONFIG", location: { file }, message });
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it("says that a named file is not there", () => {
    expect(() => loadSettings(join(directory, "absent.yaml"))).toThrow(/absent\.yaml: it does not exist/);
  });
});
