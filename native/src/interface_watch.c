/*
 * watchInterfaces(onChange): one call after any number of link and address
 * changes that arrived together, also after changes the kernel could not
 * deliver (ENOBUFS), so that a listener that lists again never stays behind.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <node_api.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"
#include "event_source.h"
#include "javascript.h"
#include "netlink.h"

static const napi_type_tag WATCH_TAG = {0xc84d12b7905ef36a, 0x5be0376c21d9f84e};

static void on_readable(struct event_source *source) {
  bool changed = false;
  for (;;) {
    uint8_t ignored[64];
    if (recv(source->fd, ignored, sizeof ignored, MSG_DONTWAIT) >= 0 || errno == ENOBUFS) changed = true;
    else if (errno != EINTR) break;
  }
  napi_handle_scope scope;
  if (!changed || napi_open_handle_scope(source->env, &scope) != napi_ok) return;
  if (!event_source_call(source, 0, NULL)) event_source_report(source);
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

napi_value interface_watch(napi_env env, napi_callback_info info) {
  size_t argument_count = 1;
  napi_value callback, object;
  if (napi_get_cb_info(env, info, &argument_count, &callback, NULL, NULL) != napi_ok) return NULL;
  int fd = netlink_open(NETLINK_ROUTE, SOCK_NONBLOCK, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
  if (fd < 0) return js_throw_errno(env, fd, "rtnetlink socket");
  struct event_source *watch = calloc(1, sizeof *watch);
  object = watch == NULL ? NULL : js_wrap(env, watch, event_source_finalize, &WATCH_TAG);
  if (object == NULL) {
    close(fd);
    free(watch);
    return js_throw_errno(env, -ENOMEM, "rtnetlink watch");
  }
  event_source_init(watch, env, fd);
  watch->on_readable = on_readable;
  watch->on_free = on_free;
  js_set_method(env, object, "close", close_watch);
  int error = event_source_start(watch, object, callback, "RampartInterfaceWatch");
  return error < 0 ? js_throw_errno(env, error, "uv_poll_start") : object;
}
