/** Port names of the machine's own services file (services(5)); nothing is asked over the network. */
import { readFileSync } from "node:fs";
import type { PortNames } from "./packet-text.ts";

const LINE = /^(\S+)\s+(\d+)\/(tcp|udp|sctp)\b/;

/** The first name of each port and protocol; no names when the file cannot be read. */
export function loadServiceNames(file = "/etc/services"): PortNames {
  const names = new Map<string, string>();
  for (const line of readLines(file)) {
    const [, name, port, protocol] = LINE.exec(line) ?? [];
    if (name === undefined || name.startsWith("#")) continue;
    const key = `${protocol}/${Number(port)}`;
    if (!names.has(key)) names.set(key, name);
  }
  return (port, protocol) => names.get(`${protocol}/${port}`);
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}
