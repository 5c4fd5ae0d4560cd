import { PacketView } from "../../src/packet/view.ts";

/** A view as decode leaves it for a protocol with ports; the addresses are its lowest words. */
export function portView(
  protocol: number,
  source: number,
  destination: number,
  sourcePort: number,
  destinationPort: number,
  family = 4,
): PacketView {
  const view = new PacketView();
  view.family = family;
  view.protocol = protocol;
  view.words[3] = source;
  view.words[7] = destination;
  view.sourcePort = sourcePort;
  view.destinationPort = destinationPort;
  view.hasPorts = 1;
  return view;
}

export function icmpView(
  protocol: number,
  source: number,
  destination: number,
  type: number,
  code: number,
  id: number,
  family = 4,
): PacketView {
  const view = portView(protocol, source, destination, 0, 0, family);
  view.hasPorts = 0;
  view.hasIcmp = 1;
  view.icmpType = type;
  view.icmpCode = code;
  view.icmpId = id;
  return view;
}
