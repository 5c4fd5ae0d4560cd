/*
 * The NativeConntrack of src/native/binding.ts: ctnetlink dump, mark, delete.
 *
 * An entry is named to the kernel by its original tuple and zone exactly as
 * the dump gave them, so the receive buffer stays untouched until the next
 * dump step. Dump and requests use two sockets, because answers to requests
 * made between two dump steps would otherwise stand among the dump's parts.
 */
#include <errno.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <node_api.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"
#include "javascript.h"
#include "netlink.h"

/* The kernel fills at most 32 KiB per part and an entry takes over 100 bytes. */
#define PART_SIZE (64 * 1024)
#define BATCH_SIZE 512
#define ADDRESS_SIZE 16
/* Original tuple (three nested lists), zone, mark, mask, id. */
#define REQUEST_SIZE 512
#define TUPLE_LIMIT 384

static const napi_type_tag CONNTRACK_TAG = {0x2b91e40fd6a37c18, 0xa6c5507e93d81b42};

/* Attributes that name entry i, pointing into the part. */
struct locator {
  struct attribute tuple;
  struct attribute zone;
  struct attribute id;
};

struct conntrack {
  int request_fd;
  int dump_fd;
  bool closed;
  napi_ref batch_object;
  uint8_t *part;
  const struct nlmsghdr *next;
  size_t left;
  uint32_t count;
  struct locator locators[BATCH_SIZE];
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
};

static void read_address(uint8_t *to, const struct attribute *attribute) {
  memcpy(to, attribute->data, attribute->length < ADDRESS_SIZE ? attribute->length : ADDRESS_SIZE);
}

static void read_addresses(struct conntrack *conntrack, uint32_t i, const struct attribute *nest) {
  struct attribute_walk walk = attributes_in(nest);
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    if (attribute.type == CTA_IP_V4_SRC || attribute.type == CTA_IP_V6_SRC)
      read_address(conntrack->source + i * ADDRESS_SIZE, &attribute);
    else if (attribute.type == CTA_IP_V4_DST || attribute.type == CTA_IP_V6_DST)
      read_address(conntrack->destination + i * ADDRESS_SIZE, &attribute);
  }
}

static void read_protocol(struct conntrack *conntrack, uint32_t i, const struct attribute *nest) {
  struct attribute_walk walk = attributes_in(nest);
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    switch (attribute.type) {
      case CTA_PROTO_NUM:
        conntrack->protocol[i] = attribute_u8(&attribute);
        break;
      case CTA_PROTO_SRC_PORT:
        conntrack->source_port[i] = attribute_be16(&attribute);
        break;
      case CTA_PROTO_DST_PORT:
        conntrack->destination_port[i] = attribute_be16(&attribute);
        break;
      case CTA_PROTO_ICMP_TYPE:
      case CTA_PROTO_ICMPV6_TYPE:
        conntrack->icmp_type[i] = attribute_u8(&attribute);
        break;
      case CTA_PROTO_ICMP_CODE:
      case CTA_PROTO_ICMPV6_CODE:
        conntrack->icmp_code[i] = attribute_u8(&attribute);
        break;
      case CTA_PROTO_ICMP_ID:
      case CTA_PROTO_ICMPV6_ID:
        conntrack->icmp_id[i] = attribute_be16(&attribute);
        break;
      default:
        break;
    }
  }
}

static void read_tuple(struct conntrack *conntrack, uint32_t i, const struct attribute *nest) {
  struct attribute_walk walk = attributes_in(nest);
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    if (attribute.type == CTA_TUPLE_IP) read_addresses(conntrack, i, &attribute);
    else if (attribute.type == CTA_TUPLE_PROTO) read_protocol(conntrack, i, &attribute);
    else if (attribute.type == CTA_TUPLE_ZONE) conntrack->zone[i] = attribute_be16(&attribute);
  }
}

static void clear_entry(struct conntrack *conntrack, uint32_t i) {
  conntrack->protocol[i] = 0;
  memset(conntrack->source + i * ADDRESS_SIZE, 0, ADDRESS_SIZE);
  memset(conntrack->destination + i * ADDRESS_SIZE, 0, ADDRESS_SIZE);
  conntrack->source_port[i] = 0;
  conntrack->destination_port[i] = 0;
  conntrack->icmp_type[i] = 0;
  conntrack->icmp_code[i] = 0;
  conntrack->icmp_id[i] = 0;
  conntrack->zone[i] = 0;
  conntrack->mark[i] = 0;
  conntrack->status[i] = 0;
  conntrack->id[i] = 0;
  conntrack->locators[i] = (struct locator){0};
}

/* Reads one entry; false when it has no original tuple, so nothing could be done with it. */
static bool read_entry(struct conntrack *conntrack, uint32_t i, const struct nlmsghdr *message) {
  struct locator *locator = &conntrack->locators[i];
  struct attribute_walk walk = attributes_of(message, sizeof(struct nfgenmsg));
  clear_entry(conntrack, i);
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg))) return false;
  conntrack->family[i] = ((const struct nfgenmsg *)NLMSG_DATA(message))->nfgen_family == AF_INET6 ? 6 : 4;
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    switch (attribute.type) {
      case CTA_TUPLE_ORIG:
        locator->tuple = attribute;
        read_tuple(conntrack, i, &attribute);
        break;
      case CTA_ZONE:
        locator->zone = attribute;
        conntrack->zone[i] = attribute_be16(&attribute);
        break;
      case CTA_MARK:
        conntrack->mark[i] = attribute_be32(&attribute);
        break;
      case CTA_STATUS:
        conntrack->status[i] = attribute_be32(&attribute);
        break;
      case CTA_ID:
        locator->id = attribute;
        conntrack->id[i] = attribute_be32(&attribute);
        break;
      default:
        break;
    }
  }
  return locator->tuple.data != NULL && locator->tuple.length <= TUPLE_LIMIT;
}

static void end_dump(struct conntrack *conntrack) {
  if (conntrack->dump_fd >= 0) close(conntrack->dump_fd);
  conntrack->dump_fd = -1;
  conntrack->left = 0;
}

/* Fills the batch from what is left of the part in hand. Returns 1 at the dump's end, 0 before it, or an error. */
static int read_part(struct conntrack *conntrack) {
  while (conntrack->count < BATCH_SIZE && NLMSG_OK(conntrack->next, conntrack->left)) {
    const struct nlmsghdr *message = conntrack->next;
    conntrack->next = NLMSG_NEXT(message, conntrack->left);
    if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
      int error = netlink_error(message);
      return error < 0 ? error : 1;
    }
    if (read_entry(conntrack, conntrack->count, message)) conntrack->count++;
  }
  if (conntrack->count < BATCH_SIZE) conntrack->left = 0;
  return 0;
}

static struct conntrack *receiver(napi_env env, napi_callback_info info, size_t count, napi_value *arguments) {
  struct conntrack *conntrack = js_receiver(env, info, &CONNTRACK_TAG, count, arguments);
  if (conntrack != NULL && conntrack->closed) {
    js_throw(env, "ERR_INVALID_STATE", "the conntrack socket is closed");
    return NULL;
  }
  return conntrack;
}

static napi_value dump_start(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  struct conntrack *conntrack = receiver(env, info, 3, arguments);
  if (conntrack == NULL) return NULL;
  uint32_t family = js_uint32(env, arguments[0]);
  uint8_t wire_family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC;

  /* A new socket ends whatever dump an earlier caller left unfinished. */
  end_dump(conntrack);
  conntrack->count = 0;
  int fd = netlink_open(NETLINK_NETFILTER, 0, 0);
  if (fd < 0) return js_throw_errno(env, fd, "conntrack dump");
  conntrack->dump_fd = fd;
  _Alignas(struct nlmsghdr) uint8_t buffer[REQUEST_SIZE];
  struct nlmsghdr *request = netlink_begin_netfilter(buffer, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_DUMP,
                                                     wire_family, 0);
  netlink_add_be32(request, CTA_MARK, js_uint32(env, arguments[1]));
  netlink_add_be32(request, CTA_MARK_MASK, js_uint32(env, arguments[2]));
  int error = netlink_send(fd, request, request->nlmsg_len);
  if (error < 0) {
    end_dump(conntrack);
    return js_throw_errno(env, error, "conntrack dump");
  }
  return NULL;
}

static napi_value dump_next(napi_env env, napi_callback_info info) {
  struct conntrack *conntrack = receiver(env, info, 0, NULL);
  if (conntrack == NULL) return NULL;
  conntrack->count = 0;
  int state = 0;
  while (conntrack->count == 0 && conntrack->dump_fd >= 0 && state == 0) {
    if (conntrack->left == 0) {
      ssize_t received = netlink_receive(conntrack->dump_fd, conntrack->part, PART_SIZE);
      if (received < 0) {
        end_dump(conntrack);
        return js_throw_errno(env, (int)received, "conntrack dump");
      }
      conntrack->next = (const struct nlmsghdr *)conntrack->part;
      conntrack->left = (size_t)received;
    }
    state = read_part(conntrack);
  }
  if (state != 0) end_dump(conntrack);
  if (state < 0) return js_throw_errno(env, state, "conntrack dump");
  napi_value count;
  return napi_create_uint32(env, conntrack->count, &count) == napi_ok ? count : NULL;
}

/* A request about entry i, or NULL with a RangeError thrown. */
static struct nlmsghdr *begin_about(napi_env env, struct conntrack *conntrack, uint32_t i, uint8_t message_type,
                                    void *buffer) {
  if (i >= conntrack->count) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "no such entry in the batch in hand");
    return NULL;
  }
  const struct locator *locator = &conntrack->locators[i];
  struct nlmsghdr *request = netlink_begin_netfilter(buffer, NFNL_SUBSYS_CTNETLINK, message_type, 0,
                                                     conntrack->family[i] == 6 ? AF_INET6 : AF_INET, 0);
  netlink_add(request, CTA_TUPLE_ORIG | NLA_F_NESTED, locator->tuple.data, locator->tuple.length);
  if (locator->zone.data != NULL) netlink_add(request, CTA_ZONE, locator->zone.data, locator->zone.length);
  return request;
}

/* True when done, false when the entry is gone, NULL with an Error thrown otherwise. */
static napi_value finish(napi_env env, struct conntrack *conntrack, struct nlmsghdr *request,
                         const char *syscall) {
  int error = netlink_request(conntrack->request_fd, request);
  if (error < 0 && error != -ENOENT) return js_throw_errno(env, error, syscall);
  napi_value done;
  return napi_get_boolean(env, error == 0, &done) == napi_ok ? done : NULL;
}

static napi_value set_mark(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  struct conntrack *conntrack = receiver(env, info, 3, arguments);
  if (conntrack == NULL) return NULL;
  uint32_t mask = js_uint32(env, arguments[2]);
  _Alignas(struct nlmsghdr) uint8_t buffer[REQUEST_SIZE];
  /* CT_NEW without NLM_F_CREATE changes an entry that exists and creates none. */
  struct nlmsghdr *request =
      begin_about(env, conntrack, js_uint32(env, arguments[0]), IPCTNL_MSG_CT_NEW, buffer);
  if (request == NULL) return NULL;
  /* The kernel computes (mark & ~mask) ^ value, so bits outside the mask would flip. */
  netlink_add_be32(request, CTA_MARK, js_uint32(env, arguments[1]) & mask);
  netlink_add_be32(request, CTA_MARK_MASK, mask);
  return finish(env, conntrack, request, "conntrack set mark");
}

static napi_value delete_entry(napi_env env, napi_callback_info info) {
  napi_value index;
  struct conntrack *conntrack = receiver(env, info, 1, &index);
  if (conntrack == NULL) return NULL;
  uint32_t i = js_uint32(env, index);
  _Alignas(struct nlmsghdr) uint8_t buffer[REQUEST_SIZE];
  struct nlmsghdr *request = begin_about(env, conntrack, i, IPCTNL_MSG_CT_DELETE, buffer);
  if (request == NULL) return NULL;
  /* The id spares a newer connection with the same tuple, unless it has the same place in memory. */
  const struct attribute *id = &conntrack->locators[i].id;
  if (id->data != NULL) netlink_add(request, CTA_ID, id->data, id->length);
  return finish(env, conntrack, request, "conntrack delete");
}

static void release(napi_env env, struct conntrack *conntrack) {
  if (conntrack->closed) return;
  conntrack->closed = true;
  end_dump(conntrack);
  if (conntrack->request_fd >= 0) close(conntrack->request_fd);
  if (conntrack->batch_object != NULL) napi_delete_reference(env, conntrack->batch_object);
  free(conntrack->part);
}

static napi_value close_conntrack(napi_env env, napi_callback_info info) {
  struct conntrack *conntrack = js_receiver(env, info, &CONNTRACK_TAG, 0, NULL);
  if (conntrack != NULL) release(env, conntrack);
  return NULL;
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  release(env, data);
  free(data);
}

static bool create_batch(napi_env env, struct conntrack *conntrack, napi_value *object) {
  if (napi_create_object(env, object) != napi_ok) return false;
  napi_value batch = *object;
  conntrack->family = js_set_typed_array(env, batch, "family", napi_uint8_array, BATCH_SIZE);
  conntrack->protocol = js_set_typed_array(env, batch, "protocol", napi_uint8_array, BATCH_SIZE);
  conntrack->source = js_set_typed_array(env, batch, "source", napi_uint8_array, BATCH_SIZE * ADDRESS_SIZE);
  conntrack->destination =
      js_set_typed_array(env, batch, "destination", napi_uint8_array, BATCH_SIZE * ADDRESS_SIZE);
  conntrack->source_port = js_set_typed_array(env, batch, "sourcePort", napi_uint16_array, BATCH_SIZE);
  conntrack->destination_port = js_set_typed_array(env, batch, "destinationPort", napi_uint16_array, BATCH_SIZE);
  conntrack->icmp_type = js_set_typed_array(env, batch, "icmpType", napi_uint8_array, BATCH_SIZE);
  conntrack->icmp_code = js_set_typed_array(env, batch, "icmpCode", napi_uint8_array, BATCH_SIZE);
  conntrack->icmp_id = js_set_typed_array(env, batch, "icmpId", napi_uint16_array, BATCH_SIZE);
  conntrack->zone = js_set_typed_array(env, batch, "zone", napi_uint16_array, BATCH_SIZE);
  conntrack->mark = js_set_typed_array(env, batch, "mark", napi_uint32_array, BATCH_SIZE);
  conntrack->status = js_set_typed_array(env, batch, "status", napi_uint32_array, BATCH_SIZE);
  conntrack->id = js_set_typed_array(env, batch, "id", napi_uint32_array, BATCH_SIZE);
  if (napi_create_reference(env, batch, 1, &conntrack->batch_object) != napi_ok) return false;
  conntrack->part = malloc(PART_SIZE);
  return conntrack->part != NULL && conntrack->family != NULL && conntrack->protocol != NULL &&
         conntrack->source != NULL && conntrack->destination != NULL && conntrack->source_port != NULL &&
         conntrack->destination_port != NULL && conntrack->icmp_type != NULL && conntrack->icmp_code != NULL &&
         conntrack->icmp_id != NULL && conntrack->zone != NULL && conntrack->mark != NULL &&
         conntrack->status != NULL && conntrack->id != NULL;
}

napi_value conntrack_open(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value object, batch;
  int fd = netlink_open(NETLINK_NETFILTER, 0, 0);
  if (fd < 0) return js_throw_errno(env, fd, "conntrack socket");
  struct conntrack *conntrack = calloc(1, sizeof *conntrack);
  object = conntrack == NULL ? NULL : js_wrap(env, conntrack, finalize, &CONNTRACK_TAG);
  if (object == NULL) {
    close(fd);
    free(conntrack);
    return js_throw_errno(env, -ENOMEM, "conntrack open");
  }
  conntrack->request_fd = fd;
  conntrack->dump_fd = -1;
  if (!create_batch(env, conntrack, &batch)) return js_throw_errno(env, -ENOMEM, "conntrack open");
  napi_set_named_property(env, object, "batch", batch);
  js_set_method(env, object, "dumpStart", dump_start);
  js_set_method(env, object, "dumpNext", dump_next);
  js_set_method(env, object, "setMark", set_mark);
  js_set_method(env, object, "delete", delete_entry);
  js_set_method(env, object, "close", close_conntrack);
  return object;
}
