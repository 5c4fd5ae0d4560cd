import type { PacketView } from "../src/packet/view.ts";
import type { ResourceSet } from "../src/resources/types.ts";
import type { Selector } from "../src/selector/ast.ts";

export interface ClassBenchRule {
  readonly protocol: number | undefined;
}
export function readRules(directory: string, name: string): ClassBenchRule[];
export function readTrace(directory: string, name: string): Uint32Array;
export function asResources(rules: readonly ClassBenchRule[], parseSelector: (text: string) => Selector): ResourceSet;
export class LinearScan {
  constructor(rules: readonly ClassBenchRule[]);
  first(headers: Uint32Array, at: number): number;
}
export function loadHeader(view: PacketView, headers: Uint32Array, at: number): void;
