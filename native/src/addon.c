/*
 * The NativeBinding of src/native/binding.ts. It loads in any number of threads: they share nothing but the list of
 * queues to wake (wake.c), which has a lock.
 */
#include "addon.h"

#include "javascript.h"

NAPI_MODULE_INIT() {
  js_set_method(env, exports, "openQueue", queue_open);
  js_set_method(env, exports, "wakeQueue", queue_wake);
  js_set_method(env, exports, "openConntrack", conntrack_open);
  js_set_method(env, exports, "listInterfaces", interface_list);
  js_set_method(env, exports, "watchInterfaces", interface_watch);
  js_set_method(env, exports, "watchRuleset", ruleset_watch);
  js_set_method(env, exports, "tableDigest", table_digest);
  js_set_method(env, exports, "sendDatagram", datagram_send);
  js_set_method(env, exports, "boundMemory", memory_bound);
  js_set_method(env, exports, "releaseMemory", memory_release);
  js_set_method(env, exports, "releasePages", memory_release_pages);
  js_set_method(env, exports, "runProgram", program_run);
  js_set_method(env, exports, "bindDatagram", datagram_bind);
  js_set_method(env, exports, "receiveDatagram", datagram_receive);
  js_set_method(env, exports, "sendMarked", datagram_send_marked);
  return exports;
}
