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
#include "conntrack_message.h"
#include "javascript.h"
#include "netlink.h"

/* The kernel fills at most 32 KiB per part. */
#define PART_SIZE (64 * 1024)

static const napi_type_tag CONNTRACK_TAG = {0x2b91e40fd6a37c18, 0xa6c5507e93d81b42};

struct conntrack {
  int request_fd;
  int dump_fd;
  bool closed;
  napi_ref batch_object;
  uint8_t *part;
  struct message_walk unread;
  struct conntrack_batch batch;
};

static void end_dump(struct conntrack *conntrack) {
  if (conntrack->dump_fd >= 0) close(conntrack->dump_fd);
  conntrack->dump_fd = -1;
  conntrack->unread.left = 0;
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
  conntrack->batch.count = 0;
  int fd = netlink_open(NETLINK_NETFILTER, 0, 0);
  if (fd < 0) return js_throw_errno(env, fd, "conntrack dump");
  conntrack->dump_fd = fd;
  _Alignas(struct nlmsghdr) uint8_t buffer[CONNTRACK_REQUEST_SIZE];
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
  conntrack->batch.count = 0;
  int state = 0;
  while (conntrack->batch.count == 0 && conntrack->dump_fd >= 0 && state == 0) {
    if (conntrack->unread.left == 0) {
      ssize_t received = netlink_receive(conntrack->dump_fd, conntrack->part, PART_SIZE);
      if (received < 0) {
        end_dump(conntrack);
        return js_throw_errno(env, (int)received, "conntrack dump");
      }
      conntrack->unread = (struct message_walk){conntrack->part, (size_t)received};
    }
    state = conntrack_read_part(&conntrack->batch, &conntrack->unread);
  }
  if (state != 0) end_dump(conntrack);
  if (state < 0) return js_throw_errno(env, state, "conntrack dump");
  napi_value count;
  return napi_create_uint32(env, conntrack->batch.count, &count) == napi_ok ? count : NULL;
}

/* Whether the batch has entry i; otherwise a RangeError is thrown. */
static bool has_entry(napi_env env, const struct conntrack *conntrack, uint32_t i) {
  if (i < conntrack->batch.count) return true;
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "no such entry in the batch in hand");
  return false;
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
  uint32_t i = js_uint32(env, arguments[0]);
  if (!has_entry(env, conntrack, i)) return NULL;
  _Alignas(struct nlmsghdr) uint8_t buffer[CONNTRACK_REQUEST_SIZE];
  struct nlmsghdr *request = conntrack_write_mark(&conntrack->batch, i, js_uint32(env, arguments[1]),
                                                  js_uint32(env, arguments[2]), buffer);
  return finish(env, conntrack, request, "conntrack set mark");
}

static napi_value delete_entry(napi_env env, napi_callback_info info) {
  napi_value index;
  struct conntrack *conntrack = receiver(env, info, 1, &index);
  if (conntrack == NULL) return NULL;
  uint32_t i = js_uint32(env, index);
  if (!has_entry(env, conntrack, i)) return NULL;
  _Alignas(struct nlmsghdr) uint8_t buffer[CONNTRACK_REQUEST_SIZE];
  struct nlmsghdr *request = conntrack_write_delete(&conntrack->batch, i, buffer);
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
  napi_value js = *object;
  struct conntrack_batch *batch = &conntrack->batch;
  const size_t size = CONNTRACK_BATCH_SIZE;
  batch->family = js_set_typed_array(env, js, "family", napi_uint8_array, size);
  batch->protocol = js_set_typed_array(env, js, "protocol", napi_uint8_array, size);
  batch->source = js_set_typed_array(env, js, "source", napi_uint8_array, size * CONNTRACK_ADDRESS_SIZE);
  batch->destination = js_set_typed_array(env, js, "destination", napi_uint8_array, size * CONNTRACK_ADDRESS_SIZE);
  batch->source_port = js_set_typed_array(env, js, "sourcePort", napi_uint16_array, size);
  batch->destination_port = js_set_typed_array(env, js, "destinationPort", napi_uint16_array, size);
  batch->icmp_type = js_set_typed_array(env, js, "icmpType", napi_uint8_array, size);
  batch->icmp_code = js_set_typed_array(env, js, "icmpCode", napi_uint8_array, size);
  batch->icmp_id = js_set_typed_array(env, js, "icmpId", napi_uint16_array, size);
  batch->zone = js_set_typed_array(env, js, "zone", napi_uint16_array, size);
  batch->mark = js_set_typed_array(env, js, "mark", napi_uint32_array, size);
  batch->status = js_set_typed_array(env, js, "status", napi_uint32_array, size);
  batch->id = js_set_typed_array(env, js, "id", napi_uint32_array, size);
  batch->tcp_state = js_set_typed_array(env, js, "tcpState", napi_uint8_array, size);
  if (napi_create_reference(env, js, 1, &conntrack->batch_object) != napi_ok) return false;
  conntrack->part = malloc(PART_SIZE);
  return conntrack->part != NULL && batch->family != NULL && batch->protocol != NULL && batch->source != NULL &&
         batch->destination != NULL && batch->source_port != NULL && batch->destination_port != NULL &&
         batch->icmp_type != NULL && batch->icmp_code != NULL && batch->icmp_id != NULL && batch->zone != NULL &&
         batch->mark != NULL && batch->status != NULL && batch->id != NULL && batch->tcp_state != NULL;
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
