/** A TCP segment that belongs to no connection, by the Perl program beside this file. */
import { fileURLToPath } from "node:url";
import type { Host } from "../../../src/sandbox/host.ts";

const PROGRAM = fileURLToPath(new URL("tcp-segment.pl", import.meta.url));
const ACK = 0x10;
const RST = 0x04;

interface Ends {
  readonly own: string;
  readonly address: string;
  readonly port: number;
}

/** Send a stray ACK; "reset" when the other side says that it knows no such connection. */
export async function strayAck(from: Host, { own, address, port }: Ends, timeoutMs: number): Promise<"reset" | "silence"> {
  const argv = [address, port, own, 41_000, ACK, timeoutMs].map(String);
  const { stdout } = await from.run(["perl", PROGRAM, ...argv], { check: true });
  const [, flags = "0"] = /^flags (\d+)/.exec(stdout) ?? [];
  return (Number(flags) & RST) === 0 ? "silence" : "reset";
}
