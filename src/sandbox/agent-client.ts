/**
 * Our end of the traffic agent inside a host: numbers requests and matches
 * replies. Every call is answered or rejected, also when the agent dies.
 */
import { fileURLToPath } from "node:url";
import { RampartError } from "../errors/rampart-error.ts";
import type { AgentOperation, AgentOperations, AgentReply } from "./agent-protocol.ts";
import type { SandboxProcess, SpawnOptions } from "./process.ts";

interface Spawner {
  readonly name: string;
  spawn(argv: readonly string[], options: SpawnOptions): SandboxProcess;
}

// Run from the sources (by a test runner) the agent still is the built one: Node itself cannot load TypeScript.
const AGENT_FILE = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../dist/sandbox/agent.js" : "./agent.js", import.meta.url),
);

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

export class TrafficAgent {
  readonly #process: SandboxProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #hostName: string;
  #lastId = 0;
  #consumed = 0;

  private constructor(process: SandboxProcess, hostName: string) {
    this.#process = process;
    process.onActivity(() => this.#read());
    this.#hostName = hostName;
    void this.#rejectAtEnd();
  }

  static start(host: Spawner): TrafficAgent {
    return new TrafficAgent(host.spawn([process.execPath, AGENT_FILE], { stdin: true }), host.name);
  }

  get alive(): boolean {
    return this.#process.running;
  }

  /** Throws RAMPART_E_SANDBOX_AGENT when the agent could not do it (not when the network said no). */
  call<K extends AgentOperation>(
    operation: K,
    given: AgentOperations[K]["arguments"],
  ): Promise<AgentOperations[K]["result"]> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (!this.alive) {
        reject(this.#ended());
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#process.write(`${JSON.stringify({ id, operation, arguments: given })}\n`);
    });
  }

  async #rejectAtEnd(): Promise<void> {
    await this.#process.exited;
    for (const { reject } of this.#waiting.values()) reject(this.#ended());
    this.#waiting.clear();
  }

  #ended(): RampartError {
    return new RampartError("RAMPART_E_SANDBOX_AGENT", `the traffic agent of ${this.#hostName} ended`, {
      hint: this.#process.stderr.trim() || "build the project first: npm run build",
    });
  }

  #read(): void {
    const output = this.#process.stdout;
    for (;;) {
      const end = output.indexOf("\n", this.#consumed);
      if (end === -1) return;
      this.#settle(JSON.parse(output.slice(this.#consumed, end)) as AgentReply);
      this.#consumed = end + 1;
    }
  }

  #settle(reply: AgentReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ("error" in reply) {
      waiting?.reject(new RampartError("RAMPART_E_SANDBOX_AGENT", `the traffic agent failed: ${reply.error}`));
    } else {
      waiting?.resolve(reply.result as never);
    }
  }
}
