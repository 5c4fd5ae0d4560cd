/*
 * What the C library keeps of freed memory. It gives every thread an arena of
 * its own and holds what was freed in each, for the next allocation; a daemon
 * that parses and compiles policies for a second and then idles for days has
 * no use for it. Only glibc has these switches; elsewhere nothing is done.
 */
#include <node_api.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "addon.h"

/* Freed bytes at an arena's end from which on they go back to the kernel; glibc's default, and it stays the limit. */
#define TRIM_THRESHOLD (128 * 1024)

/* boundMemory(): the packet path does not allocate, so the threads can do with one arena. */
napi_value memory_bound(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
#endif
  return NULL;
}

/* releaseMemory(): whole free pages of all arenas, wherever they are. */
napi_value memory_release(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return NULL;
}
