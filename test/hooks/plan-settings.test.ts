/** What FelixConfiguration and the setting `established` change in the plan (SEMANTICS 1.13, 3.2, 3.4, 3.7). */
import { describe, expect, test } from "vitest";
import { planHooks } from "../../src/hooks/plan.ts";
import { bare, chain, cidr, EVERYWHERE, hookConfig, NOWHERE, on, workloads } from "./configs.ts";

const ESTABLISHED = "-m conntrack --ctstate RELATED,ESTABLISHED -m mark --mark 0x0/0x3000000";
const INVALID = "-m conntrack --ctstate INVALID -j DROP";
const ALL = { workloads: workloads("cali"), preDNAT: EVERYWHERE, untracked: { inbound: ["eth0"], outbound: ["eth0"] } };

/** Names of the chains, of every table, that have the rule. */
function chainsWith(config: ReturnType<typeof hookConfig>, wanted: string): string[] {
  const { chains } = planHooks(config, 4);
  return chains.filter(({ rules }) => rules.map(bare).includes(wanted)).map(({ name }) => name);
}

describe("connections that conntrack knows", () => {
  test("pass before anything is judged, in every tracked hook, where they are to be kept", () => {
    const kept = hookConfig({ ...ALL, keepEstablished: true });
    expect(chainsWith(kept, `${ESTABLISHED} -j ACCEPT`)).toEqual([
      "RAMPART-INPUT-DECIDE",
      "RAMPART-INPUT-WORKLOAD",
      "RAMPART-FORWARD-DECIDE",
      "RAMPART-OUTPUT-DECIDE",
    ]);
    expect(chainsWith(kept, `${ESTABLISHED} -g RAMPART-PASS`)).toEqual([
      "RAMPART-PREDNAT-DECIDE",
      "RAMPART-POSTROUTING-DECIDE",
    ]);
    expect(chain(kept, 4, "RAMPART-INPUT-DECIDE")[0]).toBe(`${ESTABLISHED} -j ACCEPT`);
  });

  test("pass by nothing but their mark otherwise", () => {
    const { chains } = planHooks(hookConfig(ALL), 4);
    expect(chains.flatMap(({ rules }) => rules).filter((rule) => rule.includes("ESTABLISHED"))).toEqual([]);
  });
});

test("INVALID is dropped in every tracked hook that judges, unless that is left to the policies", () => {
  const dropping = ["RAMPART-PREDNAT-DECIDE", "RAMPART-INPUT-DECIDE", "RAMPART-INPUT-WORKLOAD"];
  expect(chainsWith(hookConfig(ALL), INVALID)).toEqual([...dropping, "RAMPART-FORWARD-DECIDE", "RAMPART-OUTPUT-DECIDE"]);
  expect(chainsWith(hookConfig({ ...ALL, dropInvalid: false }), INVALID)).toEqual([]);
});

describe("tunnels between nodes", () => {
  const ends = ["192.0.2.2/32", "198.51.100.0/24", "2001:db8::2/128"].map(cidr);
  const tunnels = { ipip: true, vxlanPort: 8472, ends };
  const FAST = "-m connmark --mark 0x100/0xff00 -m mark --mark 0x0/0x3000000 -j ACCEPT";

  test("end here for known ends only, before workloads and policies are asked", () => {
    const config = hookConfig({ tunnels, workloads: workloads("cali") });
    expect(chain(config, 4, "RAMPART-INPUT")).toEqual([
      "-p 4 -g RAMPART-INPUT-TUNNEL",
      "-p udp -m udp --dport 8472 -g RAMPART-INPUT-TUNNEL",
      "-i cali+ -g RAMPART-INPUT-WORKLOAD",
      "-i eth0 -g RAMPART-INPUT-DECIDE",
    ]);
    expect(chain(config, 4, "RAMPART-INPUT-TUNNEL")).toEqual([
      "-i lo -j RETURN",
      FAST,
      "-s 192.0.2.2/32 -m addrtype --dst-type LOCAL -j RAMPART-ALLOW",
      "-s 198.51.100.0/24 -m addrtype --dst-type LOCAL -j RAMPART-ALLOW",
      "-j DROP",
    ]);
  });

  test("begin here towards known ends; to others they are judged", () => {
    const config = hookConfig({ tunnels });
    expect(chain(config, 4, "RAMPART-OUTPUT").slice(-3)).toEqual([
      "-p 4 -j RAMPART-OUTPUT-TUNNEL",
      "-p udp -m udp --dport 8472 -j RAMPART-OUTPUT-TUNNEL",
      "-o eth0 -g RAMPART-OUTPUT-DECIDE",
    ]);
    expect(chain(config, 4, "RAMPART-OUTPUT-TUNNEL").at(-1)).toBe(
      "-d 198.51.100.0/24 -m addrtype --src-type LOCAL -j RAMPART-ALLOW",
    );
  });

  test("over IPv6 are VXLAN only, and need an end of that family", () => {
    expect(chain(hookConfig({ tunnels }), 6, "RAMPART-INPUT")[0]).toBe(
      "-p udp -m udp --dport 8472 -g RAMPART-INPUT-TUNNEL",
    );
    const onlyV4 = hookConfig({ tunnels: { ...tunnels, ends: ends.slice(0, 1) } });
    expect(chain(onlyV4, 6, "RAMPART-INPUT")).toEqual(["-i eth0 -g RAMPART-INPUT-DECIDE"]);
  });

  test("are kept from strangers on a host that has no endpoint, too", () => {
    const config = hookConfig({ tunnels: { ...tunnels, ipip: false }, input: NOWHERE, output: NOWHERE });
    expect(chain(config, 4, "RAMPART-INPUT")).toEqual(["-p udp -m udp --dport 8472 -g RAMPART-INPUT-TUNNEL"]);
  });
});

describe("packets to services that nothing has translated", () => {
  const nets = ["10.96.0.0/12", "fd96::/112"].map(cidr);

  test("are dropped where they are forwarded, whatever governs them", () => {
    const config = hookConfig({ serviceLoop: { nets, reject: false }, forward: on("eth0") });
    expect(chain(config, 4, "RAMPART-FORWARD")).toEqual([
      "-d 10.96.0.0/12 -m conntrack ! --ctstate DNAT -j DROP",
      "-i eth0 -g RAMPART-FORWARD-DECIDE",
      "-o eth0 -g RAMPART-FORWARD-DECIDE",
    ]);
    const alone = hookConfig({ serviceLoop: { nets, reject: false }, input: NOWHERE, output: NOWHERE });
    expect(chain(alone, 6, "RAMPART-FORWARD")).toEqual(["-d fd96::/112 -m conntrack ! --ctstate DNAT -j DROP"]);
  });

  test("are refused where that is asked for", () => {
    const config = hookConfig({ serviceLoop: { nets, reject: true } });
    expect(chain(config, 4, "RAMPART-FORWARD")).toEqual([
      "-d 10.96.0.0/12 -m conntrack ! --ctstate DNAT -g RAMPART-REJECT",
    ]);
  });
});

test("without IPv6 support there is nothing of ours in its tables", () => {
  const config = hookConfig({ ...ALL, ipv6: false });
  expect(planHooks(config, 6)).toEqual({ chains: [], jumps: [] });
  expect(planHooks(config, 4).jumps).toHaveLength(7);
});
