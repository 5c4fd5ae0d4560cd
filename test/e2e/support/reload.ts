/** Reload as `rampart reload` does it, without a process each time. */
import { expect } from "vitest";
import { controlRequest } from "../../../src/control/client.ts";
import type { RampartProcess } from "../../../src/sandbox/daemon.ts";

/** Resolves to the generation, when the policy files are in force. */
export async function reload(rampart: RampartProcess): Promise<number> {
  const answer = await controlRequest(rampart.controlSocket, "reload", {}, 30_000);
  const { generation, errors } = answer as { generation: number; errors: string[] };
  expect(errors).toEqual([]);
  return generation;
}
