import { describe, expect, it } from "vitest";
import { formatCidr } from "../../src/address/address.ts";
import type { FailsafePort } from "../../src/resources/types.ts";
import { loadText, resource } from "./temporary-folder.ts";

function loadFelix(spec: string) {
  return loadText(resource("FelixConfiguration", "{ name: default }", spec));
}

/** The inbound list as `protocol:net:port` texts. */
function inbound(value: string): string[] | undefined {
  const { resources, errors } = loadFelix(`{ failsafeInboundHostPorts: ${value} }`);
  expect(errors.map((error) => error.message)).toEqual([]);
  return resources.felixConfigurations[0]?.failsafeInbound?.map(formatPort);
}

function formatPort({ protocol, port, net }: FailsafePort): string {
  return net === undefined ? `${protocol}:${port}` : `${protocol}:${formatCidr(net)}:${port}`;
}

describe("a failsafe list that is not set keeps the defaults", () => {
  it.each(["null", "", '""'])("%s", (value) => {
    expect(inbound(value)).toBeUndefined();
  });

  it("absent", () => {
    expect(loadFelix("{}").resources.felixConfigurations[0]).toMatchObject({
      failsafeInbound: undefined,
      failsafeOutbound: undefined,
      denyAction: undefined,
    });
  });
});

describe("a failsafe list that is empty turns failsafes off", () => {
  it.each(["[]", "none", '"none"', "[none]", '["None"]'])("%s", (value) => {
    expect(inbound(value)).toEqual([]);
  });
});

describe("a failsafe port in every form", () => {
  it.each([
    ['["tcp:22", "udp:68"]', ["tcp:22", "udp:68"]],
    ["[tcp:22]", ["tcp:22"]],
    ["[TCP:22]", ["tcp:22"]],
    ["[sctp:9]", ["sctp:9"]],
    ['["22", 23]', ["tcp:22", "tcp:23"]],
    ['["tcp:10.0.0.0/8:22"]', ["tcp:10.0.0.0/8:22"]],
    ['["tcp:10.1.2.3:22"]', ["tcp:10.1.2.3/32:22"]],
    ['["udp:[2001:db8::/32]:53"]', ["udp:2001:db8::/32:53"]],
    ["[{ protocol: tcp, port: 22 }]", ["tcp:22"]],
    ['[{ protocol: TCP, port: 22, net: "" }]', ["tcp:22"]],
    ["[{ protocol: udp, port: 53, net: 10.0.0.0/8 }, tcp:22]", ["udp:10.0.0.0/8:53", "tcp:22"]],
    ["{ protocol: tcp, port: 22 }", ["tcp:22"]],
    ['"tcp:22, udp:68"', ["tcp:22", "udp:68"]],
    ["tcp:22", ["tcp:22"]],
  ])("%s", (value, ports) => {
    expect(inbound(value)).toEqual(ports);
  });
});

describe("a failsafe list with anything invalid is an error, never a shorter list", () => {
  it.each([
    ["none with others", '["none", "tcp:22"]', "VALUE"],
    ["four parts", '["tcp:a:b:22"]', "VALUE"],
    ["an IPv6 net without brackets", '["tcp:2001:db8::/32:22"]', "VALUE"],
    ["an unknown protocol", '["icmp:22"]', "VALUE"],
    ["no protocol before the colon", '[":22"]', "VALUE"],
    ["port 0", '["tcp:0"]', "PORT"],
    ["port 65536", '["tcp:65536"]', "PORT"],
    ["no port", '["tcp:"]', "PORT"],
    ["an empty entry", '[""]', "PORT"],
    ["a port name", '["tcp:ssh"]', "PORT"],
    ["a range", '["tcp:22:23"]', "CIDR"],
    ["an empty net", '["tcp::22"]', "CIDR"],
    ["an invalid net", '["tcp:10.0.0.0/33:22"]', "CIDR"],
    ["port 0 as a number", "[0]", "PORT"],
    ["port 22.5", "[22.5]", "PORT"],
    ["an object's port 70000", "[{ protocol: tcp, port: 70000 }]", "PORT"],
    ["an object's port as text", '[{ protocol: tcp, port: "22" }]', "TYPE"],
    ["an object without a protocol", "[{ port: 22 }]", "FIELD_MISSING"],
    ["an entry that is true", "[true]", "TYPE"],
    ["an entry that is null", "[null]", "TYPE"],
    ["a single number", "22", "TYPE"],
  ])("%s: RAMPART_E_%4$s", (_what, value, code) => {
    const { resources, errors } = loadFelix(`{ failsafeOutboundHostPorts: ${value} }`);
    expect(errors.map((error) => error.code)).toEqual([`RAMPART_E_${code}`]);
    expect(errors[0]?.location?.line).toBe(4);
    expect(resources.felixConfigurations).toEqual([]);
  });
});

describe("FelixConfiguration's other fields", () => {
  it("are found whatever their case", () => {
    const spec = "{ FAILSAFEOUTBOUNDHOSTPORTS: [tcp:1], IptablesFilterDenyAction: reject }";
    expect(loadFelix(spec).resources.felixConfigurations[0]).toMatchObject({
      failsafeOutbound: [{ port: 1 }],
      denyAction: "Reject",
    });
  });

  it("have no effect where they are not about a host firewall", () => {
    const spec = "{ bpfLogLevel: '', floatingIPs: Disabled, healthPort: 9099, reportingInterval: 0s }";
    expect(loadFelix(spec)).toMatchObject({ errors: [], warnings: [] });
  });

  it("are warned about where they look like a misspelled failsafe list", () => {
    const { warnings } = loadFelix('{ failsafeInboundPorts: ["tcp:22"] }');
    expect(warnings.map((warning) => warning.code)).toEqual(["RAMPART_W_FIELD_IGNORED"]);
  });

  it("are kept by name: default, and node.<host>; another name is warned about", () => {
    const text = ["default", "node.web-1.example.com", "other"]
      .map((name) => resource("FelixConfiguration", `{ name: ${name} }`, "{}"))
      .join("---\n");
    const { resources, warnings } = loadText(text);
    const names = resources.felixConfigurations.map((felix) => felix.name);
    expect(names).toEqual(["default", "node.web-1.example.com", "other"]);
    expect(warnings.map((warning) => warning.code)).toEqual(["RAMPART_W_FELIX_NAME"]);
  });
});
