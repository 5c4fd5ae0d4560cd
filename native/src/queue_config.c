#include "queue.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <sys/socket.h>

#include "netlink.h"

static void add_command(struct nlmsghdr *message, uint8_t command) {
  struct nfqnl_msg_config_cmd attribute = {.command = command, .pf = htons(AF_INET)};
  netlink_add(message, NFQA_CFG_CMD, &attribute, sizeof attribute);
}

/*
 * The kernel answers an error also to a message that asked for no answer, and before send returns. Not asking
 * for one keeps the packets that may already stand in the socket where the reader will find them.
 */
static int answered_error(int fd) {
  _Alignas(struct nlmsghdr) uint8_t answer[NLMSG_LENGTH(sizeof(struct nlmsgerr))];
  ssize_t length = recv(fd, answer, sizeof answer, MSG_PEEK | MSG_DONTWAIT);
  if (length < 0) return errno == EAGAIN ? 0 : -errno;
  const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
  if ((size_t)length < NLMSG_LENGTH(sizeof(int)) || header->nlmsg_type != NLMSG_ERROR) return 0;
  int error = netlink_error(header);
  recv(fd, answer, sizeof answer, MSG_DONTWAIT);
  return error;
}

static int configure(int fd, const struct queue_options *options, uint32_t flags, bool bind) {
  _Alignas(struct nlmsghdr) uint8_t buffer[256];
  struct nlmsghdr *message = netlink_begin_netfilter(buffer, NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG, 0, AF_UNSPEC,
                                                     options->queue);
  struct nfqnl_msg_config_params params = {
      .copy_range = htonl(options->copy_range),
      .copy_mode = NFQNL_COPY_PACKET,
  };
  if (bind) add_command(message, NFQNL_CFG_CMD_BIND);
  netlink_add(message, NFQA_CFG_PARAMS, &params, sizeof params);
  netlink_add_be32(message, NFQA_CFG_QUEUE_MAXLEN, options->max_length);
  netlink_add_be32(message, NFQA_CFG_MASK,
                   NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_UID_GID | NFQA_CFG_F_CONNTRACK);
  netlink_add_be32(message, NFQA_CFG_FLAGS, flags);
  int error = netlink_send(fd, message, message->nlmsg_len);
  return error < 0 ? error : answered_error(fd);
}

/* An inherited socket has the queue; when it has lost it, it is bound like a new one. */
static int take(int fd, const struct queue_options *options, uint32_t flags) {
  if (options->descriptor < 0) return configure(fd, options, flags, true);
  int error = configure(fd, options, flags, false);
  return error == -ENODEV ? configure(fd, options, flags, true) : error;
}

/*
 * The kernel says EPERM both for a missing capability and for a queue that another socket has. PF_BIND does
 * nothing, needs the capability, and names no queue, so its answer tells the two apart.
 */
static int explain_refusal(int fd) {
  _Alignas(struct nlmsghdr) uint8_t buffer[64];
  struct nlmsghdr *message =
      netlink_begin_netfilter(buffer, NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG, 0, AF_UNSPEC, 0);
  add_command(message, NFQNL_CFG_CMD_PF_BIND);
  return netlink_request(fd, message) == -EPERM ? -EPERM : -EBUSY;
}

int queue_configure(int fd, const struct queue_options *options, bool *has_conntrack) {
  uint32_t flags = (options->gso ? NFQA_CFG_F_GSO : 0) | (options->fail_open ? NFQA_CFG_F_FAIL_OPEN : 0) |
                   (options->uid_gid ? NFQA_CFG_F_UID_GID : 0);
  int error = -EOPNOTSUPP;
  *has_conntrack = options->conntrack;
  if (options->conntrack) error = take(fd, options, flags | NFQA_CFG_F_CONNTRACK);
  if (error == -EOPNOTSUPP) {
    *has_conntrack = false;
    error = take(fd, options, flags);
  }
  return error == -EPERM ? explain_refusal(fd) : error;
}
