/*
 * udp_flood ADDRESS PORT SECONDS [CONNECTIONS] [spoofed]: sends UDP over IPv4
 * as fast as one core can, in 64-byte Ethernet frames (18 bytes of data). With
 * port 0 each packet goes to another port. With "spoofed" each comes from
 * another address of 198.18.0.0/15 (RFC 2544), in no order.
 *
 * Each packet comes from another source port than the one before, CONNECTIONS
 * ports in turn (default 1). A raw socket does that without a socket a port,
 * and without a burst of one connection: a filter is never handed a packet of
 * a connection while it is busy with the one before. Needs CAP_NET_RAW.
 *
 * Prints one line: packets sent, times the kernel refused, seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BURST 64
#define DATA_SIZE 18
#define FIRST_SOURCE_PORT 10000
#define MAX_CONNECTIONS 50000
#define TIME_TO_LIVE 64
#define SPOOFED_NET 0xc6120000u
#define SPOOFED_BITS 0x1ffffu

/*
 * Everything that is 0 is the kernel's to fill in: source address unless it is spoofed, length, identification, header
 * checksum.
 */
struct packet {
  struct iphdr ip;
  struct udphdr udp;
  uint8_t data[DATA_SIZE];
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* xorshift: the same packets in each run. */
static uint32_t draw(void) {
  static uint64_t state = 88172645463325252u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 16);
}

int main(int argc, char **argv) {
  int connections = argc > 4 ? atoi(argv[4]) : 1;
  bool spoofed = argc == 6 && strcmp(argv[5], "spoofed") == 0;
  if (argc < 4 || argc > 6 || (argc == 6 && !spoofed) || connections < 1 || connections > MAX_CONNECTIONS) {
    fprintf(stderr, "usage: udp_flood ADDRESS PORT SECONDS [CONNECTIONS] [spoofed]\n");
    return 2;
  }
  uint16_t port = (uint16_t)atoi(argv[2]);
  struct sockaddr_in target = {.sin_family = AF_INET};
  if (inet_pton(AF_INET, argv[1], &target.sin_addr) != 1) {
    fprintf(stderr, "%s is not an IPv4 address\n", argv[1]);
    return 2;
  }
  int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (fd < 0) fail("socket");
  if (connect(fd, (struct sockaddr *)&target, sizeof target) < 0) fail("connect");

  struct packet packets[BURST];
  struct iovec parts[BURST];
  struct mmsghdr messages[BURST];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BURST; i++) {
    packets[i] = (struct packet){
        .ip = {.version = 4,
               .ihl = sizeof(struct iphdr) / 4,
               .ttl = TIME_TO_LIVE,
               .protocol = IPPROTO_UDP,
               .daddr = target.sin_addr.s_addr},
        /* UDP over IPv4 may go without a checksum. */
        .udp = {.dest = htons(port), .len = htons(sizeof(struct udphdr) + DATA_SIZE)},
    };
    parts[i] = (struct iovec){&packets[i], sizeof packets[i]};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  uint64_t sent = 0;
  uint64_t refused = 0;
  int next = 0;
  double start = now();
  double end = start + atof(argv[3]);
  while (now() < end) {
    for (int i = 0; i < BURST; i++) {
      packets[i].udp.source = htons((uint16_t)(FIRST_SOURCE_PORT + next));
      if (++next == connections) next = 0;
      if (spoofed) packets[i].ip.saddr = htonl(SPOOFED_NET | (draw() & SPOOFED_BITS));
      if (port == 0) packets[i].udp.dest = htons((uint16_t)(1 + draw() % 65535));
    }
    int count = sendmmsg(fd, messages, BURST, 0);
    if (count > 0) sent += (uint64_t)count;
    /* A full device queue, a firewall's drop, or an ICMP error from an earlier packet. */
    else if (errno == ENOBUFS || errno == EPERM || errno == ECONNREFUSED || errno == EINTR) refused++;
    else fail("sendmmsg");
  }
  printf("sent=%llu refused=%llu seconds=%.3f\n", (unsigned long long)sent, (unsigned long long)refused,
         now() - start);
  return 0;
}
