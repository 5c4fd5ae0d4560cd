/** What an apply would change, on a page. */
import type { ApplyPlan, CutConnection } from "../control/plan.ts";

type Change = ApplyPlan["changes"][number];

const SIGNS = { added: "+", removed: "-", changed: "~" } as const;

/** The page, with its final newline. */
export function planPage({ changed, changes, forecast }: ApplyPlan): string {
  const lines = changed === 0 ? ["no resource changes"] : changes.map(changeLine);
  if (changed > changes.length) lines.push(`  … and ${changed - changes.length} changes more`);
  if (forecast === undefined) {
    lines.push("established: keep: connections that are open go on");
  } else {
    const { connections, cut, unsure, translated, listed } = forecast;
    lines.push(`${cut} of ${connections} live connections would be cut${cut === 0 ? "" : ":"}`);
    lines.push(...listed.map(cutLine));
    if (cut > listed.length) lines.push(`  … and ${cut - listed.length} more`);
    if (unsure > 0) lines.push(`${unsure} may be cut: it depends on the interfaces they pass`);
    if (translated > 0) lines.push(`${translated} more are translated (NAT) and judged by their next packet`);
  }
  return `${lines.join("\n")}\n`;
}

function changeLine({ change, kind, namespace, name, tier, fields }: Change): string {
  const full = namespace === "" ? name : `${namespace}/${name}`;
  const where = tier === undefined ? "" : ` (tier ${tier})`;
  const details = fields.map(({ field, before, after }) => {
    return before === after ? `${field} differs` : `${field} ${before} -> ${after}`;
  });
  return `${SIGNS[change]} ${kind} ${full}${where}${details.length === 0 ? "" : `: ${details.join(", ")}`}`;
}

function cutLine(connection: CutConnection): string {
  const { protocol, source, sourcePort, destination, destinationPort, icmpType, endpoint, by } = connection;
  const type = icmpType === undefined ? "" : ` type ${icmpType}`;
  const at = endpoint === undefined ? "" : ` at ${endpoint}`;
  return `  ${protocol} ${end(source, sourcePort)} -> ${end(destination, destinationPort)}${type}, by ${by}${at}`;
}

function end(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
