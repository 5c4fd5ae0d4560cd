/** A document as it is best written: nesting by indentation, nothing left to guess. */
import { stringify } from "yaml";
import type { YamlValue } from "../resources/yaml-value.ts";

export function canonicalYaml(value: YamlValue): string {
  // Readers of YAML 1.1 take plain `on` and `yes` for booleans.
  return stringify(value, { version: "1.2", compat: "yaml-1.1", aliasDuplicateObjects: false, lineWidth: 0 });
}
