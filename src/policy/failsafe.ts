/**
 * Failsafe ports: what stays reachable on a HostEndpoint whatever the policies
 * say (SEMANTICS 3.6), and the other Felix settings in force on this node. Not
 * set means the defaults; an empty list means none. The two never mix.
 */
import { cidrContains } from "../address/address.ts";
import { felixLayers } from "../resources/felix-nodes.ts";
import { DEFAULT_FELIX_SETTINGS } from "../resources/felix-settings.ts";
import type { FelixSettings } from "../resources/felix-settings.ts";
import type { Direction, FailsafePort, ResourceSet } from "../resources/types.ts";
import type { PolicyClass, PolicyPacket } from "./decision.ts";

/** Felix's settings on a node, complete. */
export type EffectiveFelix = FelixSettings;

/**
 * The settings in force on `node`: field by field its own FelixConfiguration, the one that chose it, `default`, the
 * built-in values (SEMANTICS 1.13).
 */
export function effectiveFelix(set: ResourceSet, node: string): EffectiveFelix {
  const layers = felixLayers(set.felixConfigurations, node);
  if (layers.length === 0) return DEFAULT_FELIX_SETTINGS;
  const given = (setting: keyof FelixSettings): unknown =>
    layers.find((layer) => layer[setting] !== undefined)?.[setting] ?? DEFAULT_FELIX_SETTINGS[setting];
  const settings = SETTINGS.map((setting) => [setting, given(setting)] as const);
  return Object.fromEntries(settings) as unknown as FelixSettings;
}

/**
 * Is the packet covered by a failsafe list of a HostEndpoint (SEMANTICS 3.2, 3.6)? By its destination port in the
 * list of its direction; untracked also by its source port in the other list, which is how replies look there;
 * forwarded never. The peer alone is compared with `net`.
 */
export function isFailsafe(
  felix: EffectiveFelix,
  policyClass: PolicyClass,
  direction: Direction,
  packet: PolicyPacket,
): boolean {
  if (policyClass === "forward") return false;
  const { failsafeInbound, failsafeOutbound } = felix;
  const [own, other] =
    direction === "ingress" ? [failsafeInbound, failsafeOutbound] : [failsafeOutbound, failsafeInbound];
  const peer = { family: packet.family, value: direction === "ingress" ? packet.source : packet.destination };
  const covers = (list: readonly FailsafePort[], packetPort: number | undefined): boolean =>
    list.some(
      ({ protocol, port, net }) =>
        PROTOCOL_NUMBER[protocol] === packet.protocol &&
        port === packetPort &&
        (net === undefined || cidrContains(net, peer)),
    );
  return covers(own, packet.destinationPort) || (policyClass === "untracked" && covers(other, packet.sourcePort));
}

const PROTOCOL_NUMBER: Readonly<Record<FailsafePort["protocol"], number>> = { tcp: 6, udp: 17, sctp: 132 };

const SETTINGS = Object.keys(DEFAULT_FELIX_SETTINGS) as (keyof FelixSettings)[];
