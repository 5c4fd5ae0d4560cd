/*
 * Notifications of nf_tables, datagram after datagram: no more authors than
 * there is room for, each with a terminated name, and none that is told twice.
 */
#include "../../../native/src/ruleset_message.h"

#include "harness.h"

static void must_be_sound(const struct ruleset_changes *changes) {
  MUST(changes->count <= RULESET_AUTHORS_MAX);
  for (size_t i = 0; i < changes->count; i++) {
    const struct ruleset_author *author = &changes->authors[i];
    MUST(memchr(author->program, 0, sizeof author->program) != NULL);
    for (size_t j = 0; j < i; j++) MUST(author->port == 0 || changes->authors[j].port != author->port);
  }
}

static void read_part(struct ruleset_changes *changes, const uint8_t *data, size_t size) {
  size_t count = changes->count;
  bool touched = changes->touched;
  uint8_t *datagram = copy_of(data, size);
  ruleset_read(changes, datagram, size);
  free(datagram);
  must_be_sound(changes);
  MUST(changes->count >= count);
  /* Nothing fits into less than a header. */
  if (size < 16) MUST(changes->count == count && changes->touched == touched);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ruleset_changes changes = {0};
  /* A transaction may go on in the next datagram, and one between may be lost. */
  size_t cut = size / 2 & ~(size_t)3;
  read_part(&changes, data, size);
  read_part(&changes, data + cut, size - cut);
  ruleset_add_unknown(&changes);
  must_be_sound(&changes);
  MUST(!changes.touched && changes.count > 0);
  read_part(&changes, data, cut);
  return 0;
}
