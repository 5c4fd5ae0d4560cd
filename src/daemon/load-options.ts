/** How the daemon loads policies, and every command that says what the daemon would do. */
import { rebuildNesting } from "../import/rebuild-nesting.ts";
import type { LoadOptions } from "../resources/load.ts";

/** `lenientYaml`: as the setting of that name, documents whose indentation is lost are repaired (SEMANTICS 0.2). */
export function loadOptions(lenientYaml: boolean): LoadOptions {
  return lenientYaml ? { rebuildNesting } : {};
}
