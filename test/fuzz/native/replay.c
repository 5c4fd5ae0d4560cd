/*
 * A harness without libFuzzer, for compilers that have only the sanitizers:
 *
 *   program SEED FIRST COUNT FILE...
 *
 * Every file, and then COUNT inputs made from the files by mutation. Input n
 * depends on the seed, n and the files only; a crash names seed and n, and
 * FIRST = n with COUNT = 1 repeats it alone.
 */
#include "harness.h"

#define MAX_SIZE 4096
#define MAX_FILES 256

void __sanitizer_set_death_callback(void (*callback)(void));

struct seed_file {
  uint8_t *data;
  size_t size;
};

static struct seed_file files[MAX_FILES];
static size_t file_count;
static unsigned long seed;
static unsigned long number;
/* The corpus file at hand, while there is one. */
static const char *file_name;
static uint32_t state;

static void name_input(void) {
  if (file_name != NULL) fprintf(stderr, "crash: %s\n", file_name);
  else fprintf(stderr, "crash: seed %lu, input %lu\n", seed, number);
}

/* xorshift32. */
static uint32_t below(uint32_t bound) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % bound;
}

/* Neighbouring numbers give unrelated states (the finalizer of MurmurHash3). */
static void start(unsigned long n) {
  uint32_t x = (uint32_t)(seed * 0x9e3779b1u + n);
  x = (x ^ x >> 16) * 0x85ebca6bu;
  x = (x ^ x >> 13) * 0xc2b2ae35u;
  state = (x ^ x >> 16) | 1;
}

static void read_file(const char *path) {
  MUST(file_count < MAX_FILES);
  FILE *file = fopen(path, "rb");
  MUST(file != NULL);
  uint8_t *data = memory_of(MAX_SIZE, 0);
  size_t size = fread(data, 1, MAX_SIZE, file);
  fclose(file);
  files[file_count++] = (struct seed_file){data, size};
}

/* Lengths and types of netlink are 16 and 32 bits in host order, and aligned to 4. */
static size_t mutate(uint8_t *data, size_t size) {
  static const uint16_t INTERESTING[] = {0, 1, 3, 4, 5, 7, 8, 12, 16, 17, 20, 21, 255, 256, 512, 4096, 0x7fff, 0xffff};
  uint32_t at = size > 0 ? below((uint32_t)size) : 0;
  switch (below(7)) {
    case 0:
      if (size > 0) data[at] ^= (uint8_t)(1 << below(8));
      return size;
    case 1:
      if (size > 0) data[at] = (uint8_t)below(256);
      return size;
    case 2:
    case 3: {
      uint16_t value = INTERESTING[below(sizeof INTERESTING / sizeof *INTERESTING)];
      at &= ~(below(4) > 0 ? 3u : 1u);
      if (at + sizeof value <= size) memcpy(data + at, &value, sizeof value);
      return size;
    }
    case 4:
      return size > 0 ? below((uint32_t)size + 1) : 0;
    case 5: {
      uint32_t grown = below(64);
      if (size + grown > MAX_SIZE) return size;
      for (uint32_t i = 0; i < grown; i++) data[size + i] = (uint8_t)below(256);
      return size + grown;
    }
    default: {
      /* A part of another file, at an aligned place. */
      const struct seed_file *other = &files[below((uint32_t)file_count)];
      uint32_t from = other->size > 0 ? below((uint32_t)other->size) & ~3u : 0;
      size_t length = other->size > from ? below((uint32_t)(other->size - from)) : 0;
      at &= ~3u;
      if (at + length > MAX_SIZE) return size;
      memcpy(data + at, other->data + from, length);
      return at + length > size ? at + length : size;
    }
  }
}

int main(int argc, char **argv) {
  MUST(argc > 4);
  seed = strtoul(argv[1], NULL, 10);
  unsigned long first = strtoul(argv[2], NULL, 10);
  unsigned long count = strtoul(argv[3], NULL, 10);
  __sanitizer_set_death_callback(name_input);
  for (int i = 4; i < argc; i++) read_file(argv[i]);
  for (size_t i = 0; i < file_count && count != 1; i++) {
    file_name = argv[4 + i];
    LLVMFuzzerTestOneInput(files[i].data, files[i].size);
  }
  file_name = NULL;
  uint8_t *data = memory_of(MAX_SIZE, 0);
  for (number = first; number < first + count; number++) {
    start(number);
    const struct seed_file *from = &files[below((uint32_t)file_count)];
    size_t size = from->size;
    memcpy(data, from->data, size);
    for (uint32_t rounds = 1 + below(6); rounds > 0; rounds--) size = mutate(data, size);
    LLVMFuzzerTestOneInput(data, size);
  }
  printf("%lu\n", count + (count != 1 ? (unsigned long)file_count : 0));
  free(data);
  for (size_t i = 0; i < file_count; i++) free(files[i].data);
  return 0;
}
