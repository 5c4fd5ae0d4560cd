/**
 * Says where the functions of a CPU profile are in the source files: the
 * daemon runs from a few large files, whose source maps know.
 */
import type { Profiler } from "node:inspector";
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { fileURLToPath } from "node:url";

/** The JSON of a .cpuprofile file with the sources' files, lines and columns; what has no source map stays as it is. */
export function inSourceFiles(json: string): string {
  const profile = JSON.parse(json) as Profiler.Profile;
  const maps = new Map<string, SourceMap | undefined>();
  for (const node of profile.nodes) {
    const { callFrame } = node;
    const { url } = callFrame;
    if (!maps.has(url)) maps.set(url, readMap(url));
    const place = maps.get(url)?.findEntry(callFrame.lineNumber, callFrame.columnNumber);
    if (place === undefined || !("originalSource" in place)) continue;
    callFrame.url = new URL(place.originalSource, url).href;
    callFrame.lineNumber = place.originalLine;
    callFrame.columnNumber = place.originalColumn;
    // They count lines of the file that ran.
    delete node.positionTicks;
  }
  return JSON.stringify(profile);
}

function readMap(url: string): SourceMap | undefined {
  if (!url.startsWith("file:")) return undefined;
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, "utf8")) as ConstructorParameters<typeof SourceMap>[0]);
  } catch {
    return undefined;
  }
}
