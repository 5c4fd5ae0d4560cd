/*
 * NFQUEUE messages to the batch. Whatever a message says, a packet lies inside
 * it, nothing of the packet before in the same place is left, and its verdict
 * takes no more room than there is.
 */
#include "../../../native/src/queue.h"

#include <linux/netlink.h>

#include "harness.h"

/* Slots are this far apart in the slab; the message is in the second. */
#define START 128

struct answer {
  enum queue_message kind;
  uint32_t id;
  uint32_t in_interface;
  uint32_t out_interface;
  uint32_t mark;
  uint32_t offset;
  uint32_t length;
  uint32_t original_length;
  uint32_t skb_info;
  uint32_t uid;
  uint16_t hardware_protocol;
  uint8_t hook;
};

/* Reads the message into a batch whose only entry holds `before` in every byte. */
static void read_message(const uint8_t *data, size_t size, int before, struct answer *answer) {
  memset(answer, before, sizeof *answer);
  uint8_t *slab = memory_of(START + size, before);
  if (size > 0) memcpy(slab + START, data, size);
  struct packet_batch batch = {
      .slab = slab,
      .id = &answer->id,
      .hook = &answer->hook,
      .in_interface = &answer->in_interface,
      .out_interface = &answer->out_interface,
      .mark = &answer->mark,
      .hardware_protocol = &answer->hardware_protocol,
      .offset = &answer->offset,
      .length = &answer->length,
      .original_length = &answer->original_length,
      .skb_info = &answer->skb_info,
      .uid = &answer->uid,
  };
  answer->kind = queue_read_message(&batch, 0, START, size);
  if (answer->kind == QUEUE_PACKET) {
    MUST(answer->offset >= START);
    MUST(answer->offset <= START + size);
    MUST(answer->length <= START + size - answer->offset);
    MUST(answer->original_length >= answer->length);
  }
  free(slab);
}

static void write_verdict(uint32_t id, const uint32_t *mark) {
  uint8_t *verdict = memory_of(QUEUE_VERDICT_SIZE, 0);
  size_t length = queue_write_verdict(verdict, 7, id, 1, mark, (id & 1) != 0);
  MUST(length <= QUEUE_VERDICT_SIZE);
  MUST(((const struct nlmsghdr *)verdict)->nlmsg_len == length);
  free(verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct answer over_zeros, over_ones;
  read_message(data, size, 0x00, &over_zeros);
  read_message(data, size, 0xff, &over_ones);
  MUST(over_zeros.kind == over_ones.kind);
  if (over_zeros.kind == QUEUE_PACKET) {
    MUST(over_zeros.id == over_ones.id);
    MUST(over_zeros.hook == over_ones.hook);
    MUST(over_zeros.hardware_protocol == over_ones.hardware_protocol);
    MUST(over_zeros.in_interface == over_ones.in_interface);
    MUST(over_zeros.out_interface == over_ones.out_interface);
    MUST(over_zeros.mark == over_ones.mark);
    MUST(over_zeros.offset == over_ones.offset);
    MUST(over_zeros.length == over_ones.length);
    MUST(over_zeros.original_length == over_ones.original_length);
    MUST(over_zeros.skb_info == over_ones.skb_info);
    MUST(over_zeros.uid == over_ones.uid);
    write_verdict(over_zeros.id, &over_zeros.mark);
  } else if (over_zeros.kind == QUEUE_UNUSABLE) {
    MUST(over_zeros.id == over_ones.id);
    write_verdict(over_zeros.id, NULL);
  }
  return 0;
}
