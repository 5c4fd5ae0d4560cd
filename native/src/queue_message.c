#include <linux/netfilter/nfnetlink_queue.h>
#include <sys/socket.h>

#include "netlink.h"
#include "queue.h"

#define UNKNOWN_UID UINT32_MAX

/* What the kernel answers to: a verdict, which it refused, or the message of wakeQueue, which asks for nothing. */
static enum queue_message kind_of_answer(const struct nlmsghdr *message, size_t received) {
  struct nlmsgerr answer;
  if (received < NLMSG_LENGTH(sizeof answer)) return QUEUE_REFUSED;
  memcpy(&answer, NLMSG_DATA(message), sizeof answer);
  return answer.msg.nlmsg_type == NLMSG_NOOP ? QUEUE_WAKE : QUEUE_REFUSED;
}

enum queue_message queue_read_message(struct packet_batch *batch, uint32_t index, size_t start,
                                      size_t received) {
  const struct nlmsghdr *message = (const struct nlmsghdr *)(batch->slab + start);
  if (received < NLMSG_HDRLEN) return QUEUE_UNRECOGNIZED;
  if (message->nlmsg_type == NLMSG_ERROR) return kind_of_answer(message, received);
  if (message->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET)) return QUEUE_UNRECOGNIZED;

  struct attribute_walk walk = attributes_of(message, sizeof(struct nfgenmsg));
  size_t skipped = (size_t)(walk.at - (const uint8_t *)message);
  if (received < skipped) return QUEUE_UNRECOGNIZED;
  if (walk.left > received - skipped) walk.left = received - skipped;

  const uint8_t *payload = NULL;
  uint32_t whole = 0;
  bool named = false;
  batch->in_interface[index] = 0;
  batch->out_interface[index] = 0;
  batch->mark[index] = 0;
  batch->skb_info[index] = 0;
  batch->uid[index] = UNKNOWN_UID;
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    switch (attribute.type) {
      case NFQA_PACKET_HDR: {
        struct nfqnl_msg_packet_hdr header;
        if (attribute.length < sizeof header) return QUEUE_UNRECOGNIZED;
        memcpy(&header, attribute.data, sizeof header);
        batch->id[index] = ntohl(header.packet_id);
        batch->hook[index] = header.hook;
        batch->hardware_protocol[index] = ntohs(header.hw_protocol);
        named = true;
        break;
      }
      case NFQA_MARK:
        batch->mark[index] = attribute_be32(&attribute);
        break;
      case NFQA_IFINDEX_INDEV:
        batch->in_interface[index] = attribute_be32(&attribute);
        break;
      case NFQA_IFINDEX_OUTDEV:
        batch->out_interface[index] = attribute_be32(&attribute);
        break;
      case NFQA_CAP_LEN:
        whole = attribute_be32(&attribute);
        break;
      case NFQA_SKB_INFO:
        batch->skb_info[index] = attribute_be32(&attribute);
        break;
      case NFQA_UID:
        batch->uid[index] = attribute_be32(&attribute);
        break;
      case NFQA_PAYLOAD:
        payload = attribute.data;
        batch->offset[index] = (uint32_t)(payload - batch->slab);
        batch->length[index] = (uint32_t)attribute.length;
        break;
      default:
        break;
    }
  }
  if (!named) return QUEUE_UNRECOGNIZED;
  if (payload == NULL) return QUEUE_UNUSABLE;
  /* The kernel names the whole length only when it copied less. */
  batch->original_length[index] = whole > batch->length[index] ? whole : batch->length[index];
  return QUEUE_PACKET;
}

size_t queue_write_verdict(uint8_t *to, uint16_t queue, uint32_t id, uint32_t verdict, const uint32_t *mark,
                           bool all_before) {
  uint16_t type = all_before ? NFQNL_MSG_VERDICT_BATCH : NFQNL_MSG_VERDICT;
  struct nlmsghdr *message = netlink_begin_netfilter(to, NFNL_SUBSYS_QUEUE, type, 0, AF_UNSPEC, queue);
  struct nfqnl_msg_verdict_hdr header = {.verdict = htonl(verdict), .id = htonl(id)};
  netlink_add(message, NFQA_VERDICT_HDR, &header, sizeof header);
  if (mark != NULL) netlink_add_be32(message, NFQA_MARK, *mark);
  return message->nlmsg_len;
}
