/**
 * Packets by hand: each function returns wire bytes, each field can be
 * overridden to say something wrong. Checksums stay 0: nothing here reads them.
 */

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function zeros(length: number): Uint8Array {
  return new Uint8Array(length);
}

function fill(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  write(new DataView(bytes.buffer));
  return bytes;
}

export interface IPv4Fields {
  readonly protocol: number;
  readonly source?: number;
  readonly destination?: number;
  readonly version?: number;
  /** Header length in words; options are what `options` has. */
  readonly headerWords?: number;
  readonly options?: Uint8Array;
  readonly totalLength?: number;
  readonly moreFragments?: boolean;
  /** In units of 8 bytes. */
  readonly fragmentOffset?: number;
}

export function ipv4(fields: IPv4Fields, payload: Uint8Array): Uint8Array {
  const options = fields.options ?? zeros(0);
  const header = 20 + options.length;
  const bytes = fill(20, (view) => {
    view.setUint8(0, ((fields.version ?? 4) << 4) | (fields.headerWords ?? header / 4));
    view.setUint16(2, fields.totalLength ?? header + payload.length);
    view.setUint16(6, (fields.moreFragments ? 0x2000 : 0) | (fields.fragmentOffset ?? 0));
    view.setUint8(8, 64);
    view.setUint8(9, fields.protocol);
    view.setUint32(12, fields.source ?? 0x0a000001);
    view.setUint32(16, fields.destination ?? 0xc0a80102);
  });
  return join(bytes, options, payload);
}

export interface IPv6Fields {
  readonly next: number;
  readonly source?: readonly number[];
  readonly destination?: readonly number[];
  readonly version?: number;
  readonly payloadLength?: number;
}

export const IPV6_SOURCE = [0x20010db8, 0x00000001, 0, 0xfffffffe] as const;
export const IPV6_DESTINATION = [0x20010db8, 0x80000000, 0x12345678, 2] as const;

export function ipv6(fields: IPv6Fields, payload: Uint8Array): Uint8Array {
  const bytes = fill(40, (view) => {
    view.setUint8(0, (fields.version ?? 6) << 4);
    view.setUint16(4, fields.payloadLength ?? payload.length);
    view.setUint8(6, fields.next);
    view.setUint8(7, 64);
    for (let i = 0; i < 4; i++) {
      view.setUint32(8 + 4 * i, (fields.source ?? IPV6_SOURCE)[i]);
      view.setUint32(24 + 4 * i, (fields.destination ?? IPV6_DESTINATION)[i]);
    }
  });
  return join(bytes, payload);
}

/** Hop-by-hop or destination options; `content` is padded with Pad1 to a multiple of 8 less 2. */
export function options(next: number, content: Uint8Array = zeros(6)): Uint8Array {
  const length = Math.ceil((content.length + 2) / 8) * 8;
  return join(Uint8Array.of(next, length / 8 - 1), content, zeros(length - 2 - content.length));
}

export function jumboOption(length: number): Uint8Array {
  return fill(6, (view) => {
    view.setUint16(0, 0xc204);
    view.setUint32(2, length);
  });
}

export function routing(next: number, type: number, segmentsLeft: number, addresses = 1): Uint8Array {
  return join(Uint8Array.of(next, addresses * 2, type, segmentsLeft), zeros(4 + 16 * addresses));
}

/** `offset` in bytes, a multiple of 8. */
export function fragment(next: number, offset: number, more: boolean): Uint8Array {
  return join(Uint8Array.of(next, 0, offset >> 8, (offset & 0xf8) | (more ? 1 : 0)), zeros(4));
}

/** `words` is the header's own length field: 32-bit words less 2. */
export function authentication(next: number, words = 4): Uint8Array {
  return join(Uint8Array.of(next, words), zeros((words + 2) * 4 - 2));
}

export interface PortFields {
  readonly sourcePort?: number;
  readonly destinationPort?: number;
}

export const SYN = 0x02;
export const ACK = 0x10;

export function tcp(
  fields: PortFields & { readonly flags?: number; readonly headerWords?: number; readonly options?: Uint8Array } = {},
  payload: Uint8Array = zeros(0),
): Uint8Array {
  const tail = fields.options ?? zeros(0);
  const bytes = fill(20, (view) => {
    view.setUint16(0, fields.sourcePort ?? 40000);
    view.setUint16(2, fields.destinationPort ?? 443);
    view.setUint32(4, 0xdeadbeef);
    view.setUint8(12, (fields.headerWords ?? 5 + tail.length / 4) << 4);
    view.setUint8(13, fields.flags ?? SYN);
  });
  return join(bytes, tail, payload);
}

export function udp(fields: PortFields & { readonly length?: number } = {}, payload = zeros(0)): Uint8Array {
  const bytes = fill(8, (view) => {
    view.setUint16(0, fields.sourcePort ?? 5353);
    view.setUint16(2, fields.destinationPort ?? 53);
    view.setUint16(4, fields.length ?? 8 + payload.length);
  });
  return join(bytes, payload);
}

/** UDP-Lite has the coverage where UDP has the length. */
export function udplite(fields: PortFields & { readonly coverage?: number } = {}, payload = zeros(0)): Uint8Array {
  return udp({ ...fields, length: fields.coverage ?? 0 }, payload);
}

export function sctp(fields: PortFields = {}, chunks = zeros(4)): Uint8Array {
  const bytes = fill(12, (view) => {
    view.setUint16(0, fields.sourcePort ?? 36412);
    view.setUint16(2, fields.destinationPort ?? 38412);
    view.setUint32(4, 0x01020304);
  });
  return join(bytes, chunks);
}

/** ICMP and ICMPv6 alike; `id` stands in bytes 4 and 5. */
export function icmp(type: number, code = 0, id = 0, body: Uint8Array = zeros(0)): Uint8Array {
  return join(Uint8Array.of(type, code, 0, 0, id >> 8, id & 255, 0, 1), body);
}
