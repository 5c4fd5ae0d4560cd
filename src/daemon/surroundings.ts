/** Follows what changes around the daemon: interfaces and their addresses, and DNAT of local packets by others. */
import type { Logger } from "pino";
import type { NativeBinding, NativeInterfaceWatch } from "../native/binding.ts";
import type { Enforcer } from "./enforcer.ts";
import type { DaemonState } from "./state.ts";

const OUTPUT_NAT_INTERVAL_MS = 5000;
const INTERFACE_SETTLE_MS = 20;

export interface SurroundingsOptions {
  readonly native: Pick<NativeBinding, "watchInterfaces">;
  readonly log: Logger;
  readonly state: DaemonState;
  readonly enforcer: () => Enforcer;
}

export class Surroundings {
  readonly #options: SurroundingsOptions;
  #watch: NativeInterfaceWatch | undefined;
  #outputNatTimer: NodeJS.Timeout | undefined;
  #interfaceTimer: NodeJS.Timeout | undefined;

  constructor(options: SurroundingsOptions) {
    this.#options = options;
  }

  follow(): void {
    this.#watch = this.#options.native.watchInterfaces(() => this.interfacesChanged());
    this.#outputNatTimer = setInterval(() => void this.#followOutputNat(), OUTPUT_NAT_INTERVAL_MS);
  }

  stop(): void {
    this.#watch?.close();
    clearInterval(this.#outputNatTimer);
    clearTimeout(this.#interfaceTimer);
  }

  /** Endpoints are chosen again when nothing more comes for a moment. */
  interfacesChanged(): void {
    if (this.#interfaceTimer !== undefined) return;
    this.#interfaceTimer = setTimeout(() => {
      this.#interfaceTimer = undefined;
      this.#options.enforcer().followInterfaces().then(
        (changed) => {
          const current = this.#options.enforcer().current;
          if (!changed || current === undefined) return;
          this.#options.state.followed(current);
          this.#options.log.info({ generation: this.#options.state.generation }, "interfaces changed; endpoints chosen again");
        },
        (error: unknown) => this.#options.log.error({ err: error }, "could not follow a change of interfaces"),
      );
    }, INTERFACE_SETTLE_MS);
  }

  async #followOutputNat(): Promise<void> {
    try {
      if (await this.#options.enforcer().followOutputNat()) {
        this.#options.log.info("another program has begun to DNAT local packets; they are judged in POSTROUTING from now on");
      }
    } catch (error) {
      this.#options.log.error({ err: error }, "could not look for DNAT of local packets");
    }
  }
}
