/* The NativeBinding of src/native/binding.ts. No state of its own, so it loads in any number of threads. */
#include "addon.h"

#include "javascript.h"

NAPI_MODULE_INIT() {
  js_set_method(env, exports, "openQueue", queue_open);
  js_set_method(env, exports, "openConntrack", conntrack_open);
  js_set_method(env, exports, "listInterfaces", interface_list);
  js_set_method(env, exports, "watchInterfaces", interface_watch);
  js_set_method(env, exports, "watchRuleset", ruleset_watch);
  js_set_method(env, exports, "tableDigest", table_digest);
  js_set_method(env, exports, "sendDatagram", datagram_send);
  js_set_method(env, exports, "sendMarked", datagram_send_marked);
  return exports;
}
