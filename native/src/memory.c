/*
 * Memory given back to the kernel.
 *
 * What the C library keeps of freed memory: it gives every thread an arena of
 * its own and holds what was freed in each, for the next allocation; a daemon
 * that parses and compiles policies for a second and then idles for days has
 * no use for it. Only glibc has these switches; elsewhere nothing is done.
 */
#include <node_api.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "addon.h"
#include "javascript.h"

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

/* releasePages(bytes): whole pages of an array go back to the kernel, and are zeros when they are next looked at. */
napi_value memory_release_pages(napi_env env, napi_callback_info info) {
  size_t count = 1, length = 0;
  napi_value array;
  void *bytes = NULL;
  if (napi_get_cb_info(env, info, &count, &array, NULL, NULL) != napi_ok) return NULL;
  if (napi_get_typedarray_info(env, array, NULL, &length, &bytes, NULL, NULL) != napi_ok) {
    napi_throw_type_error(env, NULL, "releasePages: expected a Uint8Array");
    return NULL;
  }
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t from = ((uintptr_t)bytes + page - 1) / page * page;
  uintptr_t to = ((uintptr_t)bytes + length) / page * page;
  if (from < to) madvise((void *)from, to - from, MADV_DONTNEED);
  return NULL;
}
