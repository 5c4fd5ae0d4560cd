/** A queue's socket may pass to another reader: the queue stays bound, and packets wait. */
import { describe, expect, test } from "vitest";
import { scenario } from "./namespace.ts";

const run = <T>(name: string): Promise<T> => scenario<T>("queue-socket.mjs", name);

describe("a queue whose socket passes to another reader", () => {
  test("keeps the packets that come meanwhile, and is bound as long as one of them has it open", async () => {
    expect(await run("waitsForTheNextReader")).toEqual({
      meanwhile: ["first"],
      arrived: ["first", "second", "third"],
      bound: true,
      packets: 2,
      boundInTheEnd: false,
    });
  });

  test("drops what the reader before has read and not answered; what is accepted behind it does not let it through", async () => {
    expect(await run("leftoversAreDropped")).toEqual({ arrived: 50, leftover: false, packets: 50 });
  });

  test("is read on by the same reader after a pause", async () => {
    expect(await run("resumes")).toEqual({ before: [], arrived: ["while paused", "afterwards"] });
  });

  test("is bound anew when the socket has it no more", async () => {
    expect(await run("lostItsQueue")).toEqual(["bound anew"]);
  });

  test("is not opened over a descriptor that is no netfilter socket, or none at all", async () => {
    expect(await run("noQueueSocket")).toEqual(["EINVAL", "EBADF"]);
  });
});

test("datagrams carry text and up to 64 descriptors, to a socket that only its owner may write to", async () => {
  expect(await run("datagrams")).toEqual({
    mode: 0o600,
    texts: ["no descriptor, ü", 511],
    counts: [0, 64],
    closedOnExec: true,
    empty: "EAGAIN",
  });
});
