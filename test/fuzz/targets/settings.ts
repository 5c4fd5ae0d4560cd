/** The settings file: settings within their bounds, or one RampartError. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../../src/config/settings.ts";
import { RampartError } from "../../../src/errors/rampart-error.ts";
import type { Random } from "../../packet/random.ts";
import { SETTINGS_TEXT, YAML_PIECES } from "../corpus-texts.ts";
import { mutateText } from "../mutate-text.ts";
import type { FuzzTarget, OpenTarget } from "../target.ts";
import { must } from "../target.ts";

/** In the shipped file every setting stands behind a `#`. */
const TEXTS = [SETTINGS_TEXT, SETTINGS_TEXT.replaceAll(/^(\s*)# ?(\s*(?!false)[a-zA-Z]+:)/gm, "$1$2")];

function open(): OpenTarget {
  const folder = mkdtempSync(join(tmpdir(), "rampart-fuzz-"));
  const file = join(folder, "rampart.yaml");
  let text = "";
  const run = (random: Random): boolean => {
    text = mutateText(random, random.pick(TEXTS), YAML_PIECES, TEXTS);
    writeFileSync(file, text);
    try {
      const { settings } = loadSettings(file);
      const { queue, datapath } = settings;
      must(queue.number >= 0 && queue.number + datapath.workers - 1 <= 65_535, `queue ${queue.number}`);
      return true;
    } catch (error) {
      if (!(error instanceof RampartError)) throw error;
      must(error.code.startsWith("RAMPART_E_"), error.code);
      return false;
    }
  };
  return { run, shown: () => JSON.stringify(text), close: () => rmSync(folder, { recursive: true, force: true }) };
}

export const settingsTarget: FuzzTarget = { name: "settings", shortRun: 500, open };
