#include "event_source.h"

#include <errno.h>
#include <unistd.h>

void event_source_init(struct event_source *source, napi_env env, int fd) {
  source->env = env;
  source->fd = fd;
  source->owners = 1;
}

static void release(struct event_source *source) {
  if (--source->owners == 0) source->on_free(source);
}

static void drop_reference(napi_env env, napi_ref *reference) {
  if (*reference != NULL) napi_delete_reference(env, *reference);
  *reference = NULL;
}

static void on_handle_closed(uv_handle_t *handle) {
  struct event_source *source = handle->data;
  napi_remove_async_cleanup_hook(source->cleanup);
  release(source);
}

void event_source_close(struct event_source *source) {
  if (source->closed) return;
  source->closed = true;
  if (source->on_close != NULL) source->on_close(source);
  drop_reference(source->env, &source->callback);
  drop_reference(source->env, &source->self);
  /* Off the loop first: epoll must not see the number again when another file gets it. */
  if (source->started) uv_close((uv_handle_t *)&source->poll, on_handle_closed);
  close(source->fd);
}

void event_source_finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  struct event_source *source = data;
  event_source_close(source);
  /* Not in close: the callback that closes is still running in this context. */
  if (source->context != NULL) napi_async_destroy(env, source->context);
  release(source);
}

static void on_env_cleanup(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  event_source_close(data);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  (void)events;
  struct event_source *source = poll->data;
  source->on_readable(source);
  /* An error waiting on the socket, such as ENOBUFS, makes libuv stop polling; reading has cleared it. */
  if (status < 0 && !source->closed) uv_poll_start(&source->poll, UV_READABLE, on_poll);
}

int event_source_start(struct event_source *source, napi_value self, napi_value callback, const char *name) {
  napi_env env = source->env;
  uv_loop_t *loop = NULL;
  napi_value js_name;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return -ECANCELED;
  int error = uv_poll_init(loop, &source->poll, source->fd);
  if (error < 0) return error;
  source->poll.data = source;
  source->started = true;
  source->owners++;
  napi_add_async_cleanup_hook(env, on_env_cleanup, source, &source->cleanup);
  if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &js_name) != napi_ok ||
      napi_async_init(env, NULL, js_name, &source->context) != napi_ok ||
      napi_create_reference(env, callback, 1, &source->callback) != napi_ok ||
      napi_create_reference(env, self, 1, &source->self) != napi_ok) {
    event_source_close(source);
    return -ECANCELED;
  }
  return uv_poll_start(&source->poll, UV_READABLE, on_poll);
}

void event_source_pause(struct event_source *source) {
  if (source->started && !source->closed) uv_poll_stop(&source->poll);
}

void event_source_resume(struct event_source *source) {
  if (source->started && !source->closed) uv_poll_start(&source->poll, UV_READABLE, on_poll);
}

bool event_source_call(struct event_source *source, size_t count, const napi_value *arguments) {
  napi_env env = source->env;
  napi_value receiver, callback;
  return napi_get_global(env, &receiver) == napi_ok &&
         napi_get_reference_value(env, source->callback, &callback) == napi_ok &&
         napi_make_callback(env, source->context, receiver, callback, count, arguments, NULL) == napi_ok;
}

void event_source_report(struct event_source *source) {
  bool pending = false;
  napi_value exception;
  if (napi_is_exception_pending(source->env, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(source->env, &exception) == napi_ok)
    napi_fatal_exception(source->env, exception);
}
