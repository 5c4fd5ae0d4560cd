/*
 * Datagrams between unix sockets, with open descriptors on board (SCM_RIGHTS,
 * unix(7)): for sd_notify(3), and to hand queues from one process to another.
 * Node has neither.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "addon.h"
#include "javascript.h"

#define MAX_TEXT 512
#define MAX_PATH (sizeof(((struct sockaddr_un *)0)->sun_path))
#define MAX_DESCRIPTORS 64

struct datagram {
  char text[MAX_TEXT];
  size_t length;
  int descriptors[MAX_DESCRIPTORS];
  size_t count;
};

union control_buffer {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int) * MAX_DESCRIPTORS)];
};

static int write_address(struct sockaddr_un *address, socklen_t *length, const char *path, size_t path_length) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (path_length == 0 || path_length >= sizeof(address->sun_path)) return -EINVAL;
  memcpy(address->sun_path, path, path_length);
  /* A leading '@' names a socket in the abstract namespace. */
  if (path[0] == '@') address->sun_path[0] = 0;
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length);
  return 0;
}

static int send_datagram(const char *path, size_t path_length, const struct datagram *datagram) {
  struct sockaddr_un address;
  struct iovec part = {(void *)(uintptr_t)datagram->text, datagram->length};
  struct msghdr message = {.msg_name = &address, .msg_iov = &part, .msg_iovlen = 1};
  union control_buffer control = {0};
  int error = write_address(&address, &message.msg_namelen, path, path_length);
  if (error < 0) return error;
  if (datagram->count > 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * datagram->count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * datagram->count);
    memcpy(CMSG_DATA(header), datagram->descriptors, sizeof(int) * datagram->count);
  }
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int result = sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
  close(fd);
  return result;
}

/* Mode 0600 from the moment it has a name: bind takes it from the socket, less the umask. */
static int bind_datagram(const char *path, size_t path_length) {
  struct sockaddr_un address;
  socklen_t length;
  int error = write_address(&address, &length, path, path_length);
  if (error < 0) return error;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (fchmod(fd, S_IRUSR | S_IWUSR) == 0 && bind(fd, (struct sockaddr *)&address, length) == 0) return fd;
  error = -errno;
  close(fd);
  return error;
}

/* Of a datagram that does not fit nothing is kept. */
static int receive_datagram(int fd, struct datagram *datagram) {
  struct iovec part = {datagram->text, sizeof datagram->text};
  union control_buffer control = {0};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (received < 0) return -errno;
  datagram->length = (size_t)received;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    /* The control buffer has room for no more than this. */
    if (count > MAX_DESCRIPTORS - datagram->count) count = MAX_DESCRIPTORS - datagram->count;
    memcpy(datagram->descriptors + datagram->count, CMSG_DATA(header), count * sizeof(int));
    datagram->count += count;
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) return 0;
  for (size_t i = 0; i < datagram->count; i++) close(datagram->descriptors[i]);
  return -EMSGSIZE;
}

static size_t read_text(napi_env env, napi_value value, char *text, size_t size) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, text, size, &length);
  return length;
}

static void read_descriptors(napi_env env, napi_value array, struct datagram *datagram) {
  uint32_t count = 0;
  napi_get_array_length(env, array, &count);
  for (uint32_t i = 0; i < count && i < MAX_DESCRIPTORS; i++) {
    napi_value element;
    napi_get_element(env, array, i, &element);
    datagram->descriptors[datagram->count++] = (int)js_uint32(env, element);
  }
}

napi_value datagram_send(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  size_t count = 3;
  char path[MAX_PATH + 1];
  struct datagram datagram = {0};
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  size_t path_length = read_text(env, arguments[0], path, sizeof path);
  datagram.length = read_text(env, arguments[1], datagram.text, sizeof datagram.text);
  read_descriptors(env, arguments[2], &datagram);
  int result = send_datagram(path, path_length, &datagram);
  return result < 0 ? js_throw_errno(env, result, "sendmsg") : NULL;
}

napi_value datagram_bind(napi_env env, napi_callback_info info) {
  napi_value argument, result;
  size_t count = 1;
  char path[MAX_PATH + 1];
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  int fd = bind_datagram(path, read_text(env, argument, path, sizeof path));
  if (fd < 0) return js_throw_errno(env, fd, "bind");
  napi_create_int32(env, fd, &result);
  return result;
}

napi_value datagram_receive(napi_env env, napi_callback_info info) {
  napi_value argument, result, text, descriptors;
  size_t count = 1;
  struct datagram datagram = {0};
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  int error = receive_datagram((int)js_uint32(env, argument), &datagram);
  if (error < 0) return js_throw_errno(env, error, "recvmsg");
  napi_create_object(env, &result);
  napi_create_string_utf8(env, datagram.text, datagram.length, &text);
  napi_set_named_property(env, result, "text", text);
  napi_create_array_with_length(env, datagram.count, &descriptors);
  for (size_t i = 0; i < datagram.count; i++) {
    napi_value descriptor;
    napi_create_int32(env, datagram.descriptors[i], &descriptor);
    napi_set_element(env, descriptors, (uint32_t)i, descriptor);
  }
  napi_set_named_property(env, result, "descriptors", descriptors);
  return result;
}
