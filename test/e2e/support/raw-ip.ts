/** IP protocols that have no ports, by the Perl program beside this file. */
import { fileURLToPath } from "node:url";
import type { Host } from "../../../src/sandbox/host.ts";
import type { SandboxProcess } from "../../../src/sandbox/process.ts";

const PROGRAM = fileURLToPath(new URL("raw-ip.pl", import.meta.url));

/** A host's end: answers questions in its protocols, and asks others. */
export class RawIpPeer {
  readonly #process: SandboxProcess;
  #last = 0;

  private constructor(process: SandboxProcess) {
    this.#process = process;
  }

  static async start(host: Host, protocols: readonly number[]): Promise<RawIpPeer> {
    const process = host.spawn(["perl", PROGRAM, ...protocols.map(String)], { stdin: true });
    await process.waitForOutput(/^listening\n/);
    return new RawIpPeer(process);
  }

  /** Ask one question; "pass" when the answer comes back, "drop" after silence. Tried again where it should pass. */
  async ask(address: string, protocol: number, expected: "pass" | "drop"): Promise<"pass" | "drop"> {
    for (let tries = expected === "pass" ? 3 : 1; ; tries--) {
      const id = ++this.#last;
      const timeoutMs = expected === "pass" ? 2000 : 300;
      this.#process.write(`${id} ${address.includes(":") ? 6 : 4} ${address} ${protocol} ${timeoutMs}\n`);
      const [, outcome] = await this.#process.waitForOutput(new RegExp(`^${id} (\\w+)\\n`, "m"), timeoutMs + 5000);
      if (outcome === "answered") return "pass";
      if (tries <= 1) return "drop";
    }
  }
}
