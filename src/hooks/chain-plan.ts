/**
 * Chains and jumps of one family's tables that are ours: what a plan asks for
 * and what the tables hold have the same shape, so that either can be the goal
 * of a transition.
 *
 * Every chain of ours, and no other chain, has a name that starts with
 * CHAIN_PREFIX. A name can be used once in each table.
 */
import type { Table } from "./hook-point.ts";

export const CHAIN_PREFIX = "RAMPART-";

export interface Chain {
  readonly table: Table;
  readonly name: string;
  /** Rules in order, as they follow `-A <chain> ` in iptables-save. */
  readonly rules: readonly string[];
}

/** A rule outside our chains that leads into one of them. */
export interface Jump {
  readonly table: Table;
  /** The chain that holds the rule. */
  readonly from: string;
  /** Its place among all rules of that chain, from 1. */
  readonly position: number;
  /** The chain of ours that it leads to. */
  readonly to: string;
  readonly rule: string;
}

export interface ChainPlan {
  readonly chains: readonly Chain[];
  readonly jumps: readonly Jump[];
}

export const NO_CHAINS: ChainPlan = { chains: [], jumps: [] };

/** The tables a plan has a chain or a jump in. */
export function tablesOf({ chains, jumps }: ChainPlan): Set<Table> {
  return new Set([...chains, ...jumps].map(({ table }) => table));
}

/** The part of a plan that is in one table. */
export function tablePart({ chains, jumps }: ChainPlan, table: Table): ChainPlan {
  return {
    chains: chains.filter((chain) => chain.table === table),
    jumps: jumps.filter((jump) => jump.table === table),
  };
}

/** A chain's name for people: the filter table is what they look at first, so the others are said. */
export function inTable(table: Table, chain: string): string {
  return table === "filter" ? chain : `${table} ${chain}`;
}
