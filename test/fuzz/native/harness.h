/*
 * What the harnesses share. Each is one LLVMFuzzerTestOneInput over the parser
 * of one kind of message, and hands it memory that ends where the input ends,
 * so that AddressSanitizer sees every byte that is read beyond.
 */
#ifndef RAMPART_FUZZ_HARNESS_H
#define RAMPART_FUZZ_HARNESS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the run, with the input at hand, when what must always hold does not. */
#define MUST(condition)                                                             \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                      \
    }                                                                               \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Memory of exactly `size` bytes, filled with `fill`. */
static inline void *memory_of(size_t size, int fill) {
  void *memory = malloc(size > 0 ? size : 1);
  MUST(memory != NULL);
  memset(memory, fill, size > 0 ? size : 1);
  return memory;
}

static inline void *copy_of(const uint8_t *data, size_t size) {
  uint8_t *copy = memory_of(size, 0);
  if (size > 0) memcpy(copy, data, size);
  return copy;
}

#endif
