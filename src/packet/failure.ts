/**
 * Why a packet could not be decoded. The numbers are dense and index the
 * names, the counters of the datapath and its metric labels: append, never
 * renumber. Every code but NONE ends in a drop.
 */
export const ParseFailure = {
  NONE: 0,
  /** The EtherType is neither IPv4 nor IPv6. */
  UNKNOWN_NETWORK_PROTOCOL: 1,
  /** The version nibble disagrees with the EtherType. */
  VERSION_MISMATCH: 2,
  /** A header goes on where the copy ends: the copy range is too small, nothing is known to be malformed. */
  TRUNCATED_COPY: 3,
  /** A fragment with offset above 0 has no upper-layer header to judge. */
  LATER_FRAGMENT: 4,
  /** The packet ends inside the IPv4 header or its options. */
  IPV4_HEADER_SHORT: 5,
  /** Internet header length below 5 words. */
  IPV4_BAD_HEADER_LENGTH: 6,
  /** Total length below the header or above the packet. */
  IPV4_BAD_LENGTH: 7,
  /** The packet ends inside the fixed IPv6 header. */
  IPV6_HEADER_SHORT: 8,
  /** Payload length, or the jumbo option in its place, disagrees with the packet. */
  IPV6_BAD_LENGTH: 9,
  /** The packet ends inside an extension header. */
  IPV6_EXTENSION_SHORT: 10,
  /** Extension headers repeat or are not in the order of RFC 8200 4.1. */
  IPV6_EXTENSION_ORDER: 11,
  /** More extension header bytes than we walk. */
  IPV6_EXTENSIONS_TOO_LONG: 12,
  /** Routing header type 0 with segments left (RFC 5095). */
  IPV6_ROUTING_TYPE_ZERO: 13,
  /** An authentication header too small for its fixed fields (RFC 4302). */
  IPV6_BAD_AUTHENTICATION: 14,
  TCP_HEADER_SHORT: 15,
  /** Data offset below 5 words or beyond the packet. */
  TCP_BAD_DATA_OFFSET: 16,
  /** A combination of SYN, FIN, RST and ACK that no state of RFC 9293 sends. */
  TCP_BAD_FLAGS: 17,
  UDP_HEADER_SHORT: 18,
  /** Length field below 8 or beyond the packet. */
  UDP_BAD_LENGTH: 19,
  UDPLITE_HEADER_SHORT: 20,
  /** Checksum coverage of 1 to 7, or beyond the packet (RFC 3828). */
  UDPLITE_BAD_COVERAGE: 21,
  SCTP_HEADER_SHORT: 22,
  ICMP_HEADER_SHORT: 23,
  ICMPV6_HEADER_SHORT: 24,
  /** An ICMP error quotes fewer than 8 bytes of the upper layer (RFC 792). */
  EMBEDDED_SHORT: 25,
  /** An ICMP error about an ICMP error (RFC 1122 3.2.2). */
  EMBEDDED_ICMP_ERROR: 26,
} as const;

/** Stable names for logs and metric labels: `parseFailureNames[code]`. */
export const parseFailureNames: readonly string[] = Object.keys(ParseFailure).map((name) =>
  name.toLowerCase().replaceAll("_", "-"),
);
