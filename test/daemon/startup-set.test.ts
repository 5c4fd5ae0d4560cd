/** What a start without any policy enforces, judged by the reference evaluator's choice of endpoints. */
import { describe, expect, it } from "vitest";
import { startupSet } from "../../src/daemon/startup-set.ts";
import { chooseEndpoints, forwardingEndpoint, governingEndpoint } from "../../src/policy/endpoint-choice.ts";
import { effectiveFelix } from "../../src/policy/failsafe.ts";
import { DEFAULT_FELIX_SETTINGS } from "../../src/resources/felix-settings.ts";

const NODE = "Any_Name.example";
const INTERFACES = ["lo", "eth0", "cali123", "wg0"].map((name) => ({ name, addresses: [] }));

describe("closed", () => {
  const { resources, errors, warnings } = startupSet("closed", NODE, true);
  const choice = chooseEndpoints(resources, NODE, INTERFACES);

  it("is a set without errors and warnings", () => {
    expect([errors, warnings, choice.warnings, choice.inactive]).toEqual([[], [], [], []]);
  });

  it.each(["eth0", "cali123", "wg0"])("governs %s, local and forwarded traffic", (name) => {
    expect(governingEndpoint(choice, name)?.name).toBe("startup-closed");
    expect(forwardingEndpoint(choice, name)?.name).toBe("startup-closed");
  });

  it("allows nothing, in either direction, also of what is forwarded", () => {
    expect(resources.policies).toMatchObject([
      { types: ["ingress", "egress"], ingress: [], egress: [], applyOnForward: true, staged: false },
    ]);
    expect(choice.wildcard?.profiles).toEqual([]);
  });

  it("leaves the failsafe ports as they are by default", () => {
    const { failsafeInbound, failsafeOutbound } = effectiveFelix(resources, NODE);
    expect(failsafeInbound).toEqual(DEFAULT_FELIX_SETTINGS.failsafeInbound);
    expect(failsafeOutbound).toEqual(DEFAULT_FELIX_SETTINGS.failsafeOutbound);
  });

  it("leaves loopback alone, or allows it where it would be governed", () => {
    expect(governingEndpoint(choice, "lo")).toBeUndefined();
    const governed = startupSet("closed", NODE, false);
    expect([governed.errors, governed.warnings]).toEqual([[], []]);
    const loopback = governingEndpoint(
      chooseEndpoints(governed.resources, NODE, INTERFACES, { exemptLoopback: false }),
      "lo",
    );
    expect(loopback).toMatchObject({ name: "startup-loopback", profiles: ["projectcalico-default-allow"] });
  });
});

describe("open", () => {
  it("governs no interface", () => {
    const { resources, errors } = startupSet("open", NODE, true);
    expect(errors).toEqual([]);
    const choice = chooseEndpoints(resources, NODE, INTERFACES);
    expect([choice.wildcard, choice.byInterface.size]).toEqual([undefined, 0]);
  });
});
