import { expect, test } from "vitest";
import { describeMarkOverlap, findMarkOverlaps } from "../../src/hooks/mark-overlap.ts";

const masks = { packet: 0x0000ff00, connection: 0xff000000 };

function overlap(rule: string): unknown {
  const text = `*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING ${rule}\nCOMMIT\n`;
  return findMarkOverlaps(text, masks).map(({ field, bits, severity }) => `${severity} ${field} 0x${bits.toString(16)}`);
}

test.each([
  ["-m mark --mark 0x4000/0x4000 -j MASQUERADE", ["conflict packet 0x4000"]],
  ["-j MARK --set-xmark 0x8000/0x8000", ["conflict packet 0x8000"]],
  ["-j MARK --set-xmark 0x100/0x0", ["conflict packet 0x100"]],
  ["-m connmark --mark 0x1000000/0x1000000 -j ACCEPT", ["conflict connection 0x1000000"]],
  ["-j CONNMARK --restore-mark --nfmask 0xff00 --ctmask 0xff00", ["conflict packet 0xff00"]],
  ["-j CONNMARK --save-mark --mask 0xf0000000", ["conflict connection 0xf0000000"]],
  ["-j MARK --or-mark 0x200", ["conflict packet 0x200"]],
  ["-p tcp -j TPROXY --on-port 1 --on-ip 0.0.0.0 --tproxy-mark 0x200/0xffffffff", ["conflict packet 0xff00"]],
])("%s: a conflict", (rule, expected) => {
  expect(overlap(rule)).toEqual(expected);
});

test.each([
  ["-m mark --mark 0x1 -j ACCEPT", ["warning packet 0xff00"]],
  ["-m connmark ! --mark 0x0 -j ACCEPT", ["warning connection 0xff000000"]],
  ["-j MARK --set-xmark 0x1/0xffffffff", ["warning packet 0xff00"]],
  ["-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff", ["warning connection 0xff000000"]],
  ["-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff", ["warning packet 0xff00"]],
])("%s: the whole mark as one number, a warning", (rule, expected) => {
  expect(overlap(rule)).toEqual(expected);
});

test("a whole-mark write that puts a value into our bits is a conflict", () => {
  expect(overlap("-j CONNMARK --set-xmark 0x1000000/0xffffffff")).toEqual(["conflict connection 0xff000000"]);
});

test.each([
  "-m mark --mark 0x10000/0xff0000 -j ACCEPT",
  "-m connmark --mark 0x4000/0x4000 -j ACCEPT",
  "-j MARK --set-xmark 0x1/0xff",
  "-j CONNMARK --save-mark --nfmask 0xff0000 --ctmask 0xff0000",
  '-m comment --comment "-m mark --mark 0x4000/0x4000" -j ACCEPT',
  "-p tcp -m tcp --dport 80 -j ACCEPT",
])("%s: none of our bits", (rule) => {
  expect(overlap(rule)).toEqual([]);
});

test("our own chains are left out, and a finding can be printed", () => {
  const text = "*filter\n-A RAMPART-ALLOW -j MARK --set-xmark 0x0/0xff00\n-A X -m mark --mark 0x100/0x100 -j DROP\nCOMMIT\n";
  expect(findMarkOverlaps(text, masks).map(describeMarkOverlap)).toEqual([
    'filter X: "-m mark --mark 0x100/0x100 -j DROP" uses bits 0x100 of the packet mark',
  ]);
});
