/** How fast the second lane's reader says no. */
import { describe, expect, test } from "vitest";
import { DenialPace } from "../../src/datapath/denial-pace.ts";

/** Batches of `packets` as fast as the pace lets them come, each taking `work` milliseconds; packets a second. */
function rateOf(pace: DenialPace, batches: number, packets: number, denied: number, work: number): number {
  let clock = 1000;
  for (let n = 0; n < batches; n++) {
    clock += pace.wait + work;
    pace.after(packets, denied, clock);
  }
  return (batches * packets) / ((clock - 1000) / 1000);
}

describe("the pace of denials", () => {
  test.each([16, 64, 256])("batches of %i denied packets keep the rate, and no less", (packets) => {
    const rate = rateOf(new DenialPace(20_000), 2000, packets, packets, 0.05);
    expect(rate).toBeGreaterThan(18_000);
    expect(rate).toBeLessThan(21_000);
  });

  test("the lowest rate is kept with whole batches too", () => {
    expect(rateOf(new DenialPace(10_000), 500, 256, 256, 0.5)).toBeLessThan(10_500);
  });

  test("what comes slower than the rate never waits", () => {
    const pace = new DenialPace(20_000);
    for (let clock = 0; clock < 10_000; clock += 10) {
      pace.after(100, 100, clock);
      expect(pace.wait).toBeLessThanOrEqual(10);
    }
  });

  test("a batch with more than a few that pass is followed by none, and neither is a small one", () => {
    const pace = new DenialPace(10_000);
    for (let n = 0; n < 100; n++) pace.after(256, 256, n / 100);
    expect(pace.wait).toBeGreaterThan(0);
    pace.after(256, 230, 1);
    expect(pace.wait).toBe(0);
    pace.after(7, 7, 1);
    expect(pace.wait).toBe(0);
  });

  test("no wait is longer than messages may be late", () => {
    const pace = new DenialPace(10_000);
    for (let n = 0; n < 1000; n++) pace.after(256, 256, 0);
    expect(pace.wait).toBeLessThanOrEqual(30);
  });
});
