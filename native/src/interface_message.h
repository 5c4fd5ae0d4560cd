/* rtnetlink messages about interfaces (linux/rtnetlink.h): the one place where they are read. */
#ifndef RAMPART_INTERFACE_MESSAGE_H
#define RAMPART_INTERFACE_MESSAGE_H

#include "netlink.h"

struct interface_link {
  uint32_t index;
  bool up;
  /* Within the message, and not terminated. */
  const char *name;
  size_t name_length;
};

struct interface_address {
  uint32_t index;
  char text[INET6_ADDRSTRLEN];
};

/* Reads a message that lies whole in memory; false if it names no link. */
bool interface_read_link(const struct nlmsghdr *message, struct interface_link *link);

/* Reads a message that lies whole in memory; false if it has no IPv4 or IPv6 address of this host's. */
bool interface_read_address(const struct nlmsghdr *message, struct interface_address *address);

#endif
