/** A ring record in words a person reads: names for numbers, resolved against the tables that decided it. */
import { formatAddress } from "../address/address.ts";
import { Field, type RecordRing } from "../datapath/record-ring.ts";
import { HookIndex, hookNames, outcomeReasons, verdictNames, type HookName, type VerdictName } from "../datapath/outcome.ts";
import { parseFailureNames } from "../packet/failure.ts";
import { describeLabel } from "../policy/policy-label.ts";
import type { Endpoint } from "../resources/types.ts";
import type { Compilation, RuleInfo } from "../tables/compiled.ts";

export interface PacketRecord {
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  readonly hook: HookName;
  /** Of the connection: towards this host, from it, or through it. */
  readonly direction: "ingress" | "egress" | "forward";
  readonly reply: boolean;
  readonly verdict: VerdictName;
  readonly reason: string;
  readonly generation: number;
  readonly inInterface: string | undefined;
  readonly outInterface: string | undefined;
  readonly endpoint: string | undefined;
  readonly tier: string | undefined;
  readonly policy: string | undefined;
  /** Such as `ingress[2]`, 0-based as in the file. */
  readonly rule: string | undefined;
  /** What the staged policies would have made of it where that differs, such as `deny by StagedNetworkPolicy shop/web`. */
  readonly pending: string | undefined;
  readonly family: 4 | 6;
  readonly protocol: string;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
  readonly icmpType: number | undefined;
  readonly icmpCode: number | undefined;
  readonly originalLength: number;
}

export interface RecordNames {
  readonly compilationOf: (generation: number) => Compilation | undefined;
  readonly interfaceName: (index: number) => string | undefined;
}

const PROTOCOLS: Readonly<Record<number, string>> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp", 136: "udplite" };
const WITH_PORTS = new Set([6, 17, 132, 136]);
const NO_ICMP = 65536;

export function readRecord(ring: RecordRing, at: number, names: RecordNames): PacketRecord {
  const field = (offset: number): number => ring.words[at + offset];
  const compilation = names.compilationOf(field(Field.GENERATION));
  const info: RuleInfo | undefined = field(Field.RULE) === 0 ? undefined : compilation?.rules[field(Field.RULE) - 1];
  const hook = field(Field.HOOK);
  const reply = field(Field.REPLY) === 1;
  const failure = field(Field.FAILURE);
  const reason = outcomeReasons[field(Field.REASON)];
  const family = field(Field.FAMILY) === 6 ? 6 : 4;
  const protocol = field(Field.PROTOCOL);
  const icmp = field(Field.ICMP);
  const ports = WITH_PORTS.has(protocol);
  return {
    time: ring.time(at),
    hook: hookNames[hook],
    direction: directionOf(hook, reply),
    reply,
    verdict: verdictNames[field(Field.VERDICT)],
    reason: failure === 0 ? reason : `${reason}:${parseFailureNames[failure]}`,
    generation: field(Field.GENERATION),
    inInterface: names.interfaceName(field(Field.IN_INTERFACE)),
    outInterface: names.interfaceName(field(Field.OUT_INTERFACE)),
    endpoint: field(Field.ENDPOINT) === 0 ? undefined : endpointLabel(compilation?.endpoints[field(Field.ENDPOINT) - 1]),
    tier: info?.tier,
    policy: info?.rule?.policy,
    rule: info?.rule === undefined ? undefined : `${info.rule.direction}[${info.rule.index}]`,
    pending: field(Field.PENDING) === 0 ? undefined : pendingText(compilation?.rules[field(Field.PENDING) - 1]),
    family,
    protocol: PROTOCOLS[protocol] ?? String(protocol),
    source: formatAddress({ family, value: addressAt(ring.words, at + Field.ADDRESSES, family) }),
    destination: formatAddress({ family, value: addressAt(ring.words, at + Field.ADDRESSES + 4, family) }),
    sourcePort: ports ? field(Field.SOURCE_PORT) : undefined,
    destinationPort: ports ? field(Field.DESTINATION_PORT) : undefined,
    icmpType: icmp === NO_ICMP ? undefined : icmp >>> 8,
    icmpCode: icmp === NO_ICMP ? undefined : icmp & 255,
    originalLength: field(Field.ORIGINAL_LENGTH),
  };
}

/** The end of a tier is laid at the door of the tier's staged policy: without it there might be no end. */
function pendingText(info: RuleInfo | undefined): string | undefined {
  if (info === undefined) return undefined;
  const { verdict, reason, tier, rule, staged } = info;
  if (rule !== undefined) return `${verdict} by ${describeLabel(rule.policy)}`;
  if (reason !== "end-of-tier") return `${verdict} by ${reason}`;
  const end = `end of tier ${tier}`;
  return staged === undefined ? `${verdict} by ${end}` : `${verdict} by ${describeLabel(staged)}, ${end}`;
}

/** A HostEndpoint's name, or `namespace/name` of a workload. */
export function endpointLabel(endpoint: Endpoint | undefined): string | undefined {
  return endpoint?.kind === "WorkloadEndpoint" ? `${endpoint.namespace}/${endpoint.name}` : endpoint?.name;
}

function directionOf(hook: number, reply: boolean): PacketRecord["direction"] {
  switch (hook) {
    case HookIndex.FORWARD:
      return "forward";
    case HookIndex.INPUT:
    case HookIndex.PREROUTING:
    case HookIndex.RAW_PREROUTING:
      return reply ? "egress" : "ingress";
    default:
      return reply ? "ingress" : "egress";
  }
}

function addressAt(words: Uint32Array, at: number, family: 4 | 6): bigint {
  if (family === 4) return BigInt(words[at + 3]);
  return (BigInt(words[at]) << 96n) | (BigInt(words[at + 1]) << 64n) | (BigInt(words[at + 2]) << 32n) | BigInt(words[at + 3]);
}
