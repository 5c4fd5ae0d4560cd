/** Rows of the Felix scenarios about one host: which endpoint governs, failsafe nets, INVALID packets, ICMP errors. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { udpEcho } from "../../src/sandbox/probe.ts";
import { allowPort, felixConfiguration, hostEndpoint, policy } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";
import { globalPolicy, profile } from "./support/pod-documents.ts";
import { PolicyFile } from "./support/policy-file.ts";
import { strayAck } from "./support/tcp-segment.ts";

const ADDRESSES = FAMILIES.map(({ shield }) => shield);
const ETH0 = hostEndpoint("shield-eth0", { interfaceName: "eth0" });
/** An interface that this host does not have. */
const ELSEWHERE = hostEndpoint("shield-eth1", { interfaceName: "eth1", expectedIPs: ADDRESSES });

let lab: Lab;
let file: PolicyFile;

beforeAll(async () => {
  lab = await Lab.create();
  file = await PolicyFile.start(lab.shield);
});
afterAll(async () => {
  await file?.rampart.stop();
  await lab?.destroy();
});

describe.each(FAMILIES)("over $family", ({ family, shield, client }) => {
  const RESETS = { own: client, address: shield, port: 9999 };
  const SILENT_MS = 400;
  const PATIENT_MS = 4000;

  describe("row 86: a segment of no connection", () => {
    beforeEach(() => lab.shield.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0));

    test("is answered with a reset on an interface that no endpoint governs", async () => {
      await file.enforce(ELSEWHERE);
      expect(await strayAck(lab.client, RESETS, PATIENT_MS)).toBe("reset");
    });

    test("is dropped as INVALID where one does, whatever its policies allow", async () => {
      const open = policy("open", { types: ["Ingress", "Egress"], ingress: [{ action: "Allow" }], egress: [{ action: "Allow" }] });
      await file.enforce(ETH0, open);
      expect(await strayAck(lab.client, RESETS, SILENT_MS)).toBe("silence");
      await expectConnects(lab.client, shield, 8080);
    });

    test("goes by the policies where disableConntrackInvalidCheck is set", async () => {
      const unchecked = felixConfiguration({ disableConntrackInvalidCheck: true });
      const inward = (action: string): string =>
        policy("open", { types: ["Ingress", "Egress"], ingress: [{ action }], egress: [{ action: "Allow" }] });
      await file.enforce(ETH0, unchecked, inward("Allow"));
      expect(await strayAck(lab.client, RESETS, PATIENT_MS)).toBe("reset");
      await file.enforce(ETH0, unchecked, inward("Deny"));
      expect(await strayAck(lab.client, RESETS, SILENT_MS)).toBe("silence");
    });
  });

  test("row 91: a failsafe port with a net is open to that net; others go by policy", async () => {
    const forNet = (net: string): string => felixConfiguration({ failsafeInboundHostPorts: [`tcp:[${net}]:22`] });
    const bits = family === "IPv4" ? 32 : 128;
    await file.enforce(ETH0, forNet(`${client}/${bits}`));
    await expectConnects(lab.client, shield, 22);
    await file.enforce(ETH0, forNet(`${shield}/${bits}`));
    await expectDropped(lab.client, shield, 22);
    await file.enforce(ETH0, forNet(`${shield}/${bits}`), policy("ssh", { ingress: [allowPort("TCP", 22)] }));
    await expectConnects(lab.client, shield, 22);
  });

  test("row 91: a net of one family opens nothing in the other, and no rule of it is there", async () => {
    const [own, other] = family === "IPv4" ? ["0.0.0.0/0", "::/0"] : ["::/0", "0.0.0.0/0"];
    const save = family === "IPv4" ? "iptables-save" : "ip6tables-save";
    const rules = async (): Promise<number> => {
      const { stdout } = await lab.shield.run([save, "-t", "filter"], { check: true });
      return stdout.split("\n").filter((line) => line.includes("--dport 22 ")).length;
    };
    await file.enforce(ETH0, felixConfiguration({ failsafeInboundHostPorts: [`tcp:[${other}]:22`] }));
    await expectDropped(lab.client, shield, 22);
    expect(await rules()).toBe(0);
    await file.enforce(ETH0, felixConfiguration({ failsafeInboundHostPorts: [`tcp:[${own}]:22`] }));
    await expectConnects(lab.client, shield, 22);
    expect(await rules()).toBe(1);
  });

  describe("row 95: two endpoints for one interface", () => {
    // Each endpoint lets another port in, so that what is open says who governs.
    const BY_ADDRESS = hostEndpoint("a", { expectedIPs: ADDRESSES, profiles: ["first"] });
    const BY_NAME = hostEndpoint("b", { interfaceName: "eth0", profiles: ["second"] });
    const LETS_IN = [
      profile("first", { which: "a" }),
      profile("second", { which: "b" }),
      globalPolicy("a", { selector: "which == 'a'", ingress: [allowPort("TCP", 8080)] }),
      globalPolicy("b", { selector: "which == 'b'", ingress: [allowPort("TCP", 8081)] }),
    ];

    test("the smaller name governs, though the other names the interface", async () => {
      await file.enforce(BY_ADDRESS, BY_NAME, ...LETS_IN);
      await expectConnects(lab.client, shield, 8080);
      await expectDropped(lab.client, shield, 8081);
    });

    test("the other takes over when it is gone", async () => {
      await file.enforce(BY_NAME, ...LETS_IN);
      await expectConnects(lab.client, shield, 8081);
      await expectDropped(lab.client, shield, 8080);
    });
  });

  test("row 96: an endpoint of another interface does not govern this one by its expectedIPs", async () => {
    await file.enforce(ELSEWHERE);
    await expectConnects(lab.client, shield, 8080);
    await expectConnects(lab.shield, client, 8080);
    await file.enforce(hostEndpoint("by-address", { expectedIPs: ADDRESSES }));
    await expectDropped(lab.client, shield, 8080);
  });

  test("row 100: the ICMP error about a datagram that egress allowed comes back in", async () => {
    await file.enforce(ETH0, policy("out", { types: ["Egress"], egress: [{ action: "Allow" }] }));
    expect(await udpEcho(lab.shield, client, 9999, { timeoutMs: PATIENT_MS })).toBe("refused");
    await expectDropped(lab.client, shield, 8080);
  });

  test("without ipv6Support nothing of IPv6 is policed, and the daemon says so", async () => {
    await file.enforce(ETH0, felixConfiguration({ ipv6Support: false }));
    if (family === "IPv6") await expectConnects(lab.client, shield, 8080);
    else await expectDropped(lab.client, shield, 8080);
    await file.rampart.waitForLog("IPv6", ({ msg = "" }) => msg.includes("IPv6 IS NOT POLICED"));
    await file.enforce(ETH0);
    await expectDropped(lab.client, shield, 8080);
  });

  test("Log rules write their prefix, and no more lines than their limit", async () => {
    const limit = { logActionRateLimit: "1/day", logActionRateLimitBurst: 2 };
    const rules = [{ action: "Log", protocol: "TCP" }, { action: "Allow" }];
    const name = `noted-${family.toLowerCase()}`;
    await file.enforce(
      ETH0,
      felixConfiguration({ logPrefix: "fw %t %k %n", ...limit }),
      policy(name, { ingress: rules }),
    );
    for (let tries = 0; tries < 4; tries++) await expectConnects(lab.client, shield, 8080);
    // The two lines, then one that says how many more there would have been.
    const told = (): string[] =>
      file.rampart
        .logs()
        .slice(file.rampart.logs().findIndex((line) => line["prefix"] === `fw default gnp ${name}: `))
        .flatMap(({ msg = "" }) => (msg === "logged" || msg.includes("over the limit") ? msg : []));
    await file.rampart.waitForLog("a line about those left out", () => told().some((msg) => msg !== "logged"));
    expect(told()).toEqual(["logged", "logged", "decisions not logged: over the limit"]);
  });
});
