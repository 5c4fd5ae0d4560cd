/**
 * Hands judged packets to whoever runs `rampart tap`. It never waits: a reader
 * that is too slow loses packets, counted, and verdicts never depend on it.
 * With no reader `active` is false and the packet path copies nothing.
 */
import type { ControlStream } from "../control/stream.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { type TapSummary, encodePacketEvent, parseTapParams } from "./tap-event.ts";
import type { TapPacket } from "./tap-packet.ts";

const MAX_SUBSCRIBERS = 16;
const LOST_INTERVAL_MS = 1_000;

/** A compiled filter over raw IP packets. */
export interface PacketMatcher {
  matches(bytes: Uint8Array, offset: number, length: number, originalLength: number): boolean;
}

export interface TapHubOptions {
  /** Compiles a filter expression; throws for a bad one, a RampartError or any other Error. */
  readonly compile: (expression: string) => PacketMatcher;
  /** Called when the first reader comes and when the last one goes. */
  readonly onActiveChange: (active: boolean) => void;
}

interface Subscriber {
  readonly stream: ControlStream;
  readonly matcher: PacketMatcher | undefined;
  readonly snaplen: number;
  readonly count: number;
  readonly finish: () => void;
  packets: number;
  lost: number;
}

export class TapHub {
  readonly #options: TapHubOptions;
  readonly #subscribers = new Set<Subscriber>();
  #lost = 0;

  constructor(options: TapHubOptions) {
    this.#options = options;
  }

  get active(): boolean {
    return this.#subscribers.size > 0;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Packets that slow readers did not get, since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Offers a packet to every reader; its bytes may be reused after the call. */
  publish(packet: TapPacket): void {
    for (const subscriber of this.#subscribers) {
      const { matcher } = subscriber;
      const { bytes, originalLength } = packet;
      if (matcher !== undefined && !matcher.matches(bytes, 0, bytes.length, originalLength)) continue;
      if (subscriber.stream.push(encodePacketEvent(packet, subscriber.snaplen))) {
        subscriber.packets++;
        if (subscriber.packets >= subscriber.count) this.#remove(subscriber);
      } else {
        subscriber.lost++;
        this.#lost++;
      }
    }
  }

  /**
   * Tells every reader that so many packets never came here, because the way from the packet path was full.
   * They are not in `lost`: the packet path counts them itself. A reader's filter might not have matched them.
   */
  missed(count: number): void {
    for (const subscriber of this.#subscribers) subscriber.lost += count;
  }

  /**
   * The control method "tap": streams packets until the client leaves or `count` is reached.
   * @throws RampartError RAMPART_E_TAP_FILTER, RAMPART_E_TAP_PARAMS, RAMPART_E_TAP_BUSY.
   */
  async subscribe(stream: ControlStream, params: unknown): Promise<TapSummary> {
    const { filter, snaplen, count = Number.POSITIVE_INFINITY } = parseTapParams(params);
    const matcher = filter === undefined || filter.trim() === "" ? undefined : this.#compile(filter);
    if (this.#subscribers.size >= MAX_SUBSCRIBERS) {
      throw new RampartError("RAMPART_E_TAP_BUSY", `${MAX_SUBSCRIBERS} taps are running already`, {
        hint: "stop one of them",
      });
    }
    const subscriber = await new Promise<Subscriber>((resolve) => {
      const added: Subscriber = {
        stream,
        matcher,
        snaplen,
        count,
        finish: () => resolve(added),
        packets: 0,
        lost: 0,
      };
      this.#add(added);
    });
    return { packets: subscriber.packets, lost: subscriber.lost };
  }

  #add(subscriber: Subscriber): void {
    const { stream } = subscriber;
    this.#subscribers.add(subscriber);
    stream.push({ listening: true });
    let told = 0;
    const timer = setInterval(() => {
      const { lost } = subscriber;
      if (lost !== told && stream.push({ lost })) told = lost;
    }, LOST_INTERVAL_MS).unref();
    void stream.closed.then(() => this.#remove(subscriber)).finally(() => clearInterval(timer));
    if (this.#subscribers.size === 1) this.#options.onActiveChange(true);
  }

  #remove(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber)) return;
    subscriber.finish();
    if (this.#subscribers.size === 0) this.#options.onActiveChange(false);
  }

  #compile(filter: string): PacketMatcher {
    try {
      return this.#options.compile(filter);
    } catch (error) {
      if (error instanceof RampartError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new RampartError("RAMPART_E_TAP_FILTER", `the filter "${filter}" is not valid: ${reason}`, {
        hint: "write it as for tcpdump (pcap-filter(7)), such as `tcp port 22 and src net 10.0.0.0/8`",
        cause: error,
      });
    }
  }
}
