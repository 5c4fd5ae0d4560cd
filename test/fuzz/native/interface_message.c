/* Links and addresses of an rtnetlink dump: names lie inside the datagram, addresses are terminated text. */
#include "../../../native/src/interface_message.h"

#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *part = copy_of(data, size);
  struct message_walk walk = {part, size};
  for (const struct nlmsghdr *message; (message = message_next(&walk)) != NULL;) {
    struct interface_link link;
    struct interface_address address;
    if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) netlink_error(message);
    if (interface_read_link(message, &link)) {
      const uint8_t *name = (const uint8_t *)link.name;
      MUST(name >= part && name <= part + size);
      MUST(link.name_length <= (size_t)(part + size - name));
      MUST(memchr(name, 0, link.name_length) == NULL);
    }
    memset(&address, 'x', sizeof address);
    if (interface_read_address(message, &address)) {
      size_t length = strnlen(address.text, sizeof address.text);
      MUST(length > 0 && length < sizeof address.text);
    }
  }
  free(part);
  return 0;
}
