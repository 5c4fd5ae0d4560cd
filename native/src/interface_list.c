/*
 * listInterfaces(): links and addresses of this network namespace, from two
 * rtnetlink dumps (linux/rtnetlink.h). A dump that changes under way is taken
 * again, so that the list describes one moment as far as rtnetlink can.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <node_api.h>
#include <stdlib.h>
#include <unistd.h>

#include "addon.h"
#include "interface_message.h"
#include "javascript.h"
#include "netlink.h"

#define ATTEMPTS 8

struct listing {
  napi_env env;
  napi_value result;
  uint32_t count;
  /* Interface i of the result: its index and its addresses array. */
  struct {
    uint32_t index;
    napi_value addresses;
    uint32_t address_count;
  } *links;
};

static int add_link(const struct nlmsghdr *message, void *context) {
  struct listing *listing = context;
  napi_env env = listing->env;
  struct interface_link read;
  if (!interface_read_link(message, &read)) return 0;
  napi_value name, link, addresses, up;
  void *grown = realloc(listing->links, (listing->count + 1) * sizeof *listing->links);
  if (grown == NULL) return -ENOMEM;
  listing->links = grown;
  if (napi_create_string_utf8(env, read.name, read.name_length, &name) != napi_ok ||
      napi_create_object(env, &link) != napi_ok || napi_create_array(env, &addresses) != napi_ok ||
      napi_get_boolean(env, read.up, &up) != napi_ok)
    return -ENOMEM;
  js_set_double(env, link, "index", read.index);
  napi_set_named_property(env, link, "name", name);
  napi_set_named_property(env, link, "up", up);
  napi_set_named_property(env, link, "addresses", addresses);
  napi_set_element(env, listing->result, listing->count, link);
  listing->links[listing->count].index = read.index;
  listing->links[listing->count].addresses = addresses;
  listing->links[listing->count].address_count = 0;
  listing->count++;
  return 0;
}

static int add_address(const struct nlmsghdr *message, void *context) {
  struct listing *listing = context;
  struct interface_address read;
  if (!interface_read_address(message, &read)) return 0;
  for (uint32_t i = 0; i < listing->count; i++) {
    if (listing->links[i].index != read.index) continue;
    napi_value text;
    if (napi_create_string_utf8(listing->env, read.text, NAPI_AUTO_LENGTH, &text) != napi_ok) return -ENOMEM;
    napi_set_element(listing->env, listing->links[i].addresses, listing->links[i].address_count++, text);
    return 0;
  }
  return 0;
}

static int list_once(int fd, struct listing *listing) {
  _Alignas(struct nlmsghdr) uint8_t buffer[128];
  uint32_t skip_statistics = RTEXT_FILTER_SKIP_STATS;
  listing->count = 0;
  if (napi_create_array(listing->env, &listing->result) != napi_ok) return -ENOMEM;
  struct nlmsghdr *request = netlink_begin(buffer, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
  netlink_add(request, IFLA_EXT_MASK, &skip_statistics, sizeof skip_statistics);
  int error = netlink_dump(fd, request, add_link, listing);
  if (error < 0) return error;
  request = netlink_begin(buffer, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
  return netlink_dump(fd, request, add_address, listing);
}

napi_value interface_list(napi_env env, napi_callback_info info) {
  (void)info;
  struct listing listing = {.env = env};
  int error = -EINTR;
  for (int attempt = 0; attempt < ATTEMPTS && error == -EINTR; attempt++) {
    /* A new socket, because an abandoned dump leaves its remaining parts in the old one. */
    int fd = netlink_open(NETLINK_ROUTE, 0, 0);
    if (fd < 0) {
      error = fd;
      break;
    }
    error = list_once(fd, &listing);
    close(fd);
  }
  free(listing.links);
  return error < 0 ? js_throw_errno(env, error, "rtnetlink dump") : listing.result;
}
