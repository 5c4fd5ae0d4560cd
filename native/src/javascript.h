/*
 * The border to JavaScript: reading checked options, throwing errors with
 * `code` and `syscall`, making objects with methods.
 *
 * Arguments are valid here (TypeScript checked them), so these functions
 * return plain values; a Node-API call can only fail when the thread is being
 * terminated, and then whatever is returned to JavaScript is never seen.
 */
#ifndef RAMPART_JAVASCRIPT_H
#define RAMPART_JAVASCRIPT_H

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

/* Throws an Error "<syscall>: <what errno means>"; `error` is a negative errno. Returns NULL. */
napi_value js_throw_errno(napi_env env, int error, const char *syscall);

/* Throws a plain Error with `code`. Returns NULL. */
napi_value js_throw(napi_env env, const char *code, const char *message);

uint32_t js_option_uint32(napi_env env, napi_value object, const char *name);
/* A file descriptor; -1 when the option is left out. */
int js_option_descriptor(napi_env env, napi_value object, const char *name);
bool js_option_bool(napi_env env, napi_value object, const char *name);
uint32_t js_uint32(napi_env env, napi_value value);

void js_set_double(napi_env env, napi_value object, const char *name, double value);
void js_set_method(napi_env env, napi_value object, const char *name, napi_callback method);

/* Fills `arguments` (missing ones undefined) and returns what `this` wraps, or NULL with a TypeError thrown. */
void *js_receiver(napi_env env, napi_callback_info info, const napi_type_tag *tag, size_t count,
                  napi_value *arguments);

/* An object that owns `data`: `finalize` runs when it is collected or its env ends. NULL on failure. */
napi_value js_wrap(napi_env env, void *data, napi_finalize finalize, const napi_type_tag *tag);

/* A typed array over its own zeroed memory, set as a property of `object`. */
void *js_set_typed_array(napi_env env, napi_value object, const char *name, napi_typedarray_type type,
                         size_t length);

#endif
