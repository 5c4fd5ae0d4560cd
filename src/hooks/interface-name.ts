/** Interface names as `-i` and `-o` take them: matched as they were meant, and safe inside restore text. */
import { RampartError } from "../errors/rampart-error.ts";

/** Linux takes up to this many bytes, and so does iptables, a trailing "+" included. */
const LONGEST = 15;

/** Throws RAMPART_E_INTERFACE_NAME unless iptables would match exactly this name and no other. */
export function checkInterfaceName(name: string): void {
  // Linux takes names without "/" and white space; iptables reads a trailing "+" as "any rest", and
  // quotes, backslashes and a leading "-" or "!" have a meaning in its text.
  if (isSafe(name) && name.length <= LONGEST && !/^\.\.?$/.test(name)) return;
  const message = `interface name ${JSON.stringify(name)} cannot be matched exactly`;
  throw new RampartError("RAMPART_E_INTERFACE_NAME", message, {
    hint: "use 1 to 15 printable ASCII characters without spaces, quotes, slashes, a leading - or ! and a trailing +",
  });
}

/**
 * The pattern for every name that starts with `prefix`. Throws
 * RAMPART_E_INTERFACE_NAME unless iptables would match these and no others.
 */
export function prefixPattern(prefix: string): string {
  if (isSafe(prefix) && prefix.length < LONGEST) return `${prefix}+`;
  const message = `interface name prefix ${JSON.stringify(prefix)} cannot be matched`;
  throw new RampartError("RAMPART_E_INTERFACE_NAME", message, {
    hint: "use 1 to 14 printable ASCII characters without spaces, quotes, slashes, a leading - or ! and a trailing +",
  });
}

function isSafe(name: string): boolean {
  return /^(?![-!])[!-.0-~]+$/.test(name) && !/["'\\]|\+$/.test(name);
}
