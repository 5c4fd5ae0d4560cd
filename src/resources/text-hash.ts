/** Stands for a text that need not be kept to see whether it has changed: SHA-256, so that nobody can make two alike. */
import { createHash } from "node:crypto";

export function textHash(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
