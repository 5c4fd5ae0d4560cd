/**
 * The HTTP side of metrics and health: /metrics, /healthz, /readyz, GET and
 * HEAD only. It reads no request body, bounds connections and times, and makes
 * at most one metrics page at a time, so that no scraper can keep the control
 * plane busy.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { RampartError } from "../errors/rampart-error.ts";

const MAX_CONNECTIONS = 32;
const HEADERS_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
const MAX_HEADER_BYTES = 8 * 1024;
const LISTEN_ATTEMPTS = 20;
const LISTEN_PAUSE_MS = 100;

interface Readiness {
  readonly ready: boolean;
  /** Why not; one sentence for a person. */
  readonly reason?: string;
  /** Ready, but not as the policy files want it; one sentence for a person. */
  readonly degraded?: string;
}

export interface MetricsServerOptions {
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  readonly registry: Registry;
  /** True while the process is worth keeping; a supervisor restarts it otherwise. */
  readonly alive: () => boolean;
  /** True only while packets are judged: hooks in place, queues served. */
  readonly ready: () => Readiness;
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export class MetricsServer {
  readonly #options: MetricsServerOptions;
  readonly #server: Server;
  #page: Promise<string> | undefined;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        maxHeaderSize: MAX_HEADER_BYTES,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * Begins to serve; resolves with the port bound.
   * @throws RampartError RAMPART_E_METRICS_LISTEN if the address cannot be had.
   */
  listen(): Promise<number> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        reject(
          new RampartError("RAMPART_E_METRICS_LISTEN", `cannot serve metrics on ${host}:${port}: ${reasonOf(error)}`, {
            hint: 'set metrics to another host:port, or to "off"',
            cause: error,
          }),
        );
      };
      this.#server.once("error", failed);
      this.#server.listen(port, host, () => {
        this.#server.off("error", failed);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** The same, for an address that another process is about to let go of. @throws as listen, after two seconds */
  async listenWhenFree(): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.listen();
      } catch (error) {
        if (attempt === LISTEN_ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, LISTEN_PAUSE_MS));
      }
    }
  }

  /** Stops serving and hangs up on everybody. Idempotent. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A body, should there be one, is thrown away.
    request.resume();
    const page = await this.#pageFor(request);
    response.writeHead(page.status, {
      "content-type": page.type,
      "content-length": Buffer.byteLength(page.body),
      "cache-control": "no-store",
      ...(page.status === 405 ? { allow: "GET, HEAD" } : {}),
    });
    response.end(request.method === "HEAD" ? undefined : page.body);
  }

  async #pageFor(request: IncomingMessage): Promise<Page> {
    if (request.method !== "GET" && request.method !== "HEAD") return text(405, "only GET and HEAD\n");
    const path = (request.url ?? "").split("?", 1)[0];
    if (path === "/healthz") return this.#options.alive() ? text(200, "ok\n") : text(503, "not alive\n");
    if (path === "/readyz") {
      const readiness = this.#options.ready();
      return { status: readiness.ready ? 200 : 503, type: "application/json", body: `${JSON.stringify(readiness)}\n` };
    }
    if (path === "/metrics") return this.#metrics();
    return text(404, "there are /metrics, /healthz and /readyz\n");
  }

  /** Scrapers that come while a page is in the making share it. */
  async #metrics(): Promise<Page> {
    const { registry } = this.#options;
    try {
      this.#page ??= registry.metrics().finally(() => {
        this.#page = undefined;
      });
      return { status: 200, type: registry.contentType, body: await this.#page };
    } catch (error) {
      return text(500, `metrics could not be read: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}

function text(status: number, body: string): Page {
  return { status, type: "text/plain; charset=utf-8", body };
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === "EADDRINUSE") return "another program listens there";
  if (error.code === "EADDRNOTAVAIL") return "this machine has no such address";
  if (error.code === "EACCES") return "no right to listen there";
  return error.message;
}
