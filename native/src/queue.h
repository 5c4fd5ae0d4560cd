/*
 * NFQUEUE (linux/netfilter/nfnetlink_queue.h): configuration, and the one
 * place where its messages are read and written. Host byte order throughout.
 */
#ifndef RAMPART_QUEUE_H
#define RAMPART_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_BATCH_LIMIT 256
/* What a packet's message holds besides the packet: headers, metadata and, where asked for, NFQA_CT. */
#define QUEUE_MESSAGE_OVERHEAD 1024
/* nlmsghdr, nfgenmsg, verdict attribute, mark attribute. */
#define QUEUE_VERDICT_SIZE 40

struct queue_options {
  uint16_t queue;
  /* A socket another process had the queue on; -1: none. */
  int descriptor;
  uint32_t copy_range;
  uint32_t max_length;
  uint32_t receive_buffer;
  uint32_t batch;
  /* Microseconds, below one million. */
  uint32_t gather;
  bool gso;
  bool fail_open;
  bool uid_gid;
  bool conntrack;
};

/*
 * Binds the queue to `fd` and sets everything in one message, so that no packet meets a queue half set up. A socket
 * that came with a descriptor of its own has the queue already, and keeps it.
 * -EBUSY: another socket has it; -EPERM: CAP_NET_ADMIN is missing; -EINVAL: no nfnetlink_queue in this kernel.
 */
int queue_configure(int fd, const struct queue_options *options, bool *has_conntrack);

/* The arrays JavaScript sees; index i of each describes packet i. */
struct packet_batch {
  uint8_t *slab;
  uint32_t *id;
  uint8_t *hook;
  uint32_t *in_interface;
  uint32_t *out_interface;
  uint32_t *mark;
  uint16_t *hardware_protocol;
  uint32_t *offset;
  uint32_t *length;
  uint32_t *original_length;
  uint32_t *skb_info;
  uint32_t *uid;
  uint8_t *verdict;
  uint32_t *verdict_mark;
};

enum queue_message {
  QUEUE_PACKET,       /* entry `index` is filled */
  QUEUE_REFUSED,      /* the kernel refused a verdict of ours */
  QUEUE_WAKE,         /* its answer to a call of wakeQueue */
  QUEUE_UNUSABLE,     /* a packet whose bytes we do not have; its id is in entry `index` */
  QUEUE_UNRECOGNIZED, /* no packet can be named */
};

/* Reads the message at slab[start .. start + received) into entry `index`. */
enum queue_message queue_read_message(struct packet_batch *batch, uint32_t index, size_t start, size_t received);

/*
 * Writes a verdict at `to`, with a mark when `mark` is not NULL; returns its length. With `all_before` it is for every
 * packet that waits in the queue with an id up to `id`.
 */
size_t queue_write_verdict(uint8_t *to, uint16_t queue, uint32_t id, uint32_t verdict, const uint32_t *mark,
                           bool all_before);

#endif
