/**
 * A V8 CPU profile of the thread it is used in: what the packet path spends
 * its time on. Costs nothing until it is started, a few percent while it runs.
 */
import { Session, type Profiler } from "node:inspector";

/** Time between samples: fine enough to tell the steps of a packet apart over a few seconds. */
const INTERVAL_MICROSECONDS = 200;

export class PathProfile {
  #session: Session | undefined;

  /** `onStarted` once samples are taken; a profile that runs already goes on. */
  start(onStarted: () => void): void {
    if (this.#session === undefined) {
      const session = new Session();
      session.connect();
      session.post("Profiler.enable");
      session.post("Profiler.setSamplingInterval", { interval: INTERVAL_MICROSECONDS });
      session.post("Profiler.start");
      this.#session = session;
    }
    onStarted();
  }

  /** `onProfile` with the JSON of a .cpuprofile file; an empty string when none was started or it failed. */
  end(onProfile: (json: string) => void): void {
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return onProfile("");
    session.post("Profiler.stop", (error: Error | null, result?: Profiler.StopReturnType) => {
      session.disconnect();
      onProfile(error === null && result !== undefined ? JSON.stringify(result.profile) : "");
    });
  }
}
