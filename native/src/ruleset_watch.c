/*
 * watchRuleset(onChange): who changed a table of iptables-nft, transaction by
 * transaction (NFNLGRP_NFTABLES, linux/netfilter/nf_tables.h). The kernel tells
 * of every object a transaction changed and ends with NFT_MSG_NEWGEN, which
 * names the program. Tables that iptables does not know are passed over here.
 *
 * Transactions that arrived together are one call. What the kernel could not
 * deliver (ENOBUFS), or who did not fit, is told as an unknown author, so that
 * a listener never misses that something changed.
 */
#include <errno.h>
#include <node_api.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"
#include "event_source.h"
#include "javascript.h"
#include "netlink.h"
#include "ruleset_message.h"

/* Somebody else's large transaction; more than fits is an unknown author. */
#define RECEIVE_BUFFER (4 << 20)
#define MESSAGE_BUFFER (32 * 1024)
/* A storm must not keep the event loop here: what is left wakes it again. */
#define DATAGRAMS_MAX 512

static const napi_type_tag WATCH_TAG = {0x91f2a3506d7be84c, 0x2e48c05b1a97d36f};

struct watch {
  struct event_source source; /* first: the source's pointer is the watch's */
  struct ruleset_changes changes;
  _Alignas(struct nlmsghdr) uint8_t buffer[MESSAGE_BUFFER];
};

/* The array of NativeRulesetAuthor; NULL when the thread is being terminated. */
static napi_value take_authors(struct watch *watch) {
  napi_env env = watch->source.env;
  struct ruleset_changes *changes = &watch->changes;
  napi_value list;
  if (napi_create_array_with_length(env, changes->count, &list) != napi_ok) return NULL;
  for (uint32_t i = 0; i < changes->count; i++) {
    const struct ruleset_author *author = &changes->authors[i];
    napi_value object, program;
    if (napi_create_object(env, &object) != napi_ok ||
        napi_create_string_latin1(env, author->program, NAPI_AUTO_LENGTH, &program) != napi_ok)
      return NULL;
    js_set_double(env, object, "port", author->port);
    js_set_double(env, object, "pid", author->pid);
    napi_set_named_property(env, object, "program", program);
    napi_set_element(env, list, i, object);
  }
  changes->count = 0;
  return list;
}

static void on_readable(struct event_source *source) {
  struct watch *watch = (struct watch *)source;
  for (int i = 0; i < DATAGRAMS_MAX; i++) {
    ssize_t length = netlink_receive(source->fd, watch->buffer, sizeof watch->buffer);
    if (length >= 0) ruleset_read(&watch->changes, watch->buffer, (size_t)length);
    else if (length == -ENOBUFS) ruleset_add_unknown(&watch->changes);
    else if (length == -EMSGSIZE) watch->changes.touched = true;
    else break;
  }
  napi_handle_scope scope;
  if (watch->changes.count == 0 || napi_open_handle_scope(source->env, &scope) != napi_ok) return;
  napi_value authors = take_authors(watch);
  if (authors != NULL && !event_source_call(source, 1, &authors)) event_source_report(source);
  napi_close_handle_scope(source->env, scope);
}

static void on_free(struct event_source *source) {
  free(source);
}

static napi_value close_watch(napi_env env, napi_callback_info info) {
  struct event_source *watch = js_receiver(env, info, &WATCH_TAG, 0, NULL);
  if (watch != NULL) event_source_close(watch);
  return NULL;
}

napi_value ruleset_watch(napi_env env, napi_callback_info info) {
  size_t argument_count = 1;
  napi_value callback, object;
  if (napi_get_cb_info(env, info, &argument_count, &callback, NULL, NULL) != napi_ok) return NULL;
  int fd = netlink_open(NETLINK_NETFILTER, SOCK_NONBLOCK, 1u << (NFNLGRP_NFTABLES - 1));
  if (fd < 0) return js_throw_errno(env, fd, "nftables notifications");
  netlink_set_receive_buffer(fd, RECEIVE_BUFFER);
  struct watch *watch = calloc(1, sizeof *watch);
  object = watch == NULL ? NULL : js_wrap(env, watch, event_source_finalize, &WATCH_TAG);
  if (object == NULL) {
    close(fd);
    free(watch);
    return js_throw_errno(env, -ENOMEM, "nftables watch");
  }
  event_source_init(&watch->source, env, fd);
  watch->source.on_readable = on_readable;
  watch->source.on_free = on_free;
  js_set_method(env, object, "close", close_watch);
  int error = event_source_start(&watch->source, object, callback, "RampartRulesetWatch");
  return error < 0 ? js_throw_errno(env, error, "uv_poll_start") : object;
}
