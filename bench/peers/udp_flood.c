/*
 * udp_flood ADDRESS PORT SECONDS [SOURCE_PORTS]: sends UDP as fast as one core
 * can, in datagrams that make 64-byte Ethernet frames over IPv4 (18 bytes of
 * data; 84-byte frames over IPv6).
 *
 * SOURCE_PORTS sockets (default 1) take turns, a burst each, so that many
 * connections are seen. Prints one line: packets sent, packets the kernel
 * refused, seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define BURST 64
#define DATA_SIZE 18
#define MAX_SOURCE_PORTS 50000

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int connect_to(const struct addrinfo *target) {
  int fd = socket(target->ai_family, SOCK_DGRAM, 0);
  if (fd < 0) fail("socket");
  if (connect(fd, target->ai_addr, target->ai_addrlen) < 0) fail("connect");
  return fd;
}

int main(int argc, char **argv) {
  int source_ports = argc > 4 ? atoi(argv[4]) : 1;
  if (argc < 4 || source_ports < 1 || source_ports > MAX_SOURCE_PORTS) {
    fprintf(stderr, "usage: udp_flood ADDRESS PORT SECONDS [SOURCE_PORTS]\n");
    return 2;
  }
  struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
  struct addrinfo *target;
  int problem = getaddrinfo(argv[1], argv[2], &hints, &target);
  if (problem != 0) {
    fprintf(stderr, "%s: %s\n", argv[1], gai_strerror(problem));
    return 2;
  }
  struct rlimit descriptors;
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  int *sockets = calloc((size_t)source_ports, sizeof *sockets);
  if (sockets == NULL) fail("calloc");
  for (int i = 0; i < source_ports; i++) sockets[i] = connect_to(target);

  uint8_t data[DATA_SIZE] = {0};
  struct iovec part = {data, sizeof data};
  struct mmsghdr messages[BURST];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BURST; i++) {
    messages[i].msg_hdr.msg_iov = &part;
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  uint64_t sent = 0;
  uint64_t refused = 0;
  double start = now();
  double end = start + atof(argv[3]);
  for (int turn = 0; now() < end; turn = (turn + 1) % source_ports) {
    int count = sendmmsg(sockets[turn], messages, BURST, 0);
    if (count > 0) sent += (uint64_t)count;
    /* A full device queue, a firewall's drop, or an ICMP error from an earlier packet. */
    else if (errno == ENOBUFS || errno == EPERM || errno == ECONNREFUSED || errno == EINTR) refused++;
    else fail("sendmmsg");
  }
  printf("sent=%llu refused=%llu seconds=%.3f\n", (unsigned long long)sent, (unsigned long long)refused,
         now() - start);
  return 0;
}
