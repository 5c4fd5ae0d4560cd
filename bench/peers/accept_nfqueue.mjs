/**
 * accept_nfqueue.mjs QUEUE: accepts every packet of an NFQUEUE through the npm
 * package nfqueue, the way its documentation shows it, with a receive buffer
 * that holds a burst. The package copies whole packets and knows no queue
 * length or GSO. Runs until SIGTERM.
 */
import { createRequire } from "node:module";

const RECEIVE_BUFFER = 16 << 20;
const { createQueueHandler, NF_ACCEPT } = createRequire(import.meta.url)("nfqueue");

process.on("SIGTERM", () => process.exit(0));
// Held, because the package reads on with a handle that was collected.
globalThis.handler = createQueueHandler(Number(process.argv[2]), RECEIVE_BUFFER, (packet) => packet.setVerdict(NF_ACCEPT));
console.log("ready");
