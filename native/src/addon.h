/* The addon's functions, one per member of NativeBinding in src/native/binding.ts. */
#ifndef RAMPART_ADDON_H
#define RAMPART_ADDON_H

#include <node_api.h>

napi_value queue_open(napi_env env, napi_callback_info info);
napi_value queue_wake(napi_env env, napi_callback_info info);
napi_value conntrack_open(napi_env env, napi_callback_info info);
napi_value interface_list(napi_env env, napi_callback_info info);
napi_value interface_watch(napi_env env, napi_callback_info info);
napi_value ruleset_watch(napi_env env, napi_callback_info info);
napi_value table_digest(napi_env env, napi_callback_info info);
napi_value datagram_send(napi_env env, napi_callback_info info);
napi_value memory_bound(napi_env env, napi_callback_info info);
napi_value memory_release(napi_env env, napi_callback_info info);
napi_value memory_release_pages(napi_env env, napi_callback_info info);
napi_value program_run(napi_env env, napi_callback_info info);
napi_value datagram_bind(napi_env env, napi_callback_info info);
napi_value datagram_receive(napi_env env, napi_callback_info info);
napi_value datagram_send_marked(napi_env env, napi_callback_info info);

#endif
