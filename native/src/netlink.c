#include "netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The kernel makes dump parts of up to 32 KiB; a reader with less room loses the rest of the datagram. */
#define DUMP_BUFFER (64 * 1024)
#define SEND_ATTEMPTS 50

int netlink_open(int protocol, int flags, uint32_t groups) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, protocol);
  if (fd < 0) return -errno;
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int error = -errno;
    close(fd);
    return error;
  }
  /* The kernel then refuses what other programs send here: whatever is read comes from the kernel. */
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (connect(fd, (struct sockaddr *)&kernel, sizeof kernel) < 0) {
    int error = -errno;
    close(fd);
    return error;
  }
  /* An error message then carries the header of the request it answers, not the request. */
  int on = 1;
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  /* The kernel answers within the send; the limit only keeps a kernel bug from hanging the caller. */
  struct timeval limit = {.tv_sec = 10};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return fd;
}

int netlink_adopt(int fd, int protocol) {
  int domain = 0;
  int found = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0) return -errno;
  size = sizeof found;
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &found, &size) < 0) return -errno;
  if (domain != AF_NETLINK || found != protocol) return -EINVAL;
  /* Who wants no wait says so at each read. */
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return -errno;
  return fd;
}

int netlink_set_receive_buffer(int fd, int bytes) {
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  int granted = 0;
  socklen_t size = sizeof granted;
  getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &size);
  return granted;
}

struct nlmsghdr *netlink_begin(void *buffer, uint16_t type, uint16_t flags, size_t family_header_size) {
  struct nlmsghdr *message = buffer;
  size_t length = NLMSG_HDRLEN + NLMSG_ALIGN(family_header_size);
  memset(message, 0, length);
  message->nlmsg_len = (uint32_t)length;
  message->nlmsg_type = type;
  message->nlmsg_flags = NLM_F_REQUEST | flags;
  return message;
}

struct nlmsghdr *netlink_begin_netfilter(void *buffer, uint8_t subsystem, uint8_t message_type, uint16_t flags,
                                         uint8_t family, uint16_t resource) {
  struct nlmsghdr *message =
      netlink_begin(buffer, (uint16_t)(subsystem << 8 | message_type), flags, sizeof(struct nfgenmsg));
  struct nfgenmsg *header = NLMSG_DATA(message);
  header->nfgen_family = family;
  header->version = NFNETLINK_V0;
  header->res_id = htons(resource);
  return message;
}

void netlink_add(struct nlmsghdr *message, uint16_t type, const void *data, size_t length) {
  uint8_t *at = (uint8_t *)message + message->nlmsg_len;
  struct nlattr header = {.nla_len = (uint16_t)(NLA_HDRLEN + length), .nla_type = type};
  memcpy(at, &header, sizeof header);
  memcpy(at + NLA_HDRLEN, data, length);
  size_t padded = NLA_ALIGN(NLA_HDRLEN + length);
  memset(at + NLA_HDRLEN + length, 0, padded - NLA_HDRLEN - length);
  message->nlmsg_len += (uint32_t)padded;
}

int netlink_send(int fd, const void *buffer, size_t length) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct iovec part = {(void *)(uintptr_t)buffer, length};
  struct msghdr datagram = {
      .msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = &part, .msg_iovlen = 1};
  for (int attempt = 0; attempt < SEND_ATTEMPTS; attempt++) {
    if (sendmsg(fd, &datagram, 0) >= 0) return 0;
    if (errno != EINTR && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) break;
    sched_yield();
  }
  return -errno;
}

ssize_t netlink_receive(int fd, void *buffer, size_t size) {
  for (;;) {
    struct iovec part = {buffer, size};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t length = recvmsg(fd, &datagram, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return -errno;
    return datagram.msg_flags & MSG_TRUNC ? -EMSGSIZE : length;
  }
}

int netlink_error(const struct nlmsghdr *message) {
  int error = 0;
  if (message->nlmsg_len >= NLMSG_LENGTH(sizeof error)) memcpy(&error, NLMSG_DATA(message), sizeof error);
  return error;
}

int netlink_request(int fd, struct nlmsghdr *message) {
  static _Thread_local uint32_t sequence = 0;
  uint32_t mine = ++sequence;
  message->nlmsg_flags |= NLM_F_ACK;
  message->nlmsg_seq = mine;
  int error = netlink_send(fd, message, message->nlmsg_len);
  if (error < 0) return error;
  for (;;) {
    _Alignas(struct nlmsghdr) uint8_t answer[1024];
    ssize_t length = netlink_receive(fd, answer, sizeof answer);
    if (length < 0) return (int)length;
    const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
    if (NLMSG_OK(header, (size_t)length) && header->nlmsg_type == NLMSG_ERROR && header->nlmsg_seq == mine)
      return netlink_error(header);
  }
}

int netlink_dump(int fd, struct nlmsghdr *request, netlink_visit visit, void *context) {
  int error = netlink_send(fd, request, request->nlmsg_len);
  if (error < 0) return error;
  uint8_t *buffer = malloc(DUMP_BUFFER);
  if (buffer == NULL) return -ENOMEM;
  for (bool done = false; !done && error == 0;) {
    ssize_t received = netlink_receive(fd, buffer, DUMP_BUFFER);
    if (received < 0) {
      error = (int)received;
      break;
    }
    struct message_walk walk = {buffer, (size_t)received};
    for (const struct nlmsghdr *message; error == 0 && (message = message_next(&walk)) != NULL;) {
      if (message->nlmsg_flags & NLM_F_DUMP_INTR) error = -EINTR;
      else if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
        error = netlink_error(message);
        done = true;
      } else error = visit(message, context);
    }
  }
  free(buffer);
  return error;
}
