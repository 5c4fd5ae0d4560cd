#include "javascript.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

napi_value js_throw_errno(napi_env env, int error, const char *syscall) {
  char code[32];
  char reason[128];
  char text[256];
  napi_value js_code, js_text, js_syscall, js_error;
  uv_err_name_r(error, code, sizeof code);
  uv_strerror_r(error, reason, sizeof reason);
  snprintf(text, sizeof text, "%s: %s", syscall, reason);
  napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &js_code);
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &js_text);
  napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &js_syscall);
  if (napi_create_error(env, js_code, js_text, &js_error) == napi_ok) {
    napi_set_named_property(env, js_error, "syscall", js_syscall);
    napi_throw(env, js_error);
  }
  return NULL;
}

napi_value js_throw(napi_env env, const char *code, const char *message) {
  napi_throw_error(env, code, message);
  return NULL;
}

uint32_t js_uint32(napi_env env, napi_value value) {
  uint32_t number = 0;
  napi_get_value_uint32(env, value, &number);
  return number;
}

uint32_t js_option_uint32(napi_env env, napi_value object, const char *name) {
  napi_value value;
  return napi_get_named_property(env, object, name, &value) == napi_ok ? js_uint32(env, value) : 0;
}

int js_option_descriptor(napi_env env, napi_value object, const char *name) {
  napi_value value;
  int32_t descriptor = -1;
  if (napi_get_named_property(env, object, name, &value) == napi_ok) napi_get_value_int32(env, value, &descriptor);
  return descriptor;
}

bool js_option_bool(napi_env env, napi_value object, const char *name) {
  napi_value value;
  bool flag = false;
  if (napi_get_named_property(env, object, name, &value) == napi_ok) napi_get_value_bool(env, value, &flag);
  return flag;
}

void js_set_double(napi_env env, napi_value object, const char *name, double value) {
  napi_value number;
  if (napi_create_double(env, value, &number) == napi_ok) napi_set_named_property(env, object, name, number);
}

void js_set_method(napi_env env, napi_value object, const char *name, napi_callback method) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, method, NULL, &function) == napi_ok)
    napi_set_named_property(env, object, name, function);
}

void *js_receiver(napi_env env, napi_callback_info info, const napi_type_tag *tag, size_t count,
                  napi_value *arguments) {
  napi_value receiver;
  void *data = NULL;
  bool ours = false;
  if (napi_get_cb_info(env, info, &count, arguments, &receiver, NULL) == napi_ok &&
      napi_check_object_type_tag(env, receiver, tag, &ours) == napi_ok && ours)
    napi_unwrap(env, receiver, &data);
  if (data == NULL) napi_throw_type_error(env, "ERR_INVALID_THIS", "called on an object of another kind");
  return data;
}

napi_value js_wrap(napi_env env, void *data, napi_finalize finalize, const napi_type_tag *tag) {
  napi_value object;
  if (napi_create_object(env, &object) != napi_ok || napi_type_tag_object(env, object, tag) != napi_ok ||
      napi_wrap(env, object, data, finalize, NULL, NULL) != napi_ok)
    return NULL;
  return object;
}

void *js_set_typed_array(napi_env env, napi_value object, const char *name, napi_typedarray_type type,
                         size_t length) {
  size_t width = type == napi_uint8_array ? 1 : type == napi_uint16_array ? 2 : 4;
  void *data = NULL;
  napi_value memory, array;
  if (napi_create_arraybuffer(env, length * width, &data, &memory) != napi_ok ||
      napi_create_typedarray(env, type, length, memory, 0, &array) != napi_ok ||
      napi_set_named_property(env, object, name, array) != napi_ok)
    return NULL;
  return data;
}
