/*
 * A socket read on the event loop of the thread that opened it, with one
 * JavaScript callback. It is closed exactly once, by whichever comes first:
 * close() (also from inside the callback), garbage collection before it was
 * started, or the end of the environment (worker.terminate(), process exit).
 *
 * The struct outlives both its JavaScript object and its handle on the loop,
 * and is freed when the later of the two lets go.
 */
#ifndef RAMPART_EVENT_SOURCE_H
#define RAMPART_EVENT_SOURCE_H

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct event_source {
  uv_poll_t poll;
  napi_env env;
  int fd;
  bool started;
  bool closed;
  uint8_t owners;
  napi_async_cleanup_hook_handle cleanup;
  napi_async_context context;
  napi_ref self;
  napi_ref callback;
  /* Read what there is; must not block. */
  void (*on_readable)(struct event_source *source);
  /* Let go of references when closing; may be NULL. */
  void (*on_close)(struct event_source *source);
  /* Free the struct; nothing of Node-API may be called. */
  void (*on_free)(struct event_source *source);
};

/* Takes over `fd`. The first owner is the JavaScript object: wrap it with event_source_finalize. */
void event_source_init(struct event_source *source, napi_env env, int fd);

/* A napi_finalize whose data is the event source. */
void event_source_finalize(napi_env env, void *data, void *hint);

/* Begins reading; `self` stays alive until close. Returns 0 or a negative errno. */
int event_source_start(struct event_source *source, napi_value self, napi_value callback, const char *name);

/* Calls back; false when it threw or could not run. Needs an open handle scope. */
bool event_source_call(struct event_source *source, size_t count, const napi_value *arguments);

/* Hands the exception of a failed call to the process's (or worker's) uncaughtException. */
void event_source_report(struct event_source *source);

/* Not to be called from inside the callback. Both do nothing before start and after close. */
void event_source_pause(struct event_source *source);
void event_source_resume(struct event_source *source);

void event_source_close(struct event_source *source);

#endif
