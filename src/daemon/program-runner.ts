/**
 * Runs programs for the daemon as hooks/command.ts does, by the addon: Node's
 * own spawn copies the memory map of a daemon that holds a hundred thousand
 * addresses, and every thread waits for that, packets included.
 */
import { delimiter, join } from "node:path";
import { commandEnvironment, type CommandOptions, type CommandResult, type CommandRunner, commandTimeout } from "../hooks/command.ts";
import type { NativeBinding } from "../native/binding.ts";
import { systemErrorCode } from "../native/system-error.ts";

/** Not here, or hidden by a directory that may not be searched: the next one may have it. */
const NOT_THERE: readonly (string | undefined)[] = ["ENOENT", "EACCES", "ENOTDIR"];

export function programRunner(native: NativeBinding): CommandRunner {
  return (file, args, options) =>
    new Promise((resolve, reject) => {
      const environment = commandEnvironment(options);
      for (const directory of environment.PATH.split(delimiter)) {
        if (directory === "") continue;
        try {
          start(native, join(directory, file), args, environment, options, (result) => {
            if (result === undefined) reject(commandTimeout(file, options));
            else resolve(result);
          });
          return;
        } catch (error) {
          if (NOT_THERE.includes(systemErrorCode(error))) continue;
          reject(error);
          return;
        }
      }
      resolve(undefined);
    });
}

/** `onEnd` gets undefined when the time was over. @throws where there is no such program */
function start(
  native: NativeBinding,
  path: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  { input = "", timeoutMilliseconds, onStart }: CommandOptions,
  onEnd: (result: CommandResult | undefined) => void,
): void {
  const variables = Object.entries(environment).map(([key, value]) => `${key}=${value ?? ""}`);
  const pid = native.runProgram(path, args, variables, input, timeoutMilliseconds, (status, stdout, stderr, timedOut) =>
    onEnd(timedOut ? undefined : { status, stdout, stderr }),
  );
  onStart?.(pid);
}
