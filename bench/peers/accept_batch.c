/*
 * accept_batch QUEUE COPY_RANGE: accepts every packet of an NFQUEUE, as fast
 * as userspace can.
 *
 * The yardstick for the packet path: up to 128 packets in one recvmmsg, all
 * their verdicts in one sendmsg, nothing looked at but the packet id. It
 * shares no code with Rampart's addon, on purpose. Runs until SIGTERM or
 * SIGINT, then prints one line: packets, batches, drops for want of buffer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BATCH 128
#define RECEIVE_BUFFER (16 << 20)
#define QUEUE_LENGTH 8192

struct verdict_message {
  struct nlmsghdr netlink;
  struct nfgenmsg netfilter;
  struct nlattr attribute;
  struct nfqnl_msg_verdict_hdr verdict;
};

static volatile sig_atomic_t stopping;

static void stop(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint16_t queue_type(uint8_t message) {
  return (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | message);
}

static void append(struct nlmsghdr *message, uint16_t type, const void *data, uint16_t length) {
  struct nlattr attribute = {.nla_len = (uint16_t)(NLA_HDRLEN + length), .nla_type = type};
  uint8_t *end = (uint8_t *)message + message->nlmsg_len;
  memcpy(end, &attribute, sizeof attribute);
  memcpy(end + NLA_HDRLEN, data, length);
  message->nlmsg_len += NLA_ALIGN(NLA_HDRLEN + length);
}

static void configure(int fd, uint16_t queue, uint32_t copy_range) {
  struct {
    struct nlmsghdr netlink;
    struct nfgenmsg netfilter;
    uint8_t attributes[128];
  } request = {
      .netlink = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
                  .nlmsg_type = queue_type(NFQNL_MSG_CONFIG),
                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .netfilter = {.version = NFNETLINK_V0, .res_id = htons(queue)},
  };
  struct nfqnl_msg_config_cmd bind_command = {.command = NFQNL_CFG_CMD_BIND};
  struct nfqnl_msg_config_params params = {.copy_range = htonl(copy_range), .copy_mode = NFQNL_COPY_PACKET};
  uint32_t length = htonl(QUEUE_LENGTH);
  uint32_t flags = htonl(NFQA_CFG_F_GSO);
  append(&request.netlink, NFQA_CFG_CMD, &bind_command, sizeof bind_command);
  append(&request.netlink, NFQA_CFG_PARAMS, &params, sizeof params);
  append(&request.netlink, NFQA_CFG_QUEUE_MAXLEN, &length, sizeof length);
  append(&request.netlink, NFQA_CFG_MASK, &flags, sizeof flags);
  append(&request.netlink, NFQA_CFG_FLAGS, &flags, sizeof flags);
  if (send(fd, &request, request.netlink.nlmsg_len, 0) < 0) fail("send");
  struct {
    struct nlmsghdr netlink;
    struct nlmsgerr error;
    uint8_t rest[256];
  } answer;
  /* Rules come after the bind, so nothing but the answer can stand in the socket. */
  if (recv(fd, &answer, sizeof answer, 0) < 0) fail("recv");
  errno = -answer.error.error;
  if (errno != 0) fail("bind queue");
}

/* The packet id: the kernel's first attribute is the packet header. */
static int packet_id(const uint8_t *message, size_t length, uint32_t *id) {
  const struct nlmsghdr *netlink = (const struct nlmsghdr *)message;
  const size_t at = NLMSG_LENGTH(sizeof(struct nfgenmsg));
  if (length < at + NLA_HDRLEN + sizeof *id || netlink->nlmsg_type != queue_type(NFQNL_MSG_PACKET)) return 0;
  const struct nlattr *attribute = (const struct nlattr *)(message + at);
  if ((attribute->nla_type & NLA_TYPE_MASK) != NFQA_PACKET_HDR) return 0;
  memcpy(id, message + at + NLA_HDRLEN, sizeof *id);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: accept_batch QUEUE COPY_RANGE\n");
    return 2;
  }
  uint16_t queue = (uint16_t)atoi(argv[1]);
  uint32_t copy_range = (uint32_t)atoi(argv[2]);
  /* Without SA_RESTART, so that a signal ends the wait for packets. */
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);

  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  if (fd < 0) fail("socket");
  int size = RECEIVE_BUFFER;
  int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on);
  configure(fd, queue, copy_range);
  /* So that a signal just before the wait is seen too. */
  struct timeval limit = {.tv_usec = 100000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);

  size_t slot = copy_range + 1024;
  uint8_t *slab = malloc(slot * BATCH);
  if (slab == NULL) fail("malloc");
  struct iovec parts[BATCH];
  struct mmsghdr messages[BATCH];
  struct verdict_message verdicts[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){slab + (size_t)i * slot, slot};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    verdicts[i] = (struct verdict_message){
        .netlink = {.nlmsg_len = sizeof verdicts[i],
                    .nlmsg_type = queue_type(NFQNL_MSG_VERDICT),
                    .nlmsg_flags = NLM_F_REQUEST},
        .netfilter = {.version = NFNETLINK_V0, .res_id = htons(queue)},
        .attribute = {.nla_len = sizeof(struct nlattr) + sizeof(struct nfqnl_msg_verdict_hdr),
                      .nla_type = NFQA_VERDICT_HDR},
        .verdict = {.verdict = htonl(NF_ACCEPT)},
    };
  }
  printf("ready\n");
  fflush(stdout);

  uint64_t packets = 0;
  uint64_t batches = 0;
  while (!stopping) {
    int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    if (received < 0) {
      if (errno == EINTR || errno == EAGAIN || errno == ENOBUFS) continue;
      fail("recvmmsg");
    }
    size_t count = 0;
    for (int i = 0; i < received; i++)
      count += (size_t)packet_id(slab + (size_t)i * slot, messages[i].msg_len, &verdicts[count].verdict.id);
    packets += count;
    batches++;
    if (count > 0 && send(fd, verdicts, count * sizeof verdicts[0], 0) < 0) fail("send verdicts");
  }
  uint32_t memory[SK_MEMINFO_VARS] = {0};
  socklen_t memory_size = sizeof memory;
  getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &memory_size);
  printf("packets=%llu batches=%llu dropped=%u\n", (unsigned long long)packets, (unsigned long long)batches,
         memory[SK_MEMINFO_DROPS]);
  return 0;
}
