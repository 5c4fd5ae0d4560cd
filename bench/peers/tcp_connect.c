/*
 * New TCP connections a second, IPv4 and IPv6:
 *
 *   tcp_connect serve PORT                             accepts until SIGTERM
 *   tcp_connect dial ADDRESS PORT SECONDS IN_FLIGHT    connects and hangs up
 *
 * The dialler keeps IN_FLIGHT attempts under way. An attempt that ends in a
 * connection is counted and closed with a reset, so that neither side keeps
 * ports in TIME_WAIT, and the next one begins. Prints one line: connections,
 * failures (refused, reset or out of ports), seconds. An attempt nobody
 * answers occupies its place until the kernel gives up, and counts as nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256
#define BACKLOG 4096
#define WAIT_MILLISECONDS 100
#define MAX_IN_FLIGHT 1024

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

static void watch(int poller, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static int wait_for(int poller, struct epoll_event *events) {
  int count = epoll_wait(poller, events, EVENTS, WAIT_MILLISECONDS);
  if (count < 0 && errno != EINTR) fail("epoll_wait");
  return count < 0 ? 0 : count;
}

/* Connections stay until the dialler's reset ends them. */
static void accept_all(int poller, int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd >= 0) watch(poller, fd, EPOLLIN | EPOLLRDHUP);
    else if (errno == EAGAIN || errno == EMFILE) return;
    else if (errno != ECONNABORTED && errno != EINTR) fail("accept");
  }
}

static int serve(const char *port) {
  int listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (listener < 0) fail("socket");
  int on = 1;
  int off = 0;
  struct sockaddr_in6 address = {
      .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port)), .sin6_addr = in6addr_any};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  if (listen(listener, BACKLOG) < 0) fail("listen");
  int poller = epoll_create1(0);
  if (poller < 0) fail("epoll_create1");
  watch(poller, listener, EPOLLIN);
  printf("ready\n");
  fflush(stdout);
  while (!stopping) {
    struct epoll_event events[EVENTS];
    int count = wait_for(poller, events);
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == listener) accept_all(poller, listener);
      else close(events[i].data.fd);
    }
  }
  return 0;
}

/* Begins an attempt; 0 when the kernel would not even try. */
static int begin(int poller, const struct addrinfo *target) {
  int fd = socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket");
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (connect(fd, target->ai_addr, target->ai_addrlen) < 0 && errno != EINPROGRESS) {
    close(fd);
    return 0;
  }
  watch(poller, fd, EPOLLOUT);
  return 1;
}

static int dial(char **argv) {
  int wanted = atoi(argv[3]);
  if (wanted < 1 || wanted > MAX_IN_FLIGHT) {
    fprintf(stderr, "IN_FLIGHT is from 1 to %d\n", MAX_IN_FLIGHT);
    return 2;
  }
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
  struct addrinfo *target;
  int problem = getaddrinfo(argv[0], argv[1], &hints, &target);
  if (problem != 0) {
    fprintf(stderr, "%s: %s\n", argv[0], gai_strerror(problem));
    return 2;
  }
  int poller = epoll_create1(0);
  if (poller < 0) fail("epoll_create1");
  uint64_t connections = 0;
  uint64_t failures = 0;
  int in_flight = 0;
  double start = now();
  double end = start + atof(argv[2]);
  while (!stopping && now() < end) {
    /* What fails at once is tried again only after the next look at the others. */
    for (int missing = wanted - in_flight; missing > 0; missing--) {
      if (begin(poller, target)) in_flight++;
      else failures++;
    }
    struct epoll_event events[EVENTS];
    int count = wait_for(poller, events);
    for (int i = 0; i < count; i++) {
      if (events[i].events & (EPOLLERR | EPOLLHUP)) failures++;
      else connections++;
      close(events[i].data.fd);
      in_flight--;
    }
  }
  printf("connections=%llu failures=%llu seconds=%.3f\n", (unsigned long long)connections,
         (unsigned long long)failures, now() - start);
  return 0;
}

int main(int argc, char **argv) {
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  struct rlimit descriptors;
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(argv[2]);
  if (argc == 6 && strcmp(argv[1], "dial") == 0) return dial(argv + 2);
  fprintf(stderr, "usage: tcp_connect serve PORT | dial ADDRESS PORT SECONDS IN_FLIGHT\n");
  return 2;
}
