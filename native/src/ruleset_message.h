/*
 * Notifications of nf_tables (NFNLGRP_NFTABLES, linux/netfilter/nf_tables.h):
 * who changed a table of iptables-nft. Nothing of a datagram is kept but what
 * is in struct ruleset_changes.
 */
#ifndef RAMPART_RULESET_MESSAGE_H
#define RAMPART_RULESET_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULESET_AUTHORS_MAX 16
#define RULESET_PROGRAM_LENGTH 16

struct ruleset_author {
  uint32_t port; /* 0 when unknown: no program's socket has it */
  uint32_t pid;
  char program[RULESET_PROGRAM_LENGTH + 1]; /* terminated */
};

struct ruleset_changes {
  bool touched; /* the transaction under way changed a table of iptables */
  size_t count;
  struct ruleset_author authors[RULESET_AUTHORS_MAX]; /* each known port once */
};

/* Reads a datagram, aligned as a netlink header is; a transaction may go on in the next one. */
void ruleset_read(struct ruleset_changes *changes, const uint8_t *datagram, size_t length);

/* Something was not delivered: somebody changed something. */
void ruleset_add_unknown(struct ruleset_changes *changes);

#endif
