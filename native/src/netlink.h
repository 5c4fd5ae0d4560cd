/*
 * Netlink messages (RFC 3549, linux/netlink.h): building, walking, and one
 * request with its answer.
 *
 * Builders write into a buffer the caller has sized for everything it adds;
 * walkers never read beyond the length they are given, whatever the headers
 * inside claim. Functions that fail return a negative errno.
 */
#ifndef RAMPART_NETLINK_H
#define RAMPART_NETLINK_H

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A blocking (unless `flags` has SOCK_NONBLOCK) socket of `protocol`, in multicast `groups`. */
int netlink_open(int protocol, int flags, uint32_t groups);

/* A socket that netlink_open made in another process: `fd`, closed on exec from now on; -EINVAL where it is none. */
int netlink_adopt(int fd, int protocol);

/* Asks for `bytes` of receive buffer, beyond the system limit where allowed; returns what the kernel gave. */
int netlink_set_receive_buffer(int fd, int bytes);

/* Starts a message of `family_header_size` zeroed bytes after its header. */
struct nlmsghdr *netlink_begin(void *buffer, uint16_t type, uint16_t flags, size_t family_header_size);

/* The same for nfnetlink: subsystem and message make the type, `resource` is in host byte order. */
struct nlmsghdr *netlink_begin_netfilter(void *buffer, uint8_t subsystem, uint8_t message, uint16_t flags,
                                         uint8_t family, uint16_t resource);

void netlink_add(struct nlmsghdr *message, uint16_t type, const void *data, size_t length);

static inline void netlink_add_be32(struct nlmsghdr *message, uint16_t type, uint32_t value) {
  uint32_t wire = htonl(value);
  netlink_add(message, type, &wire, sizeof wire);
}

/* Sends one message to the kernel; retries when a signal or a short lack of memory interrupts. */
int netlink_send(int fd, const void *buffer, size_t length);

/* Sends a message with NLM_F_ACK and waits for its answer: 0, or the kernel's negative errno. */
int netlink_request(int fd, struct nlmsghdr *message);

/* One datagram into `buffer`; returns its length, -EMSGSIZE when it did not fit. */
ssize_t netlink_receive(int fd, void *buffer, size_t size);

/* A dump request's answer, part after part; stops early when `visit` returns non-zero. */
typedef int (*netlink_visit)(const struct nlmsghdr *message, void *context);
int netlink_dump(int fd, struct nlmsghdr *request, netlink_visit visit, void *context);

/* The errno of an NLMSG_ERROR or NLMSG_DONE message, 0 or negative. */
int netlink_error(const struct nlmsghdr *message);

/* The messages of a datagram and how many of its bytes are left. */
struct message_walk {
  const uint8_t *at;
  size_t left;
};

/*
 * The next whole message, or NULL. NLMSG_NEXT would take the padding of a last message off a length that does not
 * have it, and go on behind the end. `at` must be aligned as a header is.
 */
static inline const struct nlmsghdr *message_next(struct message_walk *walk) {
  const struct nlmsghdr *message = (const struct nlmsghdr *)walk->at;
  if (walk->left < sizeof *message) return NULL;
  if (message->nlmsg_len < sizeof *message || message->nlmsg_len > walk->left) return NULL;
  size_t step = NLMSG_ALIGN((size_t)message->nlmsg_len);
  if (step > walk->left) step = walk->left;
  walk->at += step;
  walk->left -= step;
  return message;
}

/* An attribute list and how much of it is left. */
struct attribute_walk {
  const uint8_t *at;
  size_t left;
};

struct attribute {
  uint16_t type; /* without NLA_F_NESTED and NLA_F_NET_BYTEORDER */
  const uint8_t *data;
  size_t length;
};

static inline bool attribute_next(struct attribute_walk *walk, struct attribute *out) {
  struct nlattr header;
  if (walk->left < sizeof header) return false;
  memcpy(&header, walk->at, sizeof header);
  if (header.nla_len < sizeof header || header.nla_len > walk->left) return false;
  out->type = header.nla_type & NLA_TYPE_MASK;
  out->data = walk->at + sizeof header;
  out->length = header.nla_len - sizeof header;
  size_t step = NLA_ALIGN((size_t)header.nla_len);
  if (step > walk->left) step = walk->left;
  walk->at += step;
  walk->left -= step;
  return true;
}

/* Attributes of a message whose family header has `family_header_size` bytes. */
static inline struct attribute_walk attributes_of(const struct nlmsghdr *message, size_t family_header_size) {
  size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(family_header_size);
  struct attribute_walk walk = {(const uint8_t *)message + skip, 0};
  if (message->nlmsg_len > skip) walk.left = message->nlmsg_len - skip;
  return walk;
}

static inline struct attribute_walk attributes_in(const struct attribute *nest) {
  struct attribute_walk walk = {nest->data, nest->length};
  return walk;
}

static inline uint32_t attribute_be32(const struct attribute *attribute) {
  uint32_t wire = 0;
  if (attribute->length >= sizeof wire) memcpy(&wire, attribute->data, sizeof wire);
  return ntohl(wire);
}

static inline uint16_t attribute_be16(const struct attribute *attribute) {
  uint16_t wire = 0;
  if (attribute->length >= sizeof wire) memcpy(&wire, attribute->data, sizeof wire);
  return ntohs(wire);
}

static inline uint8_t attribute_u8(const struct attribute *attribute) {
  return attribute->length >= 1 ? attribute->data[0] : 0;
}

#endif
