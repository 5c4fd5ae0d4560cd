/** The files in config/ are what a new user runs first: they must load without a word. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadSettings } from "../../src/config/settings.ts";
import { loadResources } from "../../src/resources/load.ts";

function shipped(path: string): string {
  return fileURLToPath(new URL(`../../config/${path}`, import.meta.url));
}

describe("config/rampart.yaml", () => {
  const { settings, warnings } = loadSettings(shipped("rampart.yaml"));

  it("loads without a warning and fails closed", () => {
    expect(warnings).toEqual([]);
    expect(settings.queue.failOpen).toBe(false);
    expect(settings.metrics?.host).toBe("127.0.0.1");
  });

  it("reads config/policy.d, whose HostEndpoint stands for this host", () => {
    expect(settings.policy.paths).toEqual([shipped("policy.d")]);
    const { resources, errors, warnings: notes } = loadResources(settings.policy.paths);
    expect({ errors, notes }).toEqual({ errors: [], notes: [] });
    expect(resources.hostEndpoints).toMatchObject([{ node: settings.node, interfaceName: "*" }]);
  });

  it("does not touch the failsafe ports and leaves everything outgoing allowed", () => {
    const { resources } = loadResources(settings.policy.paths);
    expect(resources.felixConfigurations).toEqual([]);
    const outgoing = resources.policies.filter((policy) => policy.types.includes("egress"));
    expect(outgoing).toMatchObject([{ egress: [{ action: "Allow", protocol: undefined }] }]);
  });
});

describe("config/quickstart", () => {
  it("loads without a word", () => {
    const { errors, warnings } = loadResources([shipped("quickstart")]);
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
  });
});
