/** Numbers the decoder knows by name; every other protocol is carried by its number alone. */

/** EtherType as NFQUEUE reports it. */
export const EtherType = { IPV4: 0x0800, IPV6: 0x86dd } as const;

/** IANA protocol numbers, the upper layers first, then IPv6 extension headers (RFC 8200). */
export const Protocol = {
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  ICMPV6: 58,
  SCTP: 132,
  UDPLITE: 136,
  HOP_BY_HOP: 0,
  ROUTING: 43,
  FRAGMENT: 44,
  AUTHENTICATION: 51,
  DESTINATION_OPTIONS: 60,
} as const;
