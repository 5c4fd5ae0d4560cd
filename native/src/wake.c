/* The wakeQueue of src/native/binding.ts. The list is the process's: a thread wakes another's queue. */
#include "wake.h"

#include <node_api.h>
#include <pthread.h>
#include <stddef.h>

#include "addon.h"
#include "javascript.h"
#include "netlink.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wake *all;
static uint32_t last_key;

void wake_begin(struct wake *wake, int fd) {
  wake->fd = fd;
  pthread_mutex_lock(&lock);
  wake->key = ++last_key;
  wake->next = all;
  all = wake;
  pthread_mutex_unlock(&lock);
}

void wake_end(struct wake *wake) {
  pthread_mutex_lock(&lock);
  for (struct wake **at = &all; *at != NULL; at = &(*at)->next) {
    if (*at != wake) continue;
    *at = wake->next;
    break;
  }
  pthread_mutex_unlock(&lock);
}

napi_value queue_wake(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value key;
  if (napi_get_cb_info(env, info, &count, &key, NULL, NULL) != napi_ok) return NULL;
  uint32_t wanted = js_uint32(env, key);
  struct nlmsghdr nothing = {
      .nlmsg_len = sizeof nothing, .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
  /* Held while sending: the descriptor cannot be closed, and become another file's, before. */
  pthread_mutex_lock(&lock);
  struct wake *wake = all;
  while (wake != NULL && wake->key != wanted) wake = wake->next;
  if (wake != NULL) {
    atomic_store(&wake->wanted, true);
    netlink_send(wake->fd, &nothing, sizeof nothing);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}
