import { describe, expect, it } from "vitest";
import { formatAddress } from "../../src/address/address.ts";
import { connect } from "../../src/explain/connection.ts";
import { EndpointDirectory, endpointName } from "../../src/explain/endpoint-directory.ts";
import { readQuestion } from "../../src/explain/question.ts";
import { hostEndpoint, resourceSet, workloadEndpoint } from "../policy/build.ts";
import { loadLab, tcp } from "./lab.ts";

const resolved = (directory: EndpointDirectory, text: string): [string | undefined, ...string[]] => {
  const { endpoint, addresses } = directory.resolve(text);
  return [endpoint && endpointName(endpoint), ...Object.values(addresses).map(formatAddress)];
};

describe("an end of a connection", () => {
  it("is a pod, a HostEndpoint or an address; an address is its endpoint's", () => {
    const directory = new EndpointDirectory(loadLab().set);
    expect(resolved(directory, "prod/web")).toEqual(["prod/web", "10.1.0.1", "fd00:1::1"]);
    expect(resolved(directory, "one-eth0")).toEqual(["one-eth0", "192.0.2.1"]);
    expect(resolved(directory, "10.1.0.1")).toEqual(["prod/web", "10.1.0.1"]);
    expect(resolved(directory, "FD00:1:0::1")).toEqual(["prod/web", "fd00:1::1"]);
    expect(resolved(directory, "192.0.2.1")).toEqual(["one-eth0", "192.0.2.1"]);
    expect(resolved(directory, "203.0.113.9")).toEqual([undefined, "203.0.113.9"]);
    // A network set has addresses, but nothing in it judges.
    expect(resolved(directory, "198.51.100.1")).toEqual([undefined, "198.51.100.1"]);
  });

  it("NAME@ADDRESS is that endpoint with an address that may be anyone's", () => {
    const directory = new EndpointDirectory(loadLab().set);
    expect(resolved(directory, "one-eth0@203.0.113.9")).toEqual(["one-eth0", "203.0.113.9"]);
    expect(resolved(directory, "prod/web@fd00::9")).toEqual(["prod/web", "fd00::9"]);
  });

  it.each([
    ["prod/wen", "RAMPART_E_END_UNKNOWN", "did you mean prod/web?"],
    ["web", "RAMPART_E_END_UNKNOWN", "HostEndpoint"],
    ["prod/web@10.0.0.0/8", "RAMPART_E_END_ADDRESS", "without a prefix length"],
    ["10.1.0.1/32", "RAMPART_E_END_UNKNOWN", "namespace/pod"],
  ])("%s is refused as %s", (text, code, hint) => {
    const directory = new EndpointDirectory(loadLab().set);
    expect(() => directory.resolve(text)).toThrow(expect.objectContaining({ code }));
    const withHint = expect.objectContaining({ hint: expect.stringContaining(hint) as string }) as Error;
    expect(() => directory.resolve(text)).toThrow(withHint);
  });

  it("an address that several HostEndpoints of a node claim is the specific one's, then the smallest name's", () => {
    const expectedIPs = ["192.0.2.7"];
    const set = resourceSet({
      hostEndpoints: [
        hostEndpoint({ name: "a", interfaceName: "*", expectedIPs }),
        hostEndpoint({ name: "c", interfaceName: "eth0", expectedIPs }),
        hostEndpoint({ name: "b", interfaceName: null, expectedIPs }),
      ],
    });
    expect(resolved(new EndpointDirectory(set), "192.0.2.7")).toEqual(["b", "192.0.2.7"]);
  });

  it("an address of endpoints on several nodes, or of two pods, is not guessed at", () => {
    const shared = ["192.0.2.7"];
    const hosts = ["node-a", "node-b"].map((node) => hostEndpoint({ name: node, node, expectedIPs: shared }));
    const pods = ["p", "q"].map((name) => workloadEndpoint({ name, addresses: shared }));
    for (const set of [resourceSet({ hostEndpoints: hosts }), resourceSet({ workloadEndpoints: pods })]) {
      const ambiguous = expect.objectContaining({ code: "RAMPART_E_END_AMBIGUOUS" }) as Error;
      expect(() => new EndpointDirectory(set).resolve("192.0.2.7")).toThrow(ambiguous);
    }
  });
});

describe("a connection", () => {
  const families = (from: string, to: string, family?: number): number =>
    connect(readQuestion({ ...tcp(from, to, 80), family }), new EndpointDirectory(loadLab().set)).packet.family;

  it("is of the family both ends have, IPv4 first, unless the question says", () => {
    expect(families("prod/web", "prod/db")).toBe(4);
    expect(families("prod/web", "prod/db", 6)).toBe(6);
    expect(families("prod/web", "prod/v6only")).toBe(6);
    expect(families("prod/web", "fd00::9")).toBe(6);
  });

  it.each([
    ["dev/shell", "prod/v6only", undefined, "no family in common"],
    ["dev/shell", "prod/web", 6, "dev/shell has no IPv6 address"],
    ["prod/web", "10.9.9.9", 6, "10.9.9.9 has no IPv6 address"],
  ])("from %s to %s, family %s: %s", (from, to, family, message) => {
    expect(() => families(from, to, family)).toThrow(expect.objectContaining({ code: "RAMPART_E_END_ADDRESS" }));
    expect(() => families(from, to, family)).toThrow(message);
  });

  it("to a port by name is to the port the destination declares under it, per protocol", () => {
    const directory = new EndpointDirectory(loadLab().set);
    const port = (protocol: string, to: string): number | undefined =>
      connect(readQuestion({ from: "prod/web", to, protocol, port: "http" }), directory).packet.destinationPort;
    expect(port("tcp", "prod/db")).toBe(8080);
    for (const [protocol, to] of [["udp", "prod/db"], ["tcp", "203.0.113.9"]] as const) {
      expect(() => port(protocol, to)).toThrow(expect.objectContaining({ code: "RAMPART_E_PORT_UNKNOWN" }));
    }
  });
});
