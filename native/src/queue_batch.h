/* The PacketBatch of src/native/binding.ts: arrays that JavaScript owns and C reads and writes. */
#ifndef RAMPART_QUEUE_BATCH_H
#define RAMPART_QUEUE_BATCH_H

#include <node_api.h>

#include "queue.h"

/*
 * Makes the arrays for `size` packets with `slot_size` bytes of slab each. They are there as long as `object` is.
 * False when there is no memory.
 */
bool queue_create_batch(napi_env env, struct packet_batch *batch, size_t size, size_t slot_size, napi_value *object);

#endif
