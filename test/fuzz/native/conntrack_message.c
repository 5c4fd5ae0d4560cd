/*
 * A datagram of a conntrack dump to the batch, and requests about what was
 * read. Entries are named by bytes of the datagram, and no request is longer
 * than its buffer, whatever the kernel's attributes claim.
 */
#include "../../../native/src/conntrack_message.h"

#include "harness.h"

static void must_be_inside(const struct attribute *attribute, const uint8_t *part, size_t size) {
  if (attribute->data == NULL) return;
  MUST(attribute->data >= part && attribute->data <= part + size);
  MUST(attribute->length <= (size_t)(part + size - attribute->data));
}

static void must_fit(const struct nlmsghdr *request) {
  MUST(request->nlmsg_len <= CONNTRACK_REQUEST_SIZE);
}

static struct conntrack_batch new_batch(void) {
  const size_t size = CONNTRACK_BATCH_SIZE;
  return (struct conntrack_batch){
      .family = memory_of(size, 0xff),
      .protocol = memory_of(size, 0xff),
      .source = memory_of(size * CONNTRACK_ADDRESS_SIZE, 0xff),
      .destination = memory_of(size * CONNTRACK_ADDRESS_SIZE, 0xff),
      .source_port = memory_of(size * sizeof(uint16_t), 0xff),
      .destination_port = memory_of(size * sizeof(uint16_t), 0xff),
      .icmp_type = memory_of(size, 0xff),
      .icmp_code = memory_of(size, 0xff),
      .icmp_id = memory_of(size * sizeof(uint16_t), 0xff),
      .zone = memory_of(size * sizeof(uint16_t), 0xff),
      .mark = memory_of(size * sizeof(uint32_t), 0xff),
      .status = memory_of(size * sizeof(uint32_t), 0xff),
      .id = memory_of(size * sizeof(uint32_t), 0xff),
      .tcp_state = memory_of(size, 0xff),
  };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* Its 70 KB are made once; an entry is cleared before it is read. */
  static struct conntrack_batch batch;
  if (batch.family == NULL) batch = new_batch();
  uint8_t *part = copy_of(data, size);
  uint8_t *buffer = memory_of(CONNTRACK_REQUEST_SIZE, 0xff);
  struct message_walk walk = {part, size};
  int state = 0;
  while (walk.left > 0 && state == 0) {
    size_t before = walk.left;
    batch.count = 0;
    state = conntrack_read_part(&batch, &walk);
    MUST(walk.left < before);
    MUST(batch.count <= CONNTRACK_BATCH_SIZE);
    for (uint32_t i = 0; i < batch.count; i++) {
      const struct conntrack_locator *locator = &batch.locators[i];
      MUST(locator->tuple.data != NULL);
      MUST(batch.family[i] == 4 || batch.family[i] == 6);
      must_be_inside(&locator->tuple, part, size);
      must_be_inside(&locator->zone, part, size);
      must_be_inside(&locator->id, part, size);
      must_fit(conntrack_write_mark(&batch, i, 0x12345678, 0xffff0000, buffer));
      must_fit(conntrack_write_delete(&batch, i, buffer));
    }
  }
  free(buffer);
  free(part);
  return 0;
}
