/**
 * A generation is a number, and numbers come round again: after a wrap, and
 * when a change fails and the next one takes its number. A flow remembered
 * under the number must not be answered by the rules of another policy.
 */
import { describe, expect, it } from "vitest";
import { ipv4, tcp } from "../packet/build.ts";
import { hostEndpoint, policy, PROTOCOL, resourceSet } from "../policy/build.ts";
import { DeciderBench } from "./decider-bench.ts";

const packet = ipv4({ protocol: 6, source: 0x0a000002, destination: 0x0a000001 }, tcp({ destinationPort: 8081 }));

/** Lets TCP to `port` in and nothing else. */
function only(port: number): ReturnType<typeof resourceSet> {
  const destination = { ports: [[port, port]] as [number, number][] };
  return resourceSet({
    hostEndpoints: [hostEndpoint({ name: "host" })],
    policies: [policy({ name: "only", ingress: [{ action: "Allow", protocol: PROTOCOL.tcp, destination }] })],
  });
}

describe("a flow that was allowed under generation 2", () => {
  it("is judged by the policy that takes the number after that change failed", () => {
    const bench = new DeciderBench(only(8080));
    bench.publish(only(8081), 2);
    expect(bench.judge(packet).verdict).toBe("accept");
    bench.publish(only(8080), 1);
    bench.publish(only(9090), 2);
    expect(bench.judge(packet).verdict).toBe("drop");
  });

  it("is judged by the policy that gets the number when the numbers have come round", () => {
    const bench = new DeciderBench(only(8080));
    bench.publish(only(8081), 2);
    expect(bench.judge(packet).verdict).toBe("accept");
    for (let generation = 3; generation <= bench.marks.maxGeneration; generation++) bench.publish(only(8080), generation);
    bench.publish(only(8080), 1);
    bench.publish(only(8080), 2);
    expect(bench.judge(packet).verdict).toBe("drop");
  });
});
