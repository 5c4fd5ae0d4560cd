/**
 * The iptables programs this process runs, so that the transactions they make
 * are told from other programs': nf_tables names the port id of the netlink
 * socket a transaction came over, which is its program's process id.
 */
import type { CommandRunner } from "./command.ts";

/** A notification may be read late. Process ids are handed out in a circle, so none is used again so soon. */
const REMEMBERED_MS = 5000;

export class OwnCommands {
  /** By process id: when it ended, in performance.now() milliseconds; Infinity while it runs. */
  readonly #ended = new Map<number, number>();
  readonly #runner: CommandRunner;

  constructor(runner: CommandRunner) {
    this.#runner = runner;
  }

  readonly run: CommandRunner = async (file, args, options) => {
    let own: number | undefined;
    const onStart = (pid: number): void => {
      own = pid;
      this.#ended.set(pid, Infinity);
    };
    try {
      return await this.#runner(file, args, { ...options, onStart });
    } finally {
      const now = performance.now();
      if (own !== undefined) this.#ended.set(own, now);
      for (const [pid, ended] of this.#ended) if (now - ended > REMEMBERED_MS) this.#ended.delete(pid);
    }
  };

  /** Whether a netlink port is of a program we run, or ran a moment ago. */
  has(port: number): boolean {
    const ended = this.#ended.get(port);
    return ended !== undefined && performance.now() - ended <= REMEMBERED_MS;
  }
}
