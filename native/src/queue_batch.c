#include "queue_batch.h"

#include "javascript.h"

bool queue_create_batch(napi_env env, struct packet_batch *batch, size_t size, size_t slot_size, napi_value *object) {
  if (napi_create_object(env, object) != napi_ok) return false;
  batch->slab = js_set_typed_array(env, *object, "slab", napi_uint8_array, size * slot_size);
  batch->id = js_set_typed_array(env, *object, "id", napi_uint32_array, size);
  batch->hook = js_set_typed_array(env, *object, "hook", napi_uint8_array, size);
  batch->in_interface = js_set_typed_array(env, *object, "inInterface", napi_uint32_array, size);
  batch->out_interface = js_set_typed_array(env, *object, "outInterface", napi_uint32_array, size);
  batch->mark = js_set_typed_array(env, *object, "mark", napi_uint32_array, size);
  batch->hardware_protocol = js_set_typed_array(env, *object, "hardwareProtocol", napi_uint16_array, size);
  batch->offset = js_set_typed_array(env, *object, "offset", napi_uint32_array, size);
  batch->length = js_set_typed_array(env, *object, "length", napi_uint32_array, size);
  batch->original_length = js_set_typed_array(env, *object, "originalLength", napi_uint32_array, size);
  batch->skb_info = js_set_typed_array(env, *object, "skbInfo", napi_uint32_array, size);
  batch->uid = js_set_typed_array(env, *object, "uid", napi_uint32_array, size);
  batch->verdict = js_set_typed_array(env, *object, "verdict", napi_uint8_array, size);
  batch->verdict_mark = js_set_typed_array(env, *object, "verdictMark", napi_uint32_array, size);
  return batch->slab != NULL && batch->id != NULL && batch->hook != NULL && batch->in_interface != NULL &&
         batch->out_interface != NULL && batch->mark != NULL && batch->hardware_protocol != NULL &&
         batch->offset != NULL && batch->length != NULL && batch->original_length != NULL &&
         batch->skb_info != NULL && batch->uid != NULL && batch->verdict != NULL && batch->verdict_mark != NULL;
}
