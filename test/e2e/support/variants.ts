/** Which kinds of iptables work on this machine: a kernel may come without the legacy tables. */
import { Sandbox } from "../../../src/sandbox/sandbox.ts";

const VARIANTS = ["nft", "legacy"] as const;
type Variant = (typeof VARIANTS)[number];

export async function usableVariants(): Promise<Variant[]> {
  const sandbox = await Sandbox.create();
  const host = await sandbox.host("trial");
  const usable: Variant[] = [];
  for (const variant of VARIANTS) {
    const result = await host.run([`iptables-${variant}`, "-t", "filter", "-L", "-n"]);
    if (result.code === 0) usable.push(variant);
  }
  await sandbox.destroy();
  return usable;
}
