#include "conntrack_message.h"

#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

/* With the other attributes of a request, whose sizes are fixed, within CONNTRACK_REQUEST_SIZE. */
#define TUPLE_LIMIT 384

static void read_address(uint8_t *to, const struct attribute *attribute) {
  memcpy(to, attribute->data, attribute->length < CONNTRACK_ADDRESS_SIZE ? attribute->length : CONNTRACK_ADDRESS_SIZE);
}

static void read_addresses(struct conntrack_batch *batch, uint32_t i, const struct attribute *nest) {
  struct attribute_walk walk = attributes_in(nest);
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    if (attribute.type == CTA_IP_V4_SRC || attribute.type == CTA_IP_V6_SRC)
      read_address(batch->source + i * CONNTRACK_ADDRESS_SIZE, &attribute);
    else if (attribute.type == CTA_IP_V4_DST || attribute.type == CTA_IP_V6_DST)
      read_address(batch->destination + i * CONNTRACK_ADDRESS_SIZE, &attribute);
  }
}

static void read_protocol(struct conntrack_batch *batch, uint32_t i, const struct attribute *nest) {
  struct attribute_walk walk = attributes_in(nest);
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    switch (attribute.type) {
      case CTA_PROTO_NUM:
        batch->protocol[i] = attribute_u8(&attribute);
        break;
      case CTA_PROTO_SRC_PORT:
        batch->source_port[i] = attribute_be16(&attribute);
        break;
      case CTA_PROTO_DST_PORT:
        batch->destination_port[i] = attribute_be16(&attribute);
        break;
      case CTA_PROTO_ICMP_TYPE:
      case CTA_PROTO_ICMPV6_TYPE:
        batch->icmp_type[i] = attribute_u8(&attribute);
        break;
      case CTA_PROTO_ICMP_CODE:
      case CTA_PROTO_ICMPV6_CODE:
        batch->icmp_code[i] = attribute_u8(&attribute);
        break;
      case CTA_PROTO_ICMP_ID:
      case CTA_PROTO_ICMPV6_ID:
        batch->icmp_id[i] = attribute_be16(&attribute);
        break;
      default:
        break;
    }
  }
}

static void read_tuple(struct conntrack_batch *batch, uint32_t i, const struct attribute *nest) {
  struct attribute_walk walk = attributes_in(nest);
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    if (attribute.type == CTA_TUPLE_IP) read_addresses(batch, i, &attribute);
    else if (attribute.type == CTA_TUPLE_PROTO) read_protocol(batch, i, &attribute);
    else if (attribute.type == CTA_TUPLE_ZONE) batch->zone[i] = attribute_be16(&attribute);
  }
}

/* CTA_PROTOINFO holds a list for the protocol, of which only TCP's is of interest. */
static void read_protocol_info(struct conntrack_batch *batch, uint32_t i, const struct attribute *nest) {
  struct attribute_walk walk = attributes_in(nest);
  for (struct attribute protocol; attribute_next(&walk, &protocol);) {
    if (protocol.type != CTA_PROTOINFO_TCP) continue;
    struct attribute_walk fields = attributes_in(&protocol);
    for (struct attribute attribute; attribute_next(&fields, &attribute);) {
      if (attribute.type == CTA_PROTOINFO_TCP_STATE) batch->tcp_state[i] = attribute_u8(&attribute);
    }
  }
}

static void clear_entry(struct conntrack_batch *batch, uint32_t i) {
  batch->protocol[i] = 0;
  memset(batch->source + i * CONNTRACK_ADDRESS_SIZE, 0, CONNTRACK_ADDRESS_SIZE);
  memset(batch->destination + i * CONNTRACK_ADDRESS_SIZE, 0, CONNTRACK_ADDRESS_SIZE);
  batch->source_port[i] = 0;
  batch->destination_port[i] = 0;
  batch->icmp_type[i] = 0;
  batch->icmp_code[i] = 0;
  batch->icmp_id[i] = 0;
  batch->zone[i] = 0;
  batch->mark[i] = 0;
  batch->status[i] = 0;
  batch->id[i] = 0;
  batch->tcp_state[i] = 0;
  batch->locators[i] = (struct conntrack_locator){0};
}

/* Reads one entry; false when it has no original tuple, so nothing could be done with it. */
static bool read_entry(struct conntrack_batch *batch, uint32_t i, const struct nlmsghdr *message) {
  struct conntrack_locator *locator = &batch->locators[i];
  struct attribute_walk walk = attributes_of(message, sizeof(struct nfgenmsg));
  clear_entry(batch, i);
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg))) return false;
  batch->family[i] = ((const struct nfgenmsg *)NLMSG_DATA(message))->nfgen_family == AF_INET6 ? 6 : 4;
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    switch (attribute.type) {
      case CTA_TUPLE_ORIG:
        locator->tuple = attribute;
        read_tuple(batch, i, &attribute);
        break;
      case CTA_ZONE:
        if (attribute.length == sizeof(uint16_t)) locator->zone = attribute;
        batch->zone[i] = attribute_be16(&attribute);
        break;
      case CTA_MARK:
        batch->mark[i] = attribute_be32(&attribute);
        break;
      case CTA_STATUS:
        batch->status[i] = attribute_be32(&attribute);
        break;
      case CTA_PROTOINFO:
        read_protocol_info(batch, i, &attribute);
        break;
      case CTA_ID:
        if (attribute.length == sizeof(uint32_t)) locator->id = attribute;
        batch->id[i] = attribute_be32(&attribute);
        break;
      default:
        break;
    }
  }
  return locator->tuple.data != NULL && locator->tuple.length <= TUPLE_LIMIT;
}

int conntrack_read_part(struct conntrack_batch *batch, struct message_walk *part) {
  while (batch->count < CONNTRACK_BATCH_SIZE) {
    const struct nlmsghdr *message = message_next(part);
    if (message == NULL) {
      part->left = 0;
      return 0;
    }
    if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
      int error = netlink_error(message);
      return error < 0 ? error : 1;
    }
    if (read_entry(batch, batch->count, message)) batch->count++;
  }
  return 0;
}

/* A request about entry i. */
static struct nlmsghdr *begin_about(const struct conntrack_batch *batch, uint32_t i, uint8_t message_type,
                                    void *buffer) {
  const struct conntrack_locator *locator = &batch->locators[i];
  struct nlmsghdr *request = netlink_begin_netfilter(buffer, NFNL_SUBSYS_CTNETLINK, message_type, 0,
                                                     batch->family[i] == 6 ? AF_INET6 : AF_INET, 0);
  netlink_add(request, CTA_TUPLE_ORIG | NLA_F_NESTED, locator->tuple.data, locator->tuple.length);
  if (locator->zone.data != NULL) netlink_add(request, CTA_ZONE, locator->zone.data, locator->zone.length);
  return request;
}

struct nlmsghdr *conntrack_write_mark(const struct conntrack_batch *batch, uint32_t i, uint32_t value, uint32_t mask,
                                      void *buffer) {
  /* CT_NEW without NLM_F_CREATE changes an entry that exists and creates none. */
  struct nlmsghdr *request = begin_about(batch, i, IPCTNL_MSG_CT_NEW, buffer);
  /* The kernel computes (mark & ~mask) ^ value, so bits outside the mask would flip. */
  netlink_add_be32(request, CTA_MARK, value & mask);
  netlink_add_be32(request, CTA_MARK_MASK, mask);
  return request;
}

struct nlmsghdr *conntrack_write_delete(const struct conntrack_batch *batch, uint32_t i, void *buffer) {
  struct nlmsghdr *request = begin_about(batch, i, IPCTNL_MSG_CT_DELETE, buffer);
  /* The id spares a newer connection with the same tuple, unless it has the same place in memory. */
  const struct attribute *id = &batch->locators[i].id;
  if (id->data != NULL) netlink_add(request, CTA_ID, id->data, id->length);
  return request;
}
