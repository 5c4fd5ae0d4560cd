/** What the daemon would install under a settings file, worked out without one running. */
import { loadSettings } from "../config/settings.ts";
import { endpointScope } from "../daemon/endpoint-scope.ts";
import { hookConfig, localEndpoints } from "../daemon/enforcer.ts";
import { loadOptions } from "../daemon/load-options.ts";
import { PolicyError } from "../daemon/policy-error.ts";
import { formatError } from "../errors/rampart-error.ts";
import { MarkLayout } from "../hooks/marks.ts";
import { ipv6Support } from "../hooks/variant.ts";
import { loadNative } from "../native/load.ts";
import { loadResources } from "../resources/load.ts";
import { compileTables } from "../tables/compile.ts";
import type { HookPlanInput } from "./hooks.ts";

/** @throws RampartError when settings or policies have errors. */
export async function planFromConfig(configFile: string | undefined): Promise<HookPlanInput> {
  const { settings } = loadSettings(configFile);
  const { resources, errors } = loadResources(settings.policy.paths, loadOptions(settings.policy.lenientYaml));
  for (const error of errors) process.stderr.write(`${formatError(error)}\n`);
  if (errors.length > 0) throw new PolicyError(errors);
  const compilation = compileTables(resources, localEndpoints(resources, settings.node), settings.node, 1);
  const scope = endpointScope(
    resources,
    settings.node,
    loadNative().listInterfaces(),
    compilation,
    settings.exemptLoopback,
  );
  const ipv6 = await ipv6Support();
  return {
    config: hookConfig(settings, new MarkLayout(settings.marks), resources, scope, {
      generation: 1,
      adoptOlder: true,
      outputNat: settings.datapath.offload === "connmark",
    }),
    variant: settings.iptables.variant,
    ipv6: ipv6.supported,
    lockWaitSeconds: settings.iptables.lockWaitSeconds,
  };
}
