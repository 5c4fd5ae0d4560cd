/** The network of the flood: an attacker and a client on links of their own to one protected host. */
import { newSandbox } from "./labs.mjs";

export async function floodLab() {
  const sandbox = await newSandbox();
  const attacker = await sandbox.host("attacker");
  const client = await sandbox.host("client");
  const host = await sandbox.host("host");
  await sandbox.link(host, attacker, { addresses: [["10.90.0.1/24"], ["10.90.0.2/24"]] });
  await sandbox.link(host, client, { addresses: [["10.91.0.1/24"], ["10.91.0.2/24"]] });
  // What comes from a made-up address must not be dropped before the filter sees it.
  for (const link of ["all", "eth0"]) await host.sysctl(`net.ipv4.conf.${link}.rp_filter`, 0);
  return {
    attacker,
    client,
    host,
    address: "10.91.0.1",
    attacked: "10.90.0.1",
    /** Where floods come from, with made-up addresses and without. */
    deniedNets: ["10.90.0.0/24", "198.18.0.0/15"],
  };
}
