import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Host } from "../../src/sandbox/host.ts";
import {
  openTcp,
  openUdp,
  ping,
  startTransfer,
  tcpConnect,
  tcpEchoServer,
  udpEcho,
  udpEchoServer,
} from "../../src/sandbox/probe.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";

let sandbox: Sandbox;
let client: Host;
let server: Host;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  client = await sandbox.host("client");
  server = await sandbox.host("server");
  await sandbox.link(client, server, {
    addresses: [
      ["10.1.0.1/24", "fd01::1/64"],
      ["10.1.0.2/24", "fd01::2/64"],
    ],
  });
  await tcpEchoServer(server, 80);
  await udpEchoServer(server, 80);
  for (const iptables of ["iptables", "ip6tables"]) {
    for (const protocol of ["tcp", "udp"]) {
      const match = ["-A", "INPUT", "-p", protocol, "--dport"];
      await server.run([iptables, ...match, "81", "-j", "DROP"], { check: true });
    }
    const reset = ["-p", "tcp", "--dport", "82", "-j", "REJECT", "--reject-with", "tcp-reset"];
    await server.run([iptables, "-A", "INPUT", ...reset], { check: true });
    await server.run([iptables, "-A", "INPUT", "-p", "udp", "--dport", "82", "-j", "REJECT"], { check: true });
  }
});
afterAll(() => sandbox.destroy());

/** A datagram whose header is written by hand; over IPv6 the kernel fills in the checksum that is then needed. */
async function sendFromPortZero(from: Host, address: string, port: number): Promise<void> {
  const program = `use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6 IPPROTO_IPV6);
    my ($address, $port) = @ARGV;
    my $six = $address =~ /:/;
    socket(my $socket, $six ? AF_INET6 : AF_INET, SOCK_RAW, 17) or die "socket: $!";
    setsockopt($socket, IPPROTO_IPV6, 7, pack("i", 6)) or die "checksum: $!" if $six;
    my $packed = inet_pton($six ? AF_INET6 : AF_INET, $address);
    my $to = $six ? pack_sockaddr_in6(0, $packed) : pack_sockaddr_in(0, $packed);
    send($socket, pack("n4", 0, $port, 12, 0) . "zero", 0, $to) == 12 or die "send: $!";`;
  await from.run(["perl", "-e", program, address, String(port)], { check: true });
}

describe.each([
  ["IPv4", "10.1.0.2", "10.9.9.9"],
  ["IPv6", "fd01::2", "fd09::9"],
])("over %s", (_family, address, nowhere) => {
  test("a TCP probe tells a server, a closed port, a drop, a reset and a missing route apart", async () => {
    expect(await tcpConnect(client, address, 80)).toBe("connected");
    expect(await tcpConnect(client, address, 9999)).toBe("refused");
    expect(await tcpConnect(client, address, 81, { timeoutMs: 200 })).toBe("timeout");
    expect(await tcpConnect(client, address, 82)).toBe("refused");
    expect(await tcpConnect(client, nowhere, 80)).toBe("unreachable");
  });

  test("a UDP probe tells the same apart", async () => {
    expect(await udpEcho(client, address, 80)).toBe("answered");
    expect(await udpEcho(client, address, 9999)).toBe("refused");
    expect(await udpEcho(client, address, 81, { timeoutMs: 200 })).toBe("timeout");
    expect(await udpEcho(client, address, 82)).toBe("refused");
    expect(await udpEcho(client, nowhere, 80)).toBe("unreachable");
  });

  test("a UDP server goes on after a datagram from port 0, which nobody can answer", async () => {
    await sendFromPortZero(client, address, 80);
    expect(await udpEcho(client, address, 80)).toBe("answered");
  });

  test("ping tells an answer, silence and a missing route apart", async () => {
    expect(await ping(client, address)).toBe("answered");
    expect(await ping(client, nowhere)).toBe("unreachable");
    await server.run(["sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1", "net.ipv6.icmp.echo_ignore_all=1"]);
    expect(await ping(client, address, { timeoutMs: 200 })).toBe("timeout");
    await server.run(["sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=0", "net.ipv6.icmp.echo_ignore_all=0"]);
  });

  test("a source port can be chosen, and again at once", async () => {
    expect(await tcpConnect(client, address, 80, { sourcePort: 4000 })).toBe("connected");
    expect(await tcpConnect(client, address, 80, { sourcePort: 4000 })).toBe("connected");
    expect(await udpEcho(client, address, 80, { sourcePort: 4000 })).toBe("answered");
  });

  test("a conversation goes on, and either side may speak first", async () => {
    const own = await tcpEchoServer(server, 90);
    const tcp = await openTcp(client, address, 90);
    expect(await tcp.exchange("one")).toEqual({ outcome: "line", line: "one" });
    expect(await own.speak("unasked")).toBe(1);
    expect(await tcp.listen()).toEqual({ outcome: "line", line: "unasked" });
    await own.close();
    expect(await tcp.listen()).toEqual({ outcome: "closed", line: "" });
    await tcp.close();

    const udp = await openUdp(client, address, 80);
    expect(await udp.exchange("two")).toEqual({ outcome: "line", line: "two" });
    expect(await udp.listen(50)).toEqual({ outcome: "timeout", line: "" });
    await udp.close();
  });

  test("a transfer counts its bytes and arrives whole", async () => {
    const port = address.includes(":") ? 96 : 94;
    const pace = { bytes: 400_000, chunk: 20_000, intervalMs: 5 };
    const transfer = await startTransfer(server, client, address, port, pace);
    const halfway = await transfer.received(100_000);
    expect(halfway.received).toBeLessThan(400_000);
    expect(await transfer.finished()).toMatchObject({ received: 400_000, sha256: transfer.sha256 });
  });
});
