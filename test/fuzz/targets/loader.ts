/** Policy files: whatever they hold, a load ends with errors that say where, and what it yields is valid. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RampartError } from "../../../src/errors/rampart-error.ts";
import { rebuildNesting } from "../../../src/import/rebuild-nesting.ts";
import type { LoadResult } from "../../../src/resources/load.ts";
import { loadResources } from "../../../src/resources/load.ts";
import type { Random } from "../../packet/random.ts";
import { POLICY_TEXTS, YAML_PIECES } from "../corpus-texts.ts";
import { mutateText } from "../mutate-text.ts";
import type { FuzzTarget, OpenTarget } from "../target.ts";
import { must } from "../target.ts";

function open(): OpenTarget {
  const folder = mkdtempSync(join(tmpdir(), "rampart-fuzz-"));
  const file = join(folder, "p.yaml");
  let text = "";
  const run = (random: Random): boolean => {
    text = mutateText(random, random.pick(POLICY_TEXTS), YAML_PIECES, POLICY_TEXTS);
    writeFileSync(file, text);
    const options = random.below(2) === 0 ? {} : { rebuildNesting };
    const result = loadResources([file], options);
    checkMessages(result, text.split("\n").length + 1);
    checkPolicies(result);
    return result.errors.length === 0;
  };
  return { run, shown: () => JSON.stringify(text), close: () => rmSync(folder, { recursive: true, force: true }) };
}

function checkMessages({ errors, warnings, files }: LoadResult, lines: number): void {
  for (const error of errors) {
    must(error instanceof RampartError, "an error without a code");
    must(/^RAMPART_E_[A-Z_]+$/.test(error.code) && error.message !== "", "an error without a message");
    must(/\S/.test(error.hint ?? ""), `no hint: ${error.message}`);
    must(!error.message.includes("the YAML parser failed"), error.message);
    const { file, line, column } = error.location ?? { file: "", line: 0, column: 0 };
    must(file === files[0] && line >= 1 && line <= lines && column >= 1, `placed at ${file}:${line}:${column}`);
  }
  for (const { code, location } of warnings) {
    must(/^RAMPART_W_[A-Z_]+$/.test(code) && location.line >= 1, `a warning without a place: ${code}`);
  }
}

function checkPolicies({ resources }: LoadResult): void {
  for (const policy of resources.policies) {
    must(/^[-.a-z0-9]+$/.test(policy.name), `a policy named ${policy.name}`);
    must(policy.types.length > 0, `${policy.name} has no types`);
    for (const { action, source, destination } of [...policy.ingress, ...policy.egress]) {
      must(["Allow", "Deny", "Log", "Pass"].includes(action), `the action ${action}`);
      for (const { min, max } of [...source.ports, ...destination.ports]) {
        must(Number.isInteger(min) && Number.isInteger(max), `ports ${min}:${max}`);
        must(min >= 1 && min <= max && max <= 65535, `ports ${min}:${max}`);
      }
    }
  }
}

export const loaderTarget: FuzzTarget = { name: "loader", shortRun: 2000, open };
