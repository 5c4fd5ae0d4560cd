/*
 * compile(expression): a libpcap expression as a NativePacketFilter over raw
 * IP packets (DLT_RAW). An addon of its own: the only one that needs libpcap.
 */
#include <node_api.h>
#include <pcap.h>
#include <stdlib.h>
#include <uv.h>

#include "javascript.h"

#define SNAPSHOT_LENGTH 65535
#define EXPRESSION_LIMIT 8192

static const napi_type_tag FILTER_TAG = {0x19c7f0a2e6483d5b, 0xe37d94b1508c62fa};

/* The expression grammar kept state in globals until libpcap 1.8, and workers may compile at once. */
static uv_once_t compiler_once = UV_ONCE_INIT;
static uv_mutex_t compiler_lock;

static void create_compiler_lock(void) {
  uv_mutex_init(&compiler_lock);
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  pcap_freecode(data);
  free(data);
}

/* matches(bytes, offset, length, originalLength) */
static napi_value matches(napi_env env, napi_callback_info info) {
  napi_value arguments[4], result;
  struct bpf_program *program = js_receiver(env, info, &FILTER_TAG, 4, arguments);
  if (program == NULL) return NULL;
  void *bytes = NULL;
  size_t size = 0;
  napi_get_typedarray_info(env, arguments[0], NULL, &size, &bytes, NULL, NULL);
  uint32_t offset = js_uint32(env, arguments[1]);
  uint32_t length = js_uint32(env, arguments[2]);
  uint32_t original_length = js_uint32(env, arguments[3]);
  bool match = offset <= size && length <= size - offset &&
               bpf_filter(program->bf_insns, (const u_char *)bytes + offset, original_length, length) != 0;
  return napi_get_boolean(env, match, &result) == napi_ok ? result : NULL;
}

/* 0, or -1 with libpcap's words in `problem` (PCAP_ERRBUF_SIZE bytes). */
static int compile_expression(const char *expression, struct bpf_program *program, char *problem) {
  pcap_t *handle = pcap_open_dead(DLT_RAW, SNAPSHOT_LENGTH);
  if (handle == NULL) {
    snprintf(problem, PCAP_ERRBUF_SIZE, "out of memory");
    return -1;
  }
  uv_once(&compiler_once, create_compiler_lock);
  uv_mutex_lock(&compiler_lock);
  int status = pcap_compile(handle, program, expression, 1, PCAP_NETMASK_UNKNOWN);
  if (status < 0) snprintf(problem, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(handle));
  uv_mutex_unlock(&compiler_lock);
  pcap_close(handle);
  return status;
}

static napi_value compile(napi_env env, napi_callback_info info) {
  size_t argument_count = 1;
  size_t length = 0;
  napi_value argument, object;
  char expression[EXPRESSION_LIMIT];
  char problem[PCAP_ERRBUF_SIZE];
  if (napi_get_cb_info(env, info, &argument_count, &argument, NULL, NULL) != napi_ok) return NULL;
  napi_get_value_string_utf8(env, argument, NULL, 0, &length);
  if (length >= sizeof expression) return js_throw(env, "EPCAP", "expression is longer than 8191 bytes");
  napi_get_value_string_utf8(env, argument, expression, sizeof expression, &length);
  struct bpf_program *program = calloc(1, sizeof *program);
  if (program == NULL) return js_throw_errno(env, UV_ENOMEM, "pcap_compile");
  if (compile_expression(expression, program, problem) < 0) {
    free(program);
    return js_throw(env, "EPCAP", problem);
  }
  object = js_wrap(env, program, finalize, &FILTER_TAG);
  if (object == NULL) {
    finalize(env, program, NULL);
    return js_throw_errno(env, UV_ENOMEM, "pcap_compile");
  }
  js_set_method(env, object, "matches", matches);
  return object;
}

NAPI_MODULE_INIT() {
  js_set_method(env, exports, "compile", compile);
  return exports;
}
