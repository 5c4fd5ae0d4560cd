/* A UDP datagram with a packet mark (SO_MARK, socket(7)), which Node cannot send. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"
#include "javascript.h"

/* SO_MARK takes CAP_NET_ADMIN or CAP_NET_RAW in the owner of the network namespace. */
static int send_marked(uint32_t address, uint16_t port, uint32_t mark, const void *payload, size_t length) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int result = 0;
  if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0) {
    result = -errno;
  } else if (sendto(fd, payload, length, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)) < 0) {
    result = -errno;
  }
  close(fd);
  return result;
}

napi_value datagram_send_marked(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  size_t count = 4;
  void *payload = NULL;
  size_t length = 0;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  napi_get_typedarray_info(env, arguments[3], NULL, &length, &payload, NULL, NULL);
  uint32_t address = js_uint32(env, arguments[0]);
  uint16_t port = (uint16_t)js_uint32(env, arguments[1]);
  int result = send_marked(address, port, js_uint32(env, arguments[2]), payload, length);
  return result < 0 ? js_throw_errno(env, result, "sendto") : NULL;
}
