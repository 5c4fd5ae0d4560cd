/*
 * udp_sink PORT [SECONDS]: counts UDP packets that arrive at a port, IPv4 and
 * IPv6. Prints "ready", then a line a second, then the total, after SECONDS
 * or at SIGTERM or SIGINT.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define BATCH 256
#define DATA_SIZE 64
#define RECEIVE_BUFFER (8 << 20)

static volatile sig_atomic_t stopping;

static void stop(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int open_port(uint16_t port) {
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  if (fd < 0) fail("socket");
  int off = 0;
  int size = RECEIVE_BUFFER;
  struct timeval limit = {.tv_usec = 100000};
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  return fd;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: udp_sink PORT [SECONDS]\n");
    return 2;
  }
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  int fd = open_port((uint16_t)atoi(argv[1]));

  static uint8_t data[BATCH][DATA_SIZE];
  struct iovec parts[BATCH];
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){data[i], DATA_SIZE};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  printf("ready\n");
  fflush(stdout);

  uint64_t total = 0;
  uint64_t reported = 0;
  double start = now();
  double end = argc > 2 ? start + atof(argv[2]) : 0;
  double next_report = start + 1;
  while (!stopping && (end == 0 || now() < end)) {
    int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    if (received > 0) total += (uint64_t)received;
    else if (errno != EAGAIN && errno != EINTR) fail("recvmmsg");
    if (now() >= next_report) {
      printf("packets_per_second=%llu\n", (unsigned long long)(total - reported));
      fflush(stdout);
      reported = total;
      next_report += 1;
    }
  }
  printf("total=%llu seconds=%.3f\n", (unsigned long long)total, now() - start);
  return 0;
}
