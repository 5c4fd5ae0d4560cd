/** What a load has to say, in the log: a line an error and a warning. */
import type { Logger } from "pino";
import { formatError } from "../errors/rampart-error.ts";
import type { LoadResult } from "../resources/load.ts";

export function reportLoad(log: Logger, loaded: LoadResult): void {
  for (const error of loaded.errors) log.error({ code: error.code, ...error.location }, formatError(error));
  for (const { code, message, location, yaml } of loaded.warnings) {
    const fields = { code, ...location, ...(yaml === undefined ? {} : { yaml }) };
    log.warn(fields, `${location.file}:${location.line}:${location.column}: ${message}`);
  }
}
