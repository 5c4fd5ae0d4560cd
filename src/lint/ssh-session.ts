/** The SSH session a command is run from, as sshd has it in SSH_CONNECTION: client, its port, server, its port. */
import { parseAddress } from "../address/address.ts";
import type { Address } from "../address/address.ts";

export interface SshSession {
  readonly client: Address;
  readonly clientPort: number;
  readonly server: Address;
  readonly serverPort: number;
}

/** undefined: not run from an SSH session, or the text is not sshd's. */
export function readSshConnection(text: string | undefined): SshSession | undefined {
  const [client, clientPort, server, serverPort, ...rest] = (text ?? "").trim().split(/\s+/);
  if (serverPort === undefined || rest.length > 0) return undefined;
  const session = {
    client: readAddress(client),
    clientPort: readPort(clientPort),
    server: readAddress(server),
    serverPort: readPort(serverPort),
  };
  const { client: from, server: to } = session;
  if (from === undefined || to === undefined || from.family !== to.family) return undefined;
  if (session.clientPort === undefined || session.serverPort === undefined) return undefined;
  return { client: from, clientPort: session.clientPort, server: to, serverPort: session.serverPort };
}

/** Without the zone of a link-local address; an IPv4 address in IPv6 form is the IPv4 address it is on the wire. */
function readAddress(text: string | undefined): Address | undefined {
  const address = parseAddress((text ?? "").replace(/%.*$/, ""));
  if (address?.family !== 6 || address.value >> 32n !== 0xffffn) return address;
  return { family: 4, value: address.value & 0xffffffffn };
}

function readPort(text: string | undefined): number | undefined {
  const port = /^[0-9]{1,5}$/.test(text ?? "") ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
