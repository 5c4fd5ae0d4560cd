import { describe, expect, it } from "vitest";
import { readSshConnection } from "../../src/lint/ssh-session.ts";
import type { SshSession } from "../../src/lint/ssh-session.ts";
import { address } from "../policy/build.ts";
import { documents, warningsOf } from "./said.ts";

const SESSION = "198.51.100.7 50022 192.0.2.10 22";
const NO_FAILSAFE = 'FelixConfiguration default { failsafeInboundHostPorts: ["none"] }';
const ALLOW_SSH =
  "GlobalNetworkPolicy ssh { ingress: [{ action: Allow, protocol: TCP, destination: { ports: [22] } }] }";
const endpoint = (name: string, spec: string, node = "node-a"): string =>
  `HostEndpoint ${name} [name: ${name}] { node: ${node}, ${spec} }`;
const ALLOW_ALL = "profiles: [projectcalico-default-allow]";
const ETH0 = endpoint("eth0", "interfaceName: eth0");

function session(text = SESSION): SshSession {
  const read = readSshConnection(text);
  if (read === undefined) throw new Error(`no session: ${text}`);
  return read;
}

function warned(lines: readonly string[], text?: string): string[] {
  return warningsOf(documents(...lines), { session: session(text) })
    .filter(({ code }) => code === "RAMPART_W_LOCKS_OUT")
    .map(({ message }) => message);
}

describe("a set that would lock out the SSH session it is checked from", () => {
  it("is reported loudly, with the session, the endpoint and what to do", () => {
    const [warning] = warningsOf(documents(ETH0, NO_FAILSAFE), { session: session() });
    expect(warning).toMatchObject({
      code: "RAMPART_W_LOCKS_OUT",
      message:
        "THESE POLICIES WOULD LOCK YOU OUT OF node-a: your SSH session from 198.51.100.7 port 50022 to 192.0.2.10 " +
        "port 22 is denied on HostEndpoint eth0 by default, as no policy allows it",
      location: { line: 1 },
    });
    expect(warning?.hint).toContain("tcp:22");
  });

  it("is reported at the rule that denies it", () => {
    const rule = "{ action: Deny, source: { nets: [198.51.100.0/24] } }";
    const deny = `GlobalNetworkPolicy deny { order: 1, ingress: [${rule}] }`;
    const [warning] = warningsOf(documents(ETH0, NO_FAILSAFE, deny), { session: session() });
    expect(warning?.message).toMatch(/by rule 1 of policy deny$/);
    expect(warning?.location).toMatchObject({ line: 14, column: 29 });
  });

  it.each([
    ["by the end of a tier", [ETH0, "GlobalNetworkPolicy web { ingress: [{ action: Allow, protocol: UDP }] }"]],
    ["by an endpoint of every interface", [endpoint("all", "interfaceName: '*'")]],
    [
      "by the endpoint with its address",
      [endpoint("ip", "expectedIPs: [192.0.2.10]"), endpoint("other", `interfaceName: eth1, ${ALLOW_ALL}`)],
    ],
    [
      "before DNAT, though a policy behind it allows",
      [ETH0, ALLOW_SSH, "GlobalNetworkPolicy pre { preDNAT: true, applyOnForward: true, ingress: [{ action: Deny }] }"],
    ],
    [
      "by an untracked policy that denies its answers",
      [ETH0, ALLOW_SSH, "GlobalNetworkPolicy raw { doNotTrack: true, applyOnForward: true, egress: [{ action: Deny }] }"],
    ],
  ])("%s", (_, lines) => {
    expect(warned([...lines, NO_FAILSAFE])).toHaveLength(1);
  });

  it("on a port of its own that is no failsafe port", () => {
    expect(warned([ETH0], "198.51.100.7 50022 192.0.2.10 2222")).toHaveLength(1);
  });

  it("whatever there is for loopback, which Rampart leaves alone", () => {
    expect(warned([ETH0, endpoint("loopback", "interfaceName: lo"), NO_FAILSAFE])).toHaveLength(1);
  });

  it("over IPv6, whatever the form of the addresses", () => {
    expect(warned([ETH0, NO_FAILSAFE], "fe80::2%eth0 50022 fe80::1%eth0 22")).toHaveLength(1);
    const mapped = endpoint("ip", "expectedIPs: [192.0.2.10]");
    expect(warned([mapped, NO_FAILSAFE], "::ffff:198.51.100.7 50022 ::ffff:192.0.2.10 22")).toHaveLength(1);
  });
});

describe("no warning", () => {
  it.each([
    ["while SSH is a failsafe port", [ETH0]],
    ["where a policy allows the session", [ETH0, NO_FAILSAFE, ALLOW_SSH]],
    ["where a profile does", [endpoint("eth0", `interfaceName: eth0, ${ALLOW_ALL}`), NO_FAILSAFE]],
    [
      "where one endpoint that could govern it allows it",
      [ETH0, endpoint("eth1", `interfaceName: eth1, ${ALLOW_ALL}`), NO_FAILSAFE],
    ],
    [
      "for answers of a failsafe port, though an untracked policy denies everything",
      [ETH0, "GlobalNetworkPolicy raw { doNotTrack: true, applyOnForward: true, egress: [{ action: Deny }] }"],
    ],
    ["where the endpoints are another node's", [endpoint("eth0", "interfaceName: eth0", "node-b"), NO_FAILSAFE]],
    ["without endpoints", [NO_FAILSAFE, "GlobalNetworkPolicy deny { ingress: [{ action: Deny }] }"]],
    [
      "for a staged policy",
      [
        endpoint("eth0", `interfaceName: eth0, ${ALLOW_ALL}`),
        NO_FAILSAFE,
        "StagedGlobalNetworkPolicy deny { ingress: [{ action: Deny }] }",
      ],
    ],
  ])("%s", (_, lines) => {
    expect(warned(lines)).toEqual([]);
  });

  it("outside an SSH session", () => {
    expect(warningsOf(documents(ETH0, NO_FAILSAFE))).toEqual([]);
  });

  it("where the session's interface is known and governed by nobody, or exempt", () => {
    const interfaces = [
      { name: "eth1", addresses: [address("192.0.2.10")] },
      { name: "lo", addresses: [address("127.0.0.1")] },
    ];
    const text = documents(ETH0, NO_FAILSAFE);
    expect(warningsOf(text, { session: session(), interfaces })).toEqual([]);
    const all = documents(endpoint("all", "interfaceName: '*'"), NO_FAILSAFE);
    expect(warningsOf(all, { session: session(), interfaces })).toHaveLength(1);
    expect(warningsOf(all, { session: session("127.0.0.1 50022 127.0.0.1 22"), interfaces })).toEqual([]);
  });
});

describe("SSH_CONNECTION", () => {
  it("is client, port, server, port", () => {
    expect(session()).toEqual({
      client: address("198.51.100.7"),
      clientPort: 50_022,
      server: address("192.0.2.10"),
      serverPort: 22,
    });
  });

  it.each([
    [undefined],
    [""],
    ["198.51.100.7 50022"],
    ["a b c d"],
    ["198.51.100.7 0 192.0.2.10 22"],
    ["::1 5 192.0.2.10 22"],
  ])("%j is no session", (text) => {
    expect(readSshConnection(text)).toBeUndefined();
  });
});
