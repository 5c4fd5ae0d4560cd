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
#include <linux/netfilter/nf_tables.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"
#include "event_source.h"
#include "javascript.h"
#include "netlink.h"

/* Somebody else's large transaction; more than fits is an unknown author. */
#define RECEIVE_BUFFER (4 << 20)
#define MESSAGE_BUFFER (32 * 1024)
#define AUTHORS_MAX 16
/* A storm must not keep the event loop here: what is left wakes it again. */
#define DATAGRAMS_MAX 512
#define PROGRAM_LENGTH 16

static const napi_type_tag WATCH_TAG = {0x91f2a3506d7be84c, 0x2e48c05b1a97d36f};

struct author {
  uint32_t port; /* 0 when unknown: no program's socket has it */
  uint32_t pid;
  char program[PROGRAM_LENGTH + 1];
};

struct watch {
  struct event_source source; /* first: the source's pointer is the watch's */
  bool touched;               /* the transaction under way changed a table of iptables */
  size_t count;
  struct author authors[AUTHORS_MAX];
  _Alignas(struct nlmsghdr) uint8_t buffer[MESSAGE_BUFFER];
};

static void add_author(struct watch *watch, const struct author *author) {
  for (size_t i = 0; i < watch->count; i++)
    if (watch->authors[i].port == author->port) return;
  if (watch->count < AUTHORS_MAX) watch->authors[watch->count++] = *author;
  else memset(&watch->authors[AUTHORS_MAX - 1], 0, sizeof *author);
}

static void add_unknown(struct watch *watch) {
  struct author unknown = {0};
  watch->touched = false;
  add_author(watch, &unknown);
}

/* In every message about an object of a table, attribute 1 is the table's name (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, ...). */
static bool is_of_iptables(const struct nlmsghdr *message) {
  static const char *const tables[] = {"raw", "mangle", "nat", "filter", "security"};
  const struct nfgenmsg *header = NLMSG_DATA(message);
  if (header->nfgen_family != AF_INET && header->nfgen_family != AF_INET6) return false;
  struct attribute_walk walk = attributes_of(message, sizeof *header);
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    if (attribute.type != NFTA_TABLE_NAME) continue;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
      if (attribute.length == strlen(tables[i]) + 1 && memcmp(attribute.data, tables[i], attribute.length) == 0)
        return true;
  }
  return false;
}

static void end_transaction(struct watch *watch, const struct nlmsghdr *message) {
  if (!watch->touched) return;
  watch->touched = false;
  struct author author = {.port = message->nlmsg_pid};
  struct attribute_walk walk = attributes_of(message, sizeof(struct nfgenmsg));
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    if (attribute.type == NFTA_GEN_PROC_PID) author.pid = attribute_be32(&attribute);
    if (attribute.type == NFTA_GEN_PROC_NAME)
      memcpy(author.program, attribute.data, strnlen((const char *)attribute.data,
             attribute.length < PROGRAM_LENGTH ? attribute.length : PROGRAM_LENGTH));
  }
  add_author(watch, &author);
}

static void read_datagram(struct watch *watch, size_t left) {
  struct message_walk walk = {.at = watch->buffer, .left = left};
  for (const struct nlmsghdr *message; (message = message_next(&walk)) != NULL;) {
    if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
        message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)))
      continue;
    if (NFNL_MSG_TYPE(message->nlmsg_type) == NFT_MSG_NEWGEN) end_transaction(watch, message);
    else if (!watch->touched) watch->touched = is_of_iptables(message);
  }
}

/* The array of NativeRulesetAuthor; NULL when the thread is being terminated. */
static napi_value take_authors(struct watch *watch) {
  napi_env env = watch->source.env;
  napi_value list;
  if (napi_create_array_with_length(env, watch->count, &list) != napi_ok) return NULL;
  for (uint32_t i = 0; i < watch->count; i++) {
    const struct author *author = &watch->authors[i];
    napi_value object, program;
    if (napi_create_object(env, &object) != napi_ok ||
        napi_create_string_latin1(env, author->program, NAPI_AUTO_LENGTH, &program) != napi_ok)
      return NULL;
    js_set_double(env, object, "port", author->port);
    js_set_double(env, object, "pid", author->pid);
    napi_set_named_property(env, object, "program", program);
    napi_set_element(env, list, i, object);
  }
  watch->count = 0;
  return list;
}

static void on_readable(struct event_source *source) {
  struct watch *watch = (struct watch *)source;
  for (int i = 0; i < DATAGRAMS_MAX; i++) {
    ssize_t length = netlink_receive(source->fd, watch->buffer, sizeof watch->buffer);
    if (length >= 0) read_datagram(watch, (size_t)length);
    else if (length == -ENOBUFS) add_unknown(watch);
    else if (length == -EMSGSIZE) watch->touched = true;
    else break;
  }
  napi_handle_scope scope;
  if (watch->count == 0 || napi_open_handle_scope(source->env, &scope) != napi_ok) return;
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
