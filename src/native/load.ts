/**
 * Loads the C addons of `native/`. They are found beside the source tree, at
 * the same distance from `src/native/` and from `dist/native/`, and are
 * loaded once per thread (Node caches them).
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { RampartError } from "../errors/rampart-error.ts";
import { failureText, systemErrorCode } from "./system-error.ts";
import type { NativeBinding, NativePacketFilter } from "./binding.ts";

const require = createRequire(import.meta.url);

function loadAddon(name: string, hint: string): unknown {
  const path = fileURLToPath(new URL(`../../native/build/Release/${name}.node`, import.meta.url));
  try {
    return require(path) as unknown;
  } catch (error) {
    const missing = systemErrorCode(error) === "MODULE_NOT_FOUND";
    const problem = missing ? "is not built" : `does not load: ${failureText(error)}`;
    throw new RampartError("RAMPART_E_NATIVE_MISSING", `the addon ${path} ${problem}`, { hint, cause: error });
  }
}

/** The binding's addon; RAMPART_E_NATIVE_MISSING when it is not built or does not load. */
export function loadNative(): NativeBinding {
  return loadAddon("rampart", "run `npm run build:native`, which needs a C compiler and make") as NativeBinding;
}

/** Compiles libpcap expressions over raw IP packets. */
interface PacketFilterCompiler {
  /** RAMPART_E_TAP_FILTER with libpcap's own message when the expression does not compile. */
  compile(expression: string): NativePacketFilter;
}

/** The addon that links libpcap; RAMPART_E_NATIVE_MISSING when it was built without libpcap's headers. */
export function loadPacketFilterCompiler(): PacketFilterCompiler {
  const addon = loadAddon(
    "rampart_bpf",
    "install libpcap's headers (Debian, Ubuntu: libpcap-dev) and run `npm run build:native`",
  ) as PacketFilterCompiler;
  return {
    compile(expression) {
      try {
        return addon.compile(expression);
      } catch (error) {
        const message = `the filter "${expression}" is not valid: ${failureText(error)}`;
        throw new RampartError("RAMPART_E_TAP_FILTER", message, {
          hint: "write a pcap-filter(7) expression over IP packets, such as `tcp port 443 and host 10.0.0.1`",
          cause: error,
        });
      }
    },
  };
}
