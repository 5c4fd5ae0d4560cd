/** Interface names as `-i` and `-o` take them: exact, and safe inside restore text. */
import { RampartError } from "../errors/rampart-error.ts";

/** Throws RAMPART_E_INTERFACE_NAME unless iptables would match exactly this name and no other. */
export function checkInterfaceName(name: string): void {
  // Linux takes up to 15 bytes without "/" and white space; iptables reads a trailing "+" as "any rest", and
  // quotes, backslashes and a leading "-" or "!" have a meaning in its text.
  if (/^(?![-!])[!-.0-~]{1,15}$/.test(name) && !/["'\\]|\+$|^\.\.?$/.test(name)) return;
  const message = `interface name ${JSON.stringify(name)} cannot be matched exactly`;
  throw new RampartError("RAMPART_E_INTERFACE_NAME", message, {
    hint: "use 1 to 15 printable ASCII characters without spaces, quotes, slashes, a leading - or ! and a trailing +",
  });
}
