/*
 * accept_single QUEUE COPY_RANGE: accepts every packet of an NFQUEUE, one at
 * a time, through libnetfilter_queue, the way its documentation shows it: one
 * recv, one callback and one verdict a packet.
 *
 * libnetfilter_queue is GPL-2. Only this program of the benchmarks links it;
 * it is built where it is measured and is no part of Rampart. Runs until
 * SIGTERM or SIGINT, then prints one line: packets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#define RECEIVE_BUFFER (16 << 20)
#define QUEUE_LENGTH 8192
#define MESSAGE_SIZE (65535 + 4096)

static volatile sig_atomic_t stopping;
static uint64_t packets;

static void stop(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int on_packet(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data, void *context) {
  (void)message;
  (void)context;
  struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(data);
  if (header == NULL) return 0;
  packets++;
  return nfq_set_verdict(queue, ntohl(header->packet_id), NF_ACCEPT, 0, NULL);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: accept_single QUEUE COPY_RANGE\n");
    return 2;
  }
  /* Without SA_RESTART, so that a signal ends the wait for packets. */
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);

  struct nfq_handle *library = nfq_open();
  if (library == NULL) fail("nfq_open");
  struct nfq_q_handle *queue = nfq_create_queue(library, (uint16_t)atoi(argv[1]), &on_packet, NULL);
  if (queue == NULL) fail("nfq_create_queue");
  if (nfq_set_mode(queue, NFQNL_COPY_PACKET, (uint32_t)atoi(argv[2])) < 0) fail("nfq_set_mode");
  if (nfq_set_queue_maxlen(queue, QUEUE_LENGTH) < 0) fail("nfq_set_queue_maxlen");
  if (nfq_set_queue_flags(queue, NFQA_CFG_F_GSO, NFQA_CFG_F_GSO) < 0) fail("nfq_set_queue_flags");
  nfnl_rcvbufsiz(nfq_nfnlh(library), RECEIVE_BUFFER);
  int fd = nfq_fd(library);
  int on = 1;
  setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on);
  /* So that a signal just before the wait is seen too. */
  struct timeval limit = {.tv_usec = 100000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  printf("ready\n");
  fflush(stdout);

  static char message[MESSAGE_SIZE] __attribute__((aligned));
  while (!stopping) {
    ssize_t length = recv(fd, message, sizeof message, 0);
    if (length > 0) nfq_handle_packet(library, message, (int)length);
    else if (length < 0 && errno != EINTR && errno != EAGAIN && errno != ENOBUFS) fail("recv");
  }
  printf("packets=%llu\n", (unsigned long long)packets);
  nfq_destroy_queue(queue);
  nfq_close(library);
  return 0;
}
