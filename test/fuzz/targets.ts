/** Every target in TypeScript, in the order they run. */
import type { FuzzTarget } from "./target.ts";
import { articleTarget } from "./targets/article.ts";
import { canaryTarget } from "./targets/canary.ts";
import { controlTarget } from "./targets/control.ts";
import { deciderTarget } from "./targets/decider.ts";
import { lastGoodTarget } from "./targets/last-good.ts";
import { loaderTarget } from "./targets/loader.ts";
import { packetTarget } from "./targets/packet.ts";
import { plainYamlTarget } from "./targets/plain-yaml.ts";
import { selectorTarget } from "./targets/selector.ts";
import { settingsTarget } from "./targets/settings.ts";

export const TARGETS: readonly FuzzTarget[] = [
  packetTarget,
  deciderTarget,
  plainYamlTarget,
  loaderTarget,
  articleTarget,
  settingsTarget,
  selectorTarget,
  controlTarget,
  lastGoodTarget,
  canaryTarget,
];
