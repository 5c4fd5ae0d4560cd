import * as fc from "fast-check";
import { expect, test } from "vitest";
import { markMaskProblem, MarkLayout, PacketVerdict } from "../../src/hooks/marks.ts";

const layouts = fc
  .tuple(fc.integer({ min: 7, max: 32 }), fc.nat(25), fc.integer({ min: 4, max: 32 }), fc.nat(28))
  .map(([packetBits, packetShift, connectionBits, connectionShift]) => {
    const mask = (bits: number, shift: number): number => (2 ** bits - 1) * 2 ** Math.min(shift, 32 - bits);
    return new MarkLayout({ packet: mask(packetBits, packetShift), connection: mask(connectionBits, connectionShift) });
  });

test("every part of the packet mark is inside its mask and none overlaps another", () => {
  fc.assert(
    fc.property(layouts, (marks) => {
      const parts = [marks.verdictMask, marks.replyBit, marks.acceptedBit, marks.rawBit];
      expect(parts.reduce((sum, part) => sum + part)).toBe(marks.masks.packet);
      expect(parts.reduce((all, part) => (all | part) >>> 0)).toBe(marks.masks.packet);
      expect(marks.acceptedMask).toBe(marks.verdictMask + marks.acceptedBit);
      expect((marks.verdictBits & ~marks.verdictMask) >>> 0).toBe(0);
    }),
  );
});

test("a verdict is read back whatever else the mark holds, and only under its generation", () => {
  const others = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(layouts, fc.constantFrom(...Object.values(PacketVerdict)), fc.integer({ min: 1, max: 14 }), others, (
      marks,
      verdict,
      generation,
      foreign,
    ) => {
      const of = ((generation - 1) % marks.maxGeneration) + 1;
      const mark = ((foreign & ~marks.verdictMask) | marks.verdictMark(verdict, of)) >>> 0;
      expect(marks.verdictOf(mark)).toBe(verdict);
      const following = marks.verdictMark(verdict, marks.nextGeneration(of));
      expect(following).not.toBe(marks.verdictMark(verdict, of));
    }),
  );
});

test("accepted is accepted by its generation, and is no verdict, no reply and not from raw", () => {
  fc.assert(
    fc.property(layouts, fc.integer({ min: 1, max: 14 }), (marks, generation) => {
      const mark = marks.acceptedMark(generation);
      expect(marks.isAccepted(mark, generation)).toBe(true);
      expect(marks.isAccepted(mark, marks.nextGeneration(generation))).toBe(false);
      expect(marks.isAccepted((mark & ~marks.acceptedBit) >>> 0, generation)).toBe(false);
      expect(marks.isAccepted((mark | marks.replyBit) >>> 0, generation)).toBe(true);
      expect([marks.verdictOf(mark), marks.isReply(mark), marks.isRaw(mark)]).toEqual([0, false, false]);
    }),
  );
});

test("the raw and reply bits say what they are set to say", () => {
  const marks = new MarkLayout();
  expect(marks.isRaw(marks.rawBit)).toBe(true);
  expect(marks.isReply(marks.replyBit)).toBe(true);
  expect(marks.isRaw(marks.replyBit) || marks.isReply(marks.rawBit)).toBe(false);
});

test.each([
  [0, "above 0"],
  [0xf0f, "one run"],
  [0x3f, "at least 7 bits"],
  [2 ** 32, "32-bit"],
])("mask %d is refused", (mask, problem) => {
  expect(markMaskProblem(mask, 7)).toContain(problem);
});

test("masks of one run are taken, at either end", () => {
  for (const mask of [0x7f, 0xfe000000, 0xffffffff]) expect(markMaskProblem(mask, 7)).toBeUndefined();
});

test("a canary carries no verdict and is not accepted, and no question of the hooks looks like one", () => {
  fc.assert(
    fc.property(layouts, fc.integer({ min: 1, max: 14 }), (marks, generation) => {
      const canary = marks.canaryMark;
      expect((canary & ~marks.masks.packet) >>> 0).toBe(0);
      expect(marks.verdictOf(canary)).toBe(PacketVerdict.NONE);
      expect(marks.isAccepted(canary, generation)).toBe(false);
      const questions = [0, marks.replyBit, marks.rawBit, marks.acceptedMark(generation), marks.acceptedMark(generation) | marks.replyBit];
      expect(questions.map((mark) => mark >>> 0)).not.toContain(canary);
    }),
  );
});
