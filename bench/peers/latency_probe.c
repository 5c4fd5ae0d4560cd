/*
 * How long a connection's first packet takes, IPv4:
 *
 *   latency_probe serve PORT                      answers every datagram until SIGTERM
 *   latency_probe ask ADDRESS PORT SECONDS PAUSE  asks from a new source port each time
 *   latency_probe connect ADDRESS PORT SECONDS PAUSE  opens TCP connections in place of questions
 *
 * One question is in flight at a time. Each comes from a port of its own, so
 * each is the first packet of a connection and must be judged. The socket is
 * made and bound before the clock starts. A question that has no answer within
 * a second is lost, a connection that has none within eight, so that the time
 * of one whose SYN was sent again counts. Connections end with a reset. Between
 * questions the asker sleeps PAUSE microseconds, 0 for not at all.
 *
 * Prints one line: answers, lost, and of the round trips in microseconds the
 * median, the 99th percentile and the longest.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FIRST_SOURCE_PORT 10000
#define SOURCE_PORTS 50000
#define MAX_SAMPLES (1 << 22)

static volatile sig_atomic_t stopping;

static void stop(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int serve(uint16_t port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  printf("ready\n");
  fflush(stdout);
  while (!stopping) {
    char data[64];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t length = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &size);
    if (length >= 0) sendto(fd, data, (size_t)length, 0, (struct sockaddr *)&from, size);
  }
  return 0;
}

/* A socket from the next free source port; one for datagrams is connected. */
static int next_socket(const struct sockaddr_in *target, int type) {
  static uint32_t turn;
  struct timeval limit = {.tv_sec = type == SOCK_DGRAM ? 1 : 8};
  struct linger reset = {.l_onoff = 1};
  for (int attempt = 0; attempt < SOURCE_PORTS; attempt++) {
    int fd = socket(AF_INET, type, 0);
    if (fd < 0) fail("socket");
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(FIRST_SOURCE_PORT + turn++ % SOURCE_PORTS)};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (bind(fd, (struct sockaddr *)&own, sizeof own) == 0) {
      if (type == SOCK_DGRAM && connect(fd, (const struct sockaddr *)target, sizeof *target) < 0) fail("connect");
      return fd;
    }
    close(fd);
  }
  fprintf(stderr, "no source port is free\n");
  exit(1);
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a;
  uint32_t y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* Whether the target has answered a question, or taken a connection. */
static bool answered(int fd, const struct sockaddr_in *target, int type) {
  if (type == SOCK_STREAM) return connect(fd, (const struct sockaddr *)target, sizeof *target) == 0;
  char data[18] = "first";
  return send(fd, data, sizeof data, 0) >= 0 && recv(fd, data, sizeof data, 0) >= 0;
}

static int ask(char **argv, int type) {
  struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  if (inet_pton(AF_INET, argv[0], &target.sin_addr) != 1) {
    fprintf(stderr, "%s is not an IPv4 address\n", argv[0]);
    return 2;
  }
  useconds_t rest = (useconds_t)atoi(argv[3]);
  uint32_t *samples = malloc(MAX_SAMPLES * sizeof *samples);
  if (samples == NULL) fail("malloc");
  size_t count = 0;
  size_t lost = 0;
  uint64_t end = nanoseconds() + (uint64_t)(atof(argv[2]) * 1e9);
  while (!stopping && count < MAX_SAMPLES) {
    int fd = next_socket(&target, type);
    uint64_t start = nanoseconds();
    if (start >= end) break;
    bool done = answered(fd, &target, type);
    uint64_t taken = nanoseconds() - start;
    if (done) samples[count++] = (uint32_t)taken;
    else if (!stopping) lost++;
    close(fd);
    if (rest > 0) usleep(rest);
  }
  qsort(samples, count, sizeof *samples, ascending);
  double at[3] = {0};
  if (count > 0) {
    at[0] = samples[count / 2] / 1e3;
    at[1] = samples[count * 99 / 100] / 1e3;
    at[2] = samples[count - 1] / 1e3;
  }
  printf("answers=%zu lost=%zu median=%.3f p99=%.3f longest=%.3f\n", count, lost, at[0], at[1], at[2]);
  return 0;
}

int main(int argc, char **argv) {
  /* Without SA_RESTART, so that a signal ends the wait. */
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve((uint16_t)atoi(argv[2]));
  if (argc == 6 && strcmp(argv[1], "ask") == 0) return ask(argv + 2, SOCK_DGRAM);
  if (argc == 6 && strcmp(argv[1], "connect") == 0) return ask(argv + 2, SOCK_STREAM);
  fprintf(stderr, "usage: latency_probe serve PORT | ask|connect ADDRESS PORT SECONDS PAUSE\n");
  return 2;
}
