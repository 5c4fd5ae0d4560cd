/**
 * More policy changes than there are generation numbers. Under each number a
 * connection over TCP and one over UDP are the last that it allowed, so their
 * marks keep it; when the number is in force again, they speak. Others are idle
 * all the time and stay allowed.
 */
import { expect } from "vitest";
import { MarkLayout, DEFAULT_MARK_MASKS } from "../../../src/hooks/marks.ts";
import { startRampart } from "../../../src/sandbox/daemon.ts";
import {
  type Conversation,
  openTcp,
  openUdp,
  type Server,
  tcpEchoServer,
  udpEchoServer,
} from "../../../src/sandbox/probe.ts";
import { allowPorts, ETH0 } from "./documents.ts";
import { FAMILIES, type Lab } from "./lab.ts";
import { reload } from "./reload.ts";

const FIRST_PORT = 12_000;
const KEPT_PORT = 8080;
const SILENCE_MS = 500;
/** More are refused. */
const PORTS_OF_A_RULE = 50;

interface Idle {
  readonly port: number;
  readonly conversations: readonly Conversation[];
  readonly servers: readonly Server[];
}

interface Round {
  /** In the order in which they came into force. */
  readonly generations: readonly number[];
  /** Ports whose connections were heard from after they had been cut. */
  readonly revived: readonly number[];
}

/** `connectionMask` is the setting marks.connection; it says how many generations there are. */
export async function generationRound(lab: Lab, connectionMask: number): Promise<Round> {
  const { maxGeneration } = new MarkLayout({ ...DEFAULT_MARK_MASKS, connection: connectionMask });
  const ports = Array.from({ length: maxGeneration }, (_, index) => FIRST_PORT + index);
  let changes = 0;
  // A port that nobody uses makes every set another one.
  const allowed = (...open: readonly number[]): string => {
    const all = [KEPT_PORT, ...open, 30_000 + changes++];
    const policies = Array.from({ length: Math.ceil(all.length / PORTS_OF_A_RULE) }, (_, i) =>
      allowPorts(`open-${i}`, "ingress", ...all.slice(i * PORTS_OF_A_RULE, (i + 1) * PORTS_OF_A_RULE)),
    );
    return ETH0 + policies.join("");
  };
  const rampart = await startRampart(lab.shield, {
    policies: { "policy.yaml": allowed(...ports) },
    settings: { policy: { watch: false }, marks: { connection: connectionMask } },
  });
  const idle: Idle[] = [];
  try {
    for (const [index, port] of ports.entries()) idle.push(await openBoth(lab, port, index));
    const kept = await Promise.all(
      FAMILIES.flatMap(({ shield }) => [openTcp, openUdp].map((open) => open(lab.client, shield, KEPT_PORT))),
    );
    await expectAnswers([...idle.flatMap(({ conversations }) => conversations), ...kept]);

    const generations = [await rampart.generation()];
    const change = async (...open: readonly number[]): Promise<void> => {
      rampart.writePolicy("policy.yaml", allowed(...open));
      generations.push(await reload(rampart));
    };
    for (let cut = 1; cut <= ports.length; cut++) {
      await change(...ports.slice(cut));
      // Whatever goes on carries the new number for certain when it has spoken.
      await expectAnswers(idle.slice(cut).flatMap(({ conversations }) => conversations));
    }
    for (const [index, { conversations, servers }] of idle.entries()) {
      if (index > 0) await change();
      expect(generations.at(-1)).toBe(generations[index]);
      for (const conversation of conversations) void conversation.exchange("revived", 0);
      for (const server of servers) await server.speak("revived");
    }
    const heard = await Promise.all(
      idle.map(async ({ port, conversations }) => {
        const lines = await Promise.all(conversations.map((conversation) => conversation.listen(SILENCE_MS)));
        return lines.every(({ outcome }) => outcome === "timeout") ? [] : [port];
      }),
    );
    await expectAnswers(kept);
    for (const each of kept) await each.close();
    return { generations, revived: heard.flat() };
  } finally {
    for (const { conversations, servers } of idle) {
      for (const each of conversations) await each.close();
      for (const server of servers) await server.close();
    }
    await rampart.uninstall();
  }
}

async function openBoth(lab: Lab, port: number, index: number): Promise<Idle> {
  const servers = [await tcpEchoServer(lab.shield, port), await udpEchoServer(lab.shield, port)];
  const { shield } = FAMILIES[index % FAMILIES.length]!;
  const conversations = [await openTcp(lab.client, shield, port), await openUdp(lab.client, shield, port)];
  return { port, servers, conversations };
}

async function expectAnswers(conversations: readonly Conversation[]): Promise<void> {
  const heard = await Promise.all(conversations.map((each) => each.exchange("here", 4000)));
  expect(heard.filter(({ line }) => line !== "here")).toEqual([]);
}
