/** `rampart tap`: prints judged packets live from the running daemon, or writes them as pcapng. */
import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { type Command, InvalidArgumentError } from "commander";
import { loadSettings } from "../config/settings.ts";
import { type ControlStreamHandle, controlStream } from "../control/client.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { formatTapPacket } from "../tap/format.ts";
import { PcapngEncoder } from "../tap/pcapng.ts";
import { loadServiceNames } from "../tap/service-names.ts";
import { decodeTapEvent, decodeTapSummary } from "../tap/tap-event.ts";
import type { TapPacket } from "../tap/tap-packet.ts";

interface TapOptions {
  readonly numeric?: boolean;
  readonly count?: number;
  readonly snaplen?: number;
  readonly write?: string;
  readonly config?: string;
  readonly socket?: string;
}

export function registerTap(program: Command): void {
  program
    .command("tap")
    .description("print packets with their verdict, live from the running daemon, in tcpdump's layout")
    .argument("[filter...]", "pcap-filter(7) expression over IP packets, applied inside the daemon")
    .option("-n, --numeric", "ports as numbers (addresses always are: there are no DNS lookups)")
    .option("-c, --count <n>", "exit after n packets", positiveInteger)
    .option("-s, --snaplen <bytes>", "bytes of each packet to take", positiveInteger)
    .option("-w, --write <file>", "write pcapng with the verdict as each packet's comment; - is standard output")
    .option("--config <file>", "settings file, for the control socket's path")
    .option("--socket <path>", "the daemon's control socket")
    .action(async (filter: string[], options: TapOptions) => {
      const socket = options.socket ?? loadSettings(options.config).settings.control.socket;
      const { count, snaplen } = options;
      await tap(socket, { filter: filter.join(" "), count, snaplen }, options);
    });
}

async function tap(socket: string, params: object, options: TapOptions): Promise<void> {
  const output = new Output(options);
  let packets = 0;
  let lost = 0;
  const stream = controlStream(socket, "tap", params, (value) => {
    const event = decodeTapEvent(value);
    if (event === undefined) return;
    if ("packet" in event) {
      packets++;
      output.packet(event.packet);
    } else if ("lost" in event) {
      lost = event.lost;
    } else {
      process.stderr.write("listening; Ctrl-C ends\n");
      output.open(stream);
    }
  });
  const stop = (): void => stream.close();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    lost = decodeTapSummary(await stream.done)?.lost ?? lost;
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
    await output.close();
    if (output.opened) process.stderr.write(`${packets} packets, ${lost} lost\n`);
  }
  if (output.failure !== undefined) throw output.failure;
}

/** Where packets go. While it cannot take more, the daemon's stream is paused, so that the daemon drops and counts. */
class Output {
  failure: RampartError | undefined;
  opened = false;
  readonly #file: string | undefined;
  readonly #encode: (packet: TapPacket) => string | Uint8Array;
  readonly #header: Uint8Array | undefined;
  #sink: Writable | undefined;
  #stream: ControlStreamHandle | undefined;

  constructor({ write, numeric = false }: TapOptions) {
    this.#file = write === "-" ? undefined : write;
    if (write === undefined) {
      const names = numeric ? undefined : loadServiceNames();
      const format = names === undefined ? { numeric } : { numeric, names };
      this.#encode = (packet) => `${formatTapPacket(packet, format)}\n`;
    } else {
      const encoder = new PcapngEncoder();
      this.#header = encoder.header("rampart tap");
      this.#encode = (packet) => encoder.packet(packet);
    }
  }

  /** Only once the daemon listens: a tap that never began leaves an older file as it was. */
  open(stream: ControlStreamHandle): void {
    this.opened = true;
    this.#stream = stream;
    this.#sink = this.#file === undefined ? process.stdout : createWriteStream(this.#file, { mode: 0o600 });
    this.#sink.on("error", (error) => this.#failed(error));
    this.#sink.on("drain", () => stream.resume());
    if (this.#header !== undefined) this.#sink.write(this.#header);
  }

  packet(packet: TapPacket): void {
    if (this.#sink?.write(this.#encode(packet)) === false) this.#stream?.pause();
  }

  async close(): Promise<void> {
    const sink = this.#sink;
    if (sink === undefined || sink === process.stdout || sink.destroyed) return;
    // A failed write was kept by the error listener; it is not thrown twice.
    await finished(sink.end()).catch(() => {});
  }

  #failed(error: NodeJS.ErrnoException): void {
    // Whoever read our standard output has seen enough: `rampart tap | head`.
    if (error.code !== "EPIPE") {
      const place = this.#file ?? "standard output";
      this.failure ??= new RampartError("RAMPART_E_TAP_WRITE", `cannot write packets to ${place}: ${error.message}`, {
        hint: "choose a file that this user may write, on a file system with room",
        cause: error,
      });
    }
    this.#stream?.close();
  }
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1) throw new InvalidArgumentError("It must be a whole number above 0.");
  return value;
}
