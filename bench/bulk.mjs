/** One bulk TCP connection with iperf3, client on core 0 and server on core 1. */
import { exchangedPackets, receivedPackets } from "./inside.mjs";
import { CLIENT_CORE, serve, SERVER_CORE } from "./labs.mjs";

export const PORT = 5201;
/** Seconds at the start of a transfer that do not count. */
const WARM_UP = 1;

/** A lab with an iperf3 server on its server. */
export async function iperfLab(makeLab) {
  const lab = await makeLab();
  await serve(lab.server, [...SERVER_CORE, "iperf3", "--server", "--forceflush", "--port", String(PORT)], /listening/i);
  return { lab };
}

/** Gbit/s as `value`, packets the server's link `received` and `exchanged`, and what `seen` counted meanwhile. */
export async function transfer(lab, seconds, seen) {
  const look = async () => ({
    seen: (await seen?.()) ?? 0,
    received: receivedPackets(lab.observer, "eth0"),
    exchanged: exchangedPackets(lab.observer, "eth0"),
  });
  const before = await look();
  const options = { port: PORT, time: seconds, omit: WARM_UP };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { stdout } = await lab.client.run([...CLIENT_CORE, "iperf3", "--client", lab.address, "--json", ...flags], {
    check: true,
    timeout: (seconds + WARM_UP + 10) * 1000,
  });
  const after = await look();
  return {
    value: JSON.parse(stdout).end.sum_received.bits_per_second / 1e9,
    seen: after.seen - before.seen,
    received: after.received - before.received,
    exchanged: after.exchanged - before.exchanged,
  };
}
