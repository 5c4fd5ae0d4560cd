/**
 * A daemon with one policy file that is replaced from test to test. Every
 * write is a change, also one that says the same, so it can be waited for.
 */
import { startRampart } from "../../../src/sandbox/daemon.ts";
import type { RampartOptions, RampartProcess } from "../../../src/sandbox/daemon.ts";
import type { Host } from "../../../src/sandbox/host.ts";

const FILE = "policy.yaml";

export class PolicyFile {
  readonly rampart: RampartProcess;
  #written = 0;

  private constructor(rampart: RampartProcess) {
    this.rampart = rampart;
  }

  /** Starts a daemon on the host with an empty policy file. */
  static async start(host: Host, settings: RampartOptions["settings"] = {}): Promise<PolicyFile> {
    return new PolicyFile(await startRampart(host, { policies: { [FILE]: marker(0) }, settings }));
  }

  /** Resolves when these documents, and no others, are in force. */
  async enforce(...documents: readonly string[]): Promise<void> {
    const text = marker(++this.#written) + documents.join("");
    await this.rampart.changePolicy(() => this.rampart.writePolicy(FILE, text));
  }
}

/** A network set that no policy asks for. */
function marker(number: number): string {
  const metadata = JSON.stringify({ name: "marker", labels: { number: String(number) } });
  const spec = '{"nets":["192.0.2.1/32"]}';
  return `{"apiVersion":"projectcalico.org/v3","kind":"GlobalNetworkSet","metadata":${metadata},"spec":${spec}}\n---\n`;
}
