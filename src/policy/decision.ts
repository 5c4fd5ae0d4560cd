/**
 * What a decision says, shared by the reference evaluator and the compiled
 * tables, so that the two can be compared and either can be explained.
 */
import type { Family } from "../address/address.ts";
import type { Direction } from "../resources/types.ts";

/**
 * Policy classes (SEMANTICS 3.1). A HostEndpoint has all four: local traffic, forwarded traffic (applyOnForward),
 * before DNAT, and untracked; a WorkloadEndpoint has `normal` only.
 */
export type PolicyClass = "normal" | "forward" | "preDNAT" | "untracked";

/** `continue`: neither allowed nor denied here; the packet walk goes on (never for class normal). */
export type PolicyVerdict = "allow" | "deny" | "continue";

export type Reason =
  | "policy" // a rule said so
  | "end-of-tier" // policies of the tier applied, none matched, default action Deny
  | "no-policy" // no tier applied and no profile allowed it
  | "profile" // a profile's rule said so
  | "failsafe" // a failsafe port
  | "forward-default" // forwarded, and the endpoint has no applyOnForward policy for it
  | "no-match"; // preDNAT or untracked, and no policy said anything

export interface RuleReference {
  /** Empty for a profile's rule. */
  readonly tier: string;
  /** The policy's label: name, `namespace/name`, `namespace/knp.default.name` (SEMANTICS 1.7); or a profile's name. */
  readonly policy: string;
  readonly direction: Direction;
  /** 0-based position in the policy's ingress or egress list. */
  readonly index: number;
}

export interface Decision {
  readonly verdict: PolicyVerdict;
  readonly reason: Reason;
  /** For `end-of-tier` the tier that ended it; for `policy` the rule's tier. */
  readonly tier: string | undefined;
  /** Only with reason `policy`. */
  readonly rule: RuleReference | undefined;
  /** Log rules that matched on the way, in order. */
  readonly logged: readonly RuleReference[];
}

/** The facts policy rules look at; ports only for TCP, UDP, UDPLite and SCTP, ICMP fields only for ICMP and ICMPv6. */
export interface PolicyPacket {
  readonly family: Family;
  readonly protocol: number;
  readonly source: bigint;
  readonly destination: bigint;
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
  readonly icmpType: number | undefined;
  readonly icmpCode: number | undefined;
}
