/** Both ends of the conversations that tests hold over the hooks: programs for `node -e`. */

/** Servers that echo; TCP port 22 and UDP port 53 go on to say something every 50 ms by themselves. "up" when all listen. */
export const SERVER = `
const ports = { tcp: [22, 80], udp: [68, 53, 80] };
let waiting = ports.tcp.length + ports.udp.length;
const up = () => { if (--waiting === 0) console.log("up"); };
for (const port of ports.tcp) {
  require("net").createServer((c) => {
    const ticks = setInterval(() => port === 22 && c.write("tick"), 50);
    c.on("error", () => 0).on("close", () => clearInterval(ticks)).pipe(c);
  }).listen(port, "::", up);
}
for (const port of ports.udp) {
  const socket = require("dgram").createSocket("udp6");
  socket.on("message", (m, from) => {
    for (let i = 0; i < (port === 53 ? 40 : 1); i++) setTimeout(() => socket.send(m, from.port, from.address), i * 50);
  });
  socket.bind(port, "::", up);
}`;

/** Prints "answer", an error code, or "silence" after 0.4 s. */
export const CLIENT = `
const [protocol, address, port] = process.argv.slice(1);
const end = (said) => { console.log(said); process.exit(); };
setTimeout(end, 400, "silence");
if (protocol === "tcp") {
  const socket = require("net").connect(Number(port), address, () => socket.write("x"));
  socket.on("data", () => end("answer")).on("error", (e) => end(e.code));
} else {
  const socket = require("dgram").createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", () => end("answer")).on("error", (e) => end(e.code));
  socket.connect(Number(port), address, () => { socket.send("x"); setTimeout(() => socket.send("x"), 100); });
}`;

/** Starts a conversation, then only listens; prints what it hears. */
export const LISTENER = `
const [protocol, address, port] = process.argv.slice(1);
if (protocol === "tcp") {
  require("net").connect(Number(port), address).on("data", () => console.log("heard"));
} else {
  const socket = require("dgram").createSocket("udp4");
  socket.on("message", () => console.log("heard")).connect(Number(port), address, () => socket.send("x"));
}`;
