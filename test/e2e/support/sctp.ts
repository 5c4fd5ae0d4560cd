/** SCTP between hosts, by the Perl program beside this file: the kernel need not have it. */
import { fileURLToPath } from "node:url";
import type { Host } from "../../../src/sandbox/host.ts";
import type { SandboxProcess } from "../../../src/sandbox/process.ts";

const PROGRAM = fileURLToPath(new URL("sctp.pl", import.meta.url));

export type SctpOutcome = "answered" | "timeout";

/** A host's end: answers on its ports, and tries those of others. */
export class SctpPeer {
  readonly #process: SandboxProcess;
  #last = 0;

  private constructor(process: SandboxProcess) {
    this.#process = process;
  }

  static async start(host: Host, ports: readonly number[]): Promise<SctpPeer> {
    const process = host.spawn(["perl", PROGRAM, ...ports.map(String)], { stdin: true });
    await process.waitForOutput(/^listening\n/);
    return new SctpPeer(process);
  }

  /** Send one INIT; "answered" when its INIT ACK comes back. */
  async init(address: string, port: number, timeoutMs: number): Promise<SctpOutcome> {
    const id = ++this.#last;
    this.#process.write(`${id} ${address.includes(":") ? 6 : 4} ${address} ${port} ${timeoutMs}\n`);
    const [, outcome] = await this.#process.waitForOutput(new RegExp(`^${id} (\\w+)\\n`, "m"), timeoutMs + 5000);
    return outcome as SctpOutcome;
  }
}
