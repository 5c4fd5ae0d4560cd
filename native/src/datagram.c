/* Datagrams Node cannot send: to a unix socket, for sd_notify(3), and over UDP with a packet mark. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "addon.h"
#include "javascript.h"

#define MAX_TEXT 512

static int send_datagram(const char *path, size_t path_length, const char *text, size_t text_length) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path_length == 0 || path_length >= sizeof(address.sun_path)) return -EINVAL;
  memcpy(address.sun_path, path, path_length);
  /* A leading '@' names a socket in the abstract namespace. */
  if (path[0] == '@') address.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length);
  ssize_t sent = sendto(fd, text, text_length, MSG_NOSIGNAL, (struct sockaddr *)&address, length);
  int result = sent < 0 ? -errno : 0;
  close(fd);
  return result;
}

napi_value datagram_send(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  size_t count = 2;
  char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
  char text[MAX_TEXT];
  size_t path_length = 0;
  size_t text_length = 0;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  napi_get_value_string_utf8(env, arguments[0], path, sizeof(path), &path_length);
  napi_get_value_string_utf8(env, arguments[1], text, sizeof(text), &text_length);
  int result = send_datagram(path, path_length, text, text_length);
  return result < 0 ? js_throw_errno(env, result, "sendto") : NULL;
}

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
