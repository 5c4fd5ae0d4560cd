/** From netfilter's hooks to ours, and to the steps of the packet walk (SEMANTICS 3.4). */
import { Hook } from "../native/binding.ts";
import { HookIndex } from "./outcome.ts";
import { WalkStep } from "./packet-walk.ts";

/** Hooks of the filter table, where an accepted packet needs nothing more from our chain if no mark is to be saved. */
export function isFilter(hook: number): boolean {
  return hook <= HookIndex.FORWARD;
}

/** Netfilter's hook and our stage bit to a HookIndex: raw and mangle share netfilter's hooks. */
export function hookIndex(hook: number, raw: boolean): number {
  switch (hook) {
    case Hook.INPUT:
      return HookIndex.INPUT;
    case Hook.FORWARD:
      return HookIndex.FORWARD;
    case Hook.POSTROUTING:
      return HookIndex.POSTROUTING;
    case Hook.OUTPUT:
      return raw ? HookIndex.RAW_OUTPUT : HookIndex.OUTPUT;
    default:
      return raw ? HookIndex.RAW_PREROUTING : HookIndex.PREROUTING;
  }
}

/** The step at which the original direction of such a packet, or of the connection it replies to, is judged. */
export function walkStep(hook: number, reply: boolean): number {
  switch (hook) {
    case HookIndex.INPUT:
      return reply ? WalkStep.OUTPUT : WalkStep.INPUT;
    case HookIndex.OUTPUT:
      return reply ? WalkStep.INPUT : WalkStep.OUTPUT;
    case HookIndex.FORWARD:
      return WalkStep.FORWARD;
    case HookIndex.POSTROUTING:
      return WalkStep.OUTPUT;
    case HookIndex.PREROUTING:
      return WalkStep.PREDNAT;
    case HookIndex.RAW_PREROUTING:
      return WalkStep.UNTRACKED_IN;
    default:
      return WalkStep.UNTRACKED_OUT;
  }
}
