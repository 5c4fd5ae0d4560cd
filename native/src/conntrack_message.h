/*
 * ctnetlink (linux/netfilter/nfnetlink_conntrack.h): the one place where its
 * messages are read and written. Host byte order but for addresses.
 *
 * An entry's locator points into the datagram it was read from, which has to
 * stay as it is for as long as requests about the entry are written.
 */
#ifndef RAMPART_CONNTRACK_MESSAGE_H
#define RAMPART_CONNTRACK_MESSAGE_H

#include "netlink.h"

#define CONNTRACK_BATCH_SIZE 512
#define CONNTRACK_ADDRESS_SIZE 16
/* Original tuple (three nested lists), zone, mark, mask, id. */
#define CONNTRACK_REQUEST_SIZE 512

/* Attributes that name an entry to the kernel exactly as the dump did. */
struct conntrack_locator {
  struct attribute tuple;
  struct attribute zone;
  struct attribute id;
};

/* The arrays JavaScript sees; index i of each describes entry i. */
struct conntrack_batch {
  uint32_t count;
  struct conntrack_locator locators[CONNTRACK_BATCH_SIZE];
  uint8_t *family;
  uint8_t *protocol;
  uint8_t *source;
  uint8_t *destination;
  uint16_t *source_port;
  uint16_t *destination_port;
  uint8_t *icmp_type;
  uint8_t *icmp_code;
  uint16_t *icmp_id;
  uint16_t *zone;
  uint32_t *mark;
  uint32_t *status;
  uint32_t *id;
  uint8_t *tcp_state;
};

/*
 * Adds entries to the batch from what is left of a dump's datagram, until either is exhausted. Returns 1 at the dump's
 * end, 0 before it, or the kernel's negative errno.
 */
int conntrack_read_part(struct conntrack_batch *batch, struct message_walk *part);

/* Requests about entry i, below batch->count, in a buffer of CONNTRACK_REQUEST_SIZE aligned as a header is. */
struct nlmsghdr *conntrack_write_mark(const struct conntrack_batch *batch, uint32_t i, uint32_t value, uint32_t mask,
                                      void *buffer);
struct nlmsghdr *conntrack_write_delete(const struct conntrack_batch *batch, uint32_t i, void *buffer);

#endif
