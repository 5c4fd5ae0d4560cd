/**
 * From a HookConfig to the chains of one family; pure. For each governed hook:
 *
 *   base chain --1--> RAMPART-<HOOK>          which interfaces are governed
 *                       +-> RAMPART-<HOOK>-DECIDE
 *                             neighbour discovery, fast path, failsafe,
 *                             INVALID, verdicts that came back, NFQUEUE
 *
 * What must always hold:
 *   - a decision chain has no way out but ACCEPT, DROP, REJECT, the queue, or
 *     back to the base chain behind our jump for a RETURN verdict;
 *   - everything up to the queue works with the daemon dead;
 *   - no packet is accepted with verdict bits in its mark: a later hook (the
 *     loopback side, a tunnel's outer packet) would take them for its own.
 */
import type { Family } from "../address/address.ts";
import type { Chain, ChainPlan, Jump } from "./chain-plan.ts";
import { failsafeRules } from "./failsafe.ts";
import type { HookConfig, HookName, Scope } from "./hook-config.ts";
import { HOOKS } from "./hook-config.ts";
import { checkInterfaceName } from "./interface-name.ts";
import { PacketVerdict } from "./marks.ts";
import { gotoRule, hex, rule } from "./rule.ts";

const LOOPBACK = "lo";
const NEIGHBOUR_CHAIN = "RAMPART-ND";
const ALLOW_CHAIN = "RAMPART-ALLOW";
const ALLOW_NEXT_CHAIN = "RAMPART-ALLOW-NEXT";
const REJECT_CHAIN = "RAMPART-REJECT";
const RETURN_CHAIN = "RAMPART-RETURN";
const RETURN_NEXT_CHAIN = "RAMPART-RETURN-NEXT";

/** RFC 4861: router and neighbour solicitation and advertisement; valid only with hop limit 255: from the link. */
const NEIGHBOUR_DISCOVERY_TYPES = [133, 134, 135, 136];
/** RFC 2710 and RFC 3810: multicast listener query, report, done, version 2 report. */
const LISTENER_DISCOVERY_TYPES = [130, 131, 132, 143];

/**
 * The chains `config` needs in `family`'s filter table (DESIGN section 2 order).
 * Throws RampartError RAMPART_E_INTERFACE_NAME for a name iptables cannot match
 * exactly, and RangeError for a generation or a queue number out of range.
 */
export function planHooks(config: HookConfig, family: Family): ChainPlan {
  checkNumbers(config);
  const governed = HOOKS.map((hook) => ({ hook, rules: dispatchRules(config, hook) })).filter(
    (entry) => entry.rules.length > 0,
  );
  if (governed.length === 0) return { chains: [], jumps: [] };
  const chains: Chain[] = [];
  const jumps: Jump[] = [];
  for (const { hook, rules } of governed) {
    const to = `RAMPART-${hook}`;
    chains.push({ name: to, rules });
    chains.push({ name: decisionChain(hook), rules: decisionRules(config, hook, family) });
    jumps.push({ from: hook, position: 1, to, rule: rule("jump", "", to) });
  }
  if (family === 6 && governed.some(({ hook }) => hook !== "FORWARD")) {
    chains.push({ name: NEIGHBOUR_CHAIN, rules: neighbourRules() });
  }
  const next = config.marks.nextGeneration(config.generation);
  chains.push({ name: ALLOW_CHAIN, rules: allowRules(config, config.generation) });
  chains.push({ name: ALLOW_NEXT_CHAIN, rules: allowRules(config, next) });
  chains.push({ name: RETURN_CHAIN, rules: returnRules(config, config.generation) });
  chains.push({ name: RETURN_NEXT_CHAIN, rules: returnRules(config, next) });
  chains.push({ name: REJECT_CHAIN, rules: rejectRules(config, family) });
  return { chains, jumps };
}

function decisionChain(hook: HookName): string {
  return `RAMPART-${hook}-DECIDE`;
}

function scopeOf(config: HookConfig, hook: HookName): Scope | undefined {
  return { INPUT: config.input, OUTPUT: config.output, FORWARD: config.forward }[hook];
}

/** Names a scope governs one by one, without the exempt loopback. */
function governedInterfaces(config: HookConfig, scope: Scope): string[] {
  return [...new Set(scope.interfaces)].filter((name) => name !== LOOPBACK || !config.exemptLoopback).toSorted();
}

function governsLoopback(config: HookConfig, hook: "INPUT" | "OUTPUT"): boolean {
  const scope = scopeOf(config, hook);
  return scope !== undefined && !config.exemptLoopback && (scope.wildcard || scope.interfaces.includes(LOOPBACK));
}

/** Empty when the hook governs nothing. A forwarded packet is governed by either of its interfaces. */
function dispatchRules(config: HookConfig, hook: HookName): string[] {
  const scope = scopeOf(config, hook);
  if (scope === undefined) return [];
  const decide = decisionChain(hook);
  const sides = { INPUT: ["-i"], OUTPUT: ["-o"], FORWARD: ["-i", "-o"] }[hook];
  if (scope.wildcard) {
    // Nothing is ever forwarded to or from loopback.
    const exempt = config.exemptLoopback && hook !== "FORWARD";
    const loopback = exempt ? sides.map((side) => rule("loopback", `${side} ${LOOPBACK}`, "RETURN")) : [];
    return [...loopback, gotoRule("governed", "", decide)];
  }
  return governedInterfaces(config, scope).flatMap((name) => {
    checkInterfaceName(name);
    return sides.map((side) => gotoRule("governed", `${side} ${name}`, decide));
  });
}

function decisionRules(config: HookConfig, hook: HookName, family: Family): string[] {
  const { marks, generation } = config;
  const { masks } = marks;
  const rules: string[] = [];
  // Both belong to one link, so there is none of it to forward.
  if (family === 6 && hook !== "FORWARD") rules.push(rule("icmpv6", "-p ipv6-icmp", NEIGHBOUR_CHAIN));
  // A verdict that came back is left for its own rule, which clears it, also when the connection is allowed by now.
  const undecidedPacket = `-m mark --mark 0x0/${hex((3 << marks.packetShift) >>> 0)}`;
  const current = `-m connmark --mark ${hex(marks.connectionMark(generation))}/${hex(masks.connection)}`;
  rules.push(rule("fast-path", `${current} ${undecidedPacket}`, "ACCEPT"));
  rules.push(...failsafeRules(config, hook, family, ALLOW_CHAIN));
  rules.push(...refusalRules(config, hook, family));
  if (hook === "OUTPUT") rules.push(...ownErrorRules(family));
  rules.push(rule("invalid", "-m conntrack --ctstate INVALID", "DROP"));
  if (!config.adoptOlder) {
    const midStream = "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW";
    rules.push(rule("mid-stream", midStream, "DROP"));
  }
  const carries = (code: number, of: number): string =>
    `-m mark --mark ${hex(marks.verdictMark(code, of))}/${hex(marks.verdictMask)}`;
  const next = marks.nextGeneration(generation);
  rules.push(rule("allowed", carries(PacketVerdict.ALLOW, generation), ALLOW_CHAIN));
  rules.push(rule("allowed-next", carries(PacketVerdict.ALLOW, next), ALLOW_NEXT_CHAIN));
  rules.push(gotoRule("returned", carries(PacketVerdict.RETURN, generation), RETURN_CHAIN));
  rules.push(gotoRule("returned-next", carries(PacketVerdict.RETURN, next), RETURN_NEXT_CHAIN));
  rules.push(rule("rejected", carries(PacketVerdict.REJECT, generation), REJECT_CHAIN));
  rules.push(rule("rejected-next", carries(PacketVerdict.REJECT, next), REJECT_CHAIN));
  // Set either way, so that a bit somebody left in the mark cannot turn a packet's direction round.
  const reply = hex(marks.replyBit);
  rules.push(rule("direction", "", `MARK --set-xmark 0x0/${reply}`));
  rules.push(rule("reply", "-m conntrack --ctdir REPLY", `MARK --set-xmark ${reply}/${reply}`));
  rules.push(rule("queued", "", queueTarget(config)));
  return rules;
}

function queueTarget({ queue }: HookConfig): string {
  const last = queue.first + queue.count - 1;
  const numbers = queue.count === 1 ? `--queue-num ${queue.first}` : `--queue-balance ${queue.first}:${last}`;
  return `NFQUEUE ${numbers}${queue.bypass ? " --queue-bypass" : ""}`;
}

/**
 * The kernel's own refusal (REJECT in any hook) leaves through OUTPUT and
 * carries the rejected connection with it, so its mark tells it. Where loopback
 * is policed, the refusal of a local sender comes in again through INPUT.
 */
function refusalRules(config: HookConfig, hook: HookName, family: Family): string[] {
  const { marks } = config;
  if (hook === "FORWARD" || (hook === "INPUT" && !governsLoopback(config, "INPUT"))) return [];
  const side = hook === "INPUT" ? `-i ${LOOPBACK} ` : "";
  const rejected = `-m connmark --mark ${hex(marks.connectionMark(marks.rejected))}/${hex(marks.masks.connection)}`;
  const unreachable =
    family === 4 ? "-p icmp -m icmp --icmp-type 3/3" : "-p ipv6-icmp -m icmp6 --icmpv6-type 1/4";
  return [
    rule("refusal", `${side}-p tcp -m tcp --tcp-flags RST RST ${rejected}`, "ACCEPT"),
    rule("refusal", `${side}${unreachable} ${rejected}`, "ACCEPT"),
  ];
}

/**
 * What the kernel tells the sender of a packet it cannot pass on. It is about
 * connections that need not be ours to judge (a router's transit), and often
 * about a first packet, whose unconfirmed connection no queue may hold.
 */
function ownErrorRules(family: Family): string[] {
  const types = family === 4 ? ["3", "11", "12"] : ["1", "2", "3", "4"];
  const match = family === 4 ? "-p icmp -m icmp --icmp-type" : "-p ipv6-icmp -m icmp6 --icmpv6-type";
  return types.map((type) => rule("error", `${match} ${type} -m conntrack --ctstate RELATED`, "ACCEPT"));
}

function neighbourRules(): string[] {
  return [
    ...NEIGHBOUR_DISCOVERY_TYPES.map((type) =>
      rule("neighbour-discovery", `${icmpv6Match(type)} -m hl --hl-eq 255`, "ACCEPT"),
    ),
    ...LISTENER_DISCOVERY_TYPES.map((type) => rule("multicast-listener", `${icmpv6Match(type)} -m hl --hl-eq 1`, "ACCEPT")),
  ];
}

function icmpv6Match(type: number): string {
  return `-p ipv6-icmp -m icmp6 --icmpv6-type ${type}`;
}

/**
 * Not denied, but not accepted either: the connection is ours to let pass from
 * now on, this packet goes on to the machine's own rules behind our jump. If
 * they drop it, the connection never comes to be and its mark goes with it.
 */
function returnRules(config: HookConfig, generation: number): string[] {
  return [saveRule(config, generation, ""), clearPacketMark(config), rule("return", "", "RETURN")];
}

function allowRules(config: HookConfig, generation: number): string[] {
  // A connection over a policed loopback passes OUTPUT and INPUT: only INPUT may declare it allowed, or
  // OUTPUT's verdict would spare it INPUT's policy.
  const judgedTwice = governsLoopback(config, "OUTPUT") && governsLoopback(config, "INPUT");
  const save = saveRule(config, generation, judgedTwice ? `! -o ${LOOPBACK}` : "");
  return [save, clearPacketMark(config), rule("accept", "", "ACCEPT")];
}

function saveRule({ marks }: HookConfig, generation: number, match: string): string {
  const value = `${hex(marks.connectionMark(generation))}/${hex(marks.masks.connection)}`;
  return rule("save", match, `CONNMARK --set-xmark ${value}`);
}

/**
 * TCP is refused with a reset. Everything else gets port unreachable, not
 * "administratively prohibited": it is what a Calico Reject sends, programs
 * see the plain ECONNREFUSED they already handle, and it does not announce a
 * firewall.
 */
function rejectRules(config: HookConfig, family: Family): string[] {
  const { marks } = config;
  const rejected = `${hex(marks.connectionMark(marks.rejected))}/${hex(marks.masks.connection)}`;
  const unreachable = family === 4 ? "icmp-port-unreachable" : "icmp6-port-unreachable";
  return [
    rule("save", "", `CONNMARK --set-xmark ${rejected}`),
    clearPacketMark(config),
    rule("reset", "-p tcp", "REJECT --reject-with tcp-reset"),
    rule("unreachable", "", `REJECT --reject-with ${unreachable}`),
  ];
}

function clearPacketMark({ marks }: HookConfig): string {
  return rule("clear", "", `MARK --set-xmark 0x0/${hex(marks.masks.packet)}`);
}

function checkNumbers({ queue, marks, generation }: HookConfig): void {
  const last = queue.first + queue.count - 1;
  if (!Number.isInteger(queue.first) || !Number.isInteger(queue.count) || queue.first < 0 || queue.count < 1) {
    throw new RangeError("queue numbers must be whole numbers, at least one of them");
  }
  if (last > 65535) throw new RangeError(`queue number ${last} is above 65535`);
  if (!Number.isInteger(generation) || generation < 1 || generation > marks.maxGeneration) {
    throw new RangeError(`generation ${generation} is not within 1 to ${marks.maxGeneration}`);
  }
}
