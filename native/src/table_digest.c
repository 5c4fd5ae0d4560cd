/*
 * tableDigest(family, table): a number that changes when the rules of a table
 * of iptables-legacy change, and not when packets are counted. Reads the table
 * as iptables does (getsockopt of IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES), without
 * starting a program; the kernel has no events for these tables.
 *
 * Of a table larger than ENTRIES_MAX only the layout is looked at: number and
 * size of its rules and where its chains begin.
 */
#include <errno.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* After sys/socket.h, whose types they share. */
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "addon.h"
#include "javascript.h"

/* Rampart's own tables are far smaller; copying more many times a second would cost more than it tells. */
#define ENTRIES_MAX (512 * 1024)
/* The table may be replaced between the two calls. */
#define ATTEMPTS 3

/* Both families have the same options and headers; their entries differ in the part before the counters. */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "one layout of the table's description");
_Static_assert(sizeof(struct ipt_get_entries) == sizeof(struct ip6t_get_entries), "one layout of the request");
_Static_assert((int)IPT_SO_GET_INFO == (int)IP6T_SO_GET_INFO, "one number for the description");
_Static_assert((int)IPT_SO_GET_ENTRIES == (int)IP6T_SO_GET_ENTRIES, "one number for the entries");

struct layout {
  int domain;
  int level;
  size_t header; /* bytes of an entry before its matches */
  size_t next_offset;
  size_t counters;
};

static const struct layout LAYOUT4 = {AF_INET, IPPROTO_IP, sizeof(struct ipt_entry),
                                      offsetof(struct ipt_entry, next_offset), offsetof(struct ipt_entry, counters)};
static const struct layout LAYOUT6 = {AF_INET6, IPPROTO_IPV6, sizeof(struct ip6t_entry),
                                      offsetof(struct ip6t_entry, next_offset), offsetof(struct ip6t_entry, counters)};

static uint64_t mix(uint64_t digest, const void *data, size_t length) {
  const uint8_t *at = data;
  for (; length > 0; length -= length < 8 ? length : 8, at += 8) {
    uint64_t word = 0;
    memcpy(&word, at, length < 8 ? length : 8);
    digest = (digest ^ word) * 0x9e3779b97f4a7c15;
    digest ^= digest >> 29;
  }
  return digest;
}

static void clear_counters(const struct layout *layout, uint8_t *entries, size_t size) {
  for (size_t at = 0; at + layout->header <= size;) {
    uint16_t next;
    memcpy(&next, entries + at + layout->next_offset, sizeof next);
    memset(entries + at + layout->counters, 0, sizeof(struct xt_counters));
    if (next < layout->header) return;
    at += next;
  }
}

/* `table` has XT_TABLE_MAXNAMELEN bytes, zeroed behind the name. */
static int read_digest(int fd, const struct layout *layout, const char *table, uint64_t *digest) {
  struct ipt_getinfo info = {0};
  socklen_t length = sizeof info;
  memcpy(info.name, table, sizeof info.name);
  if (getsockopt(fd, layout->level, IPT_SO_GET_INFO, &info, &length) < 0) return -errno;
  *digest = mix(0, &info, sizeof info);
  if (info.size > ENTRIES_MAX) return 0;
  size_t size = sizeof(struct ipt_get_entries) + info.size;
  /* Zeroed: the kernel leaves gaps between what it writes. */
  struct ipt_get_entries *request = calloc(1, size);
  if (request == NULL) return -ENOMEM;
  memcpy(request->name, info.name, sizeof info.name);
  request->size = info.size;
  length = (socklen_t)size;
  int error = getsockopt(fd, layout->level, IPT_SO_GET_ENTRIES, request, &length) < 0 ? -errno : 0;
  uint8_t *entries = (uint8_t *)request + sizeof *request;
  if (error == 0) clear_counters(layout, entries, info.size);
  if (error == 0) *digest = mix(*digest, entries, info.size);
  free(request);
  return error;
}

napi_value table_digest(napi_env env, napi_callback_info info) {
  size_t argument_count = 2;
  napi_value arguments[2], result;
  char table[XT_TABLE_MAXNAMELEN] = "";
  if (napi_get_cb_info(env, info, &argument_count, arguments, NULL, NULL) != napi_ok) return NULL;
  napi_get_value_string_utf8(env, arguments[1], table, sizeof table, NULL);
  const struct layout *layout = js_uint32(env, arguments[0]) == 6 ? &LAYOUT6 : &LAYOUT4;
  /* Any socket of the family will do; a raw one would need another right. */
  int fd = socket(layout->domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return js_throw_errno(env, -errno, "socket");
  uint64_t digest = 0;
  int error = -EAGAIN;
  for (int i = 0; i < ATTEMPTS && error == -EAGAIN; i++) error = read_digest(fd, layout, table, &digest);
  close(fd);
  if (error < 0) return js_throw_errno(env, error, "iptables table");
  /* As many bits as a JavaScript number holds exactly. */
  return napi_create_double(env, (double)(digest >> 11), &result) == napi_ok ? result : NULL;
}
