#include "interface_message.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

bool interface_read_link(const struct nlmsghdr *message, struct interface_link *link) {
  if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg))) return false;
  const struct ifinfomsg *header = NLMSG_DATA(message);
  struct attribute_walk walk = attributes_of(message, sizeof *header);
  link->index = (uint32_t)header->ifi_index;
  link->up = header->ifi_flags & IFF_UP;
  link->name = NULL;
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    if (attribute.type != IFLA_IFNAME) continue;
    link->name = (const char *)attribute.data;
    link->name_length = strnlen(link->name, attribute.length);
  }
  return link->name != NULL;
}

bool interface_read_address(const struct nlmsghdr *message, struct interface_address *address) {
  if (message->nlmsg_type != RTM_NEWADDR || message->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg))) return false;
  const struct ifaddrmsg *header = NLMSG_DATA(message);
  size_t size = header->ifa_family == AF_INET6 ? 16 : 4;
  struct attribute_walk walk = attributes_of(message, sizeof *header);
  const uint8_t *own = NULL;
  const uint8_t *named = NULL;
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    if (attribute.length < size) continue;
    if (attribute.type == IFA_LOCAL) own = attribute.data;
    else if (attribute.type == IFA_ADDRESS) named = attribute.data;
  }
  /* On a point-to-point link IFA_ADDRESS is the peer's. */
  if (own == NULL) own = named;
  address->index = header->ifa_index;
  return own != NULL && inet_ntop(header->ifa_family, own, address->text, sizeof address->text) != NULL;
}
