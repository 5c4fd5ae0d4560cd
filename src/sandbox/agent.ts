/**
 * The traffic agent: a program that runs inside a sandbox host, makes and
 * answers real traffic there, and tells on stdout how it went. It ends when
 * its stdin does. A request that fails is answered; it never ends the agent.
 */
import { get } from "node:http";
import { createInterface } from "node:readline";
import type { AgentOperations, AgentOperation, AgentRequest, HttpAnswer } from "./agent-protocol.ts";
import { burst } from "./agent-burst.ts";
import { Chatters } from "./agent-chatter.ts";
import { TcpTraffic } from "./agent-tcp.ts";
import { Transfers } from "./agent-transfer.ts";
import { UdpTraffic } from "./agent-udp.ts";

const tcp = new TcpTraffic();
const udp = new UdpTraffic();
const transfers = new Transfers();
const chatters = new Chatters();

type Handlers = {
  readonly [K in AgentOperation]: (
    given: AgentOperations[K]["arguments"],
  ) => Promise<AgentOperations[K]["result"]> | AgentOperations[K]["result"];
};

// Conversations and servers of UDP have negative numbers, so a number alone tells where it belongs.
const handlers: Handlers = {
  tcpConnect: (given) => tcp.connect(given),
  udpEcho: (given) => udp.echo(given),
  udpOpen: (given) => udp.open(given),
  converse: (given) => (given.conversation < 0 ? udp.converse(given) : tcp.converse(given)),
  hangUp: ({ conversation }) => (conversation < 0 ? udp.hangUp(conversation) : tcp.hangUp(conversation)),
  tcpEchoServer: ({ port }) => tcp.serve(port),
  udpEchoServer: ({ port }) => udp.serve(port),
  speak: ({ server, line }) => (server < 0 ? udp.speak(server, line) : tcp.speak(server, line)),
  transferServer: async (given) => {
    const { server, sha256 } = await transfers.serve(given);
    return { server: tcp.adopt(server), sha256 };
  },
  closeServer: ({ server }) => (server < 0 ? udp.closeServer(server) : tcp.closeServer(server)),
  transferStart: (given) => transfers.start(given),
  transferProgress: ({ transfer }) => transfers.progress(transfer),
  chatterServer: (given) => chatters.serve(given),
  chatterStart: (given) => chatters.start(given),
  chatterHeard: ({ chatter }) => chatters.heard(chatter),
  chatterEnd: ({ chatter }) => chatters.end(chatter),
  burst,
  httpGet: ({ address, port, path, timeoutMs }) => {
    return new Promise<HttpAnswer>((resolve, reject) => {
      const request = get({ host: address, port, path, timeout: timeoutMs, agent: false }, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (text: string) => (body += text));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        response.on("error", reject);
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      request.on("error", reject);
    });
  },
};

async function answer(line: string): Promise<void> {
  const request = JSON.parse(line) as AgentRequest;
  const handle = handlers[request.operation] as (given: unknown) => unknown;
  let reply: object;
  try {
    reply = { id: request.id, result: await handle(request.arguments) };
  } catch (error) {
    reply = { id: request.id, error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

const requests = createInterface({ input: process.stdin });
requests.on("line", (line) => void answer(line));
requests.on("close", () => process.exit(0));
