/**
 * Chains and jumps of one family's filter table that are ours: what a plan
 * asks for and what a table holds have the same shape, so that either can be
 * the goal of a transition.
 *
 * Every chain of ours, and no other chain, has a name that starts with
 * CHAIN_PREFIX.
 */

export const CHAIN_PREFIX = "RAMPART-";

export interface Chain {
  readonly name: string;
  /** Rules in order, as they follow `-A <chain> ` in iptables-save. */
  readonly rules: readonly string[];
}

/** A rule outside our chains that leads into one of them. */
export interface Jump {
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
