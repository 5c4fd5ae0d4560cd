/**
 * Nanoseconds a packet for decode, by kind of packet. Reads the built daemon:
 * `npm run build:ts && node bench/micro/decode.bench.mjs`. The row "read only"
 * touches every packet's first byte and is there to compare with.
 */
import { Bench } from "tinybench";
import { decode } from "../../dist/packet/decode.js";
import { PacketView } from "../../dist/packet/view.js";
import { printPerOperation } from "./per-operation.mjs";

const BATCH = 256;
const SLOT = 2048;

/** Bytes from hex; blanks are for reading. */
const hex = (text) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

const tcp = "9c40 01bb deadbeef 00000000 a002 faf0 0000 0000 020405b4 0402080a 00000001 00000000 01030307";
const udp = "14e9 0035 0010 0000 0000000000000000";
const addresses6 = "20010db8000000000000000000000001 20010db8000000000000000000000002";

const packets = {
  "IPv4 TCP SYN": hex(`4500 003c 0001 4000 40 06 0000 0a000001 0a000002 ${tcp}`),
  "IPv4 UDP": hex(`4500 0024 0001 4000 40 11 0000 0a000001 0a000002 ${udp}`),
  "IPv6 TCP SYN": hex(`60000000 0028 06 40 ${addresses6} ${tcp}`),
  "IPv6 UDP, two extensions": hex(
    `60000000 0020 00 40 ${addresses6} 3c00 010400000000 1100 010400000000 ${udp}`,
  ),
};

const bench = new Bench({ time: 500 });
const view = new PacketView();
let sink = 0;
for (const [name, packet] of Object.entries(packets)) {
  const slab = new Uint8Array(BATCH * SLOT);
  for (let i = 0; i < BATCH; i++) slab.set(packet, i * SLOT);
  const etherType = packet[0] >> 4 === 6 ? 0x86dd : 0x0800;
  if (decode(view, slab, 0, packet.length, packet.length, etherType) !== 0) throw new Error(`${name} does not decode`);
  bench.add(`read only: ${name}`, () => {
    for (let i = 0; i < BATCH; i++) sink += slab[i * SLOT];
  });
  bench.add(`decode: ${name}`, () => {
    for (let i = 0; i < BATCH; i++) sink += decode(view, slab, i * SLOT, packet.length, packet.length, etherType);
  });
}
await bench.run();
printPerOperation(bench, BATCH);
if (sink < 0) console.log(sink);
