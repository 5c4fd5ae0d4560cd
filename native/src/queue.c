/*
 * The NativeQueue of src/native/binding.ts: batches in, verdicts out.
 *
 * Every packet that was read gets exactly one verdict: from JavaScript, or
 * DROP when that threw, when the message was unusable, or when the code it left
 * is none we know. The only exception is HOLD, which JavaScript asked for.
 *
 * A queue is read in one of two ways: by start() from the event loop, or by
 * nextBatch(), which waits here, for a thread that does nothing else.
 */
#include "queue.h"

#include <errno.h>
/* Before linux/netfilter.h, which then leaves these definitions to libc. */
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/sock_diag.h>
#include <node_api.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "addon.h"
#include "event_source.h"
#include "javascript.h"
#include "netlink.h"
#include "queue_batch.h"
#include "wake.h"

#define VERDICT_HOLD 255
/* What is taken in one wake-up, so that timers and messages of the same thread get their turn. */
#define BATCHES_PER_WAKEUP 64
#define PACKETS_PER_WAKEUP 512
/* From here on a batch pays for its system calls, and waiting for more would only delay it. */
#define LARGE_BATCH 64
/* Nanoseconds by which the kernel may prolong this thread's sleeps; 50,000 unless told. */
#define TIMER_SLACK 1000

static const napi_type_tag QUEUE_TAG = {0x7f3a1c2e5b804d61, 0x9d0e6b7341fa2c58};

struct queue {
  struct event_source source;
  struct wake wake;
  /* Of nextBatch(): milliseconds a read waits, as set on the socket; when the event loop has its turn, 0 after it. */
  uint32_t patience;
  uint64_t turn_end;
  /* The batch that nextBatch() returned: its messages, its packets, and the bytes of verdicts written before. */
  uint32_t received;
  uint32_t in_hand;
  size_t verdict_length;
  struct queue_options options;
  struct packet_batch batch;
  napi_ref batch_object;
  size_t slot_size;
  struct mmsghdr messages[QUEUE_BATCH_LIMIT];
  struct iovec slots[QUEUE_BATCH_LIMIT];
  _Alignas(struct nlmsghdr) uint8_t verdicts[QUEUE_BATCH_LIMIT * QUEUE_VERDICT_SIZE];
  uint32_t receive_buffer;
  /* A packet may be in the queue that none of our messages named: held by the callback, or not understood. */
  bool waiting;
  /* Another reader had the socket before; what it read and did not answer still waits in the kernel. */
  bool inherited;
  /* Id of the packet read last, once there was one. */
  bool ordered;
  uint32_t last_id;
  uint64_t packet_count;
  uint64_t batch_count;
  uint64_t truncated;
  uint64_t malformed;
  uint64_t verdict_errors;
  uint64_t unanswered;
};

/* Whether packet id `a` was given out after `b`; ids wrap. */
static bool id_follows(uint32_t a, uint32_t b) {
  return (int32_t)(a - b) > 0;
}

static bool known_verdict(uint8_t verdict) {
  return verdict == NF_DROP || verdict == NF_ACCEPT || verdict == NF_QUEUE || verdict == NF_REPEAT;
}

/* Whether packet `i` may have the verdict of the packet before it by the same message. */
static bool same_answer(const struct packet_batch *batch, uint32_t i) {
  bool marked = batch->verdict_mark[i] != batch->mark[i];
  return batch->verdict[i] == batch->verdict[i - 1] && batch->verdict_mark[i] == batch->verdict_mark[i - 1] &&
         marked == (batch->verdict_mark[i - 1] != batch->mark[i - 1]) && id_follows(batch->id[i], batch->id[i - 1]);
}

/*
 * Appends the verdicts of `count` packets after `length` bytes; returns the new length. A run of packets with one
 * answer takes one message, which the kernel applies to all packets up to an id that still wait, so it is sent only
 * while every older packet is known to have its verdict.
 */
static size_t write_verdicts(struct queue *queue, uint32_t count, size_t length) {
  const struct packet_batch *batch = &queue->batch;
  for (uint32_t i = 0; i < count; i++) {
    if (batch->verdict[i] == VERDICT_HOLD) queue->waiting = true;
    else if (!known_verdict(batch->verdict[i])) {
      batch->verdict[i] = NF_DROP;
      queue->unanswered++;
    }
  }
  for (uint32_t first = 0, end; first < count; first = end) {
    end = first + 1;
    uint8_t verdict = batch->verdict[first];
    if (verdict == VERDICT_HOLD) continue;
    if (!queue->waiting) while (end < count && same_answer(batch, end)) end++;
    bool marked = verdict != NF_DROP && batch->verdict_mark[first] != batch->mark[first];
    length += queue_write_verdict(queue->verdicts + length, queue->options.queue, batch->id[end - 1], verdict,
                                  marked ? &batch->verdict_mark[first] : NULL, end - first > 1);
  }
  return length;
}

static void send_verdicts(struct queue *queue, size_t length, uint32_t count) {
  if (length > 0 && netlink_send(queue->source.fd, queue->verdicts, length) < 0) queue->verdict_errors += count;
}

/*
 * Drops what was read by the reader before us, which ended without answering: ids are given out in order, so it is
 * all that is older than the first packet we read. Dropped and not asked about again, because one of them may be what
 * that reader fell over. Where there is none, the kernel answers ENOENT.
 */
static void drop_leftovers(struct queue *queue, uint32_t first_id) {
  _Alignas(struct nlmsghdr) uint8_t message[QUEUE_VERDICT_SIZE];
  size_t length = queue_write_verdict(message, queue->options.queue, first_id - 1, NF_DROP, NULL, true);
  if (netlink_send(queue->source.fd, message, length) < 0) queue->verdict_errors++;
  queue->inherited = false;
}

/* Packets without a verdict of ours, or out of order, end the sending of one message for many. */
static void note_order(struct queue *queue, enum queue_message kind, uint32_t index) {
  uint32_t id = queue->batch.id[index];
  if (queue->inherited && kind != QUEUE_UNRECOGNIZED) drop_leftovers(queue, id);
  if (kind == QUEUE_UNRECOGNIZED || (queue->ordered && !id_follows(id, queue->last_id))) queue->waiting = true;
  queue->ordered = true;
  queue->last_id = id;
}

/* Sorts `received` datagrams: packets to the front of the batch, DROP at once for those without bytes. */
static uint32_t read_messages(struct queue *queue, uint32_t received, size_t *verdict_length) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < received; i++) {
    bool cut = queue->messages[i].msg_hdr.msg_flags & MSG_TRUNC;
    enum queue_message kind =
        queue_read_message(&queue->batch, count, i * queue->slot_size, queue->messages[i].msg_len);
    if (kind == QUEUE_WAKE) continue;
    if (kind != QUEUE_REFUSED) note_order(queue, kind, count);
    if (kind == QUEUE_PACKET && !cut) {
      count++;
    } else if (kind == QUEUE_REFUSED) {
      queue->verdict_errors++;
    } else {
      if (cut) queue->truncated++;
      else queue->malformed++;
      if (kind != QUEUE_UNRECOGNIZED)
        *verdict_length += queue_write_verdict(queue->verdicts + *verdict_length, queue->options.queue,
                                               queue->batch.id[count], NF_DROP, NULL, false);
    }
  }
  return count;
}

/* Presets the answers of `count` packets that JavaScript is to see. */
static void hand_over(struct queue *queue, uint32_t count) {
  memset(queue->batch.verdict, NF_DROP, count);
  memcpy(queue->batch.verdict_mark, queue->batch.mark, count * sizeof(uint32_t));
  queue->packet_count += count;
  queue->batch_count++;
}

static void deliver(struct queue *queue, uint32_t count, size_t verdict_length) {
  struct event_source *source = &queue->source;
  napi_env env = source->env;
  napi_handle_scope scope;
  napi_value js_count;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  hand_over(queue, count);
  bool answered = napi_create_uint32(env, count, &js_count) == napi_ok && event_source_call(source, 1, &js_count);
  /* Closing inside the callback gave the packets back to the kernel, which dropped them. */
  if (!source->closed) {
    if (!answered) {
      memset(queue->batch.verdict, NF_DROP, count);
      queue->unanswered += count;
    }
    send_verdicts(queue, write_verdicts(queue, count, verdict_length), count);
  }
  if (!answered) event_source_report(source);
  napi_close_handle_scope(env, scope);
}

/*
 * After packets that came close together, a short sleep: those that follow are read in one batch, and their senders
 * wake nobody. A packet that comes alone is never made to wait.
 */
static void gather(const struct queue *queue, uint32_t received) {
  if (queue->options.gather == 0 || received < 2 || received >= LARGE_BATCH) return;
  struct timespec pause = {.tv_nsec = (long)queue->options.gather * 1000};
  nanosleep(&pause, NULL);
}

static void on_readable(struct event_source *source) {
  struct queue *queue = (struct queue *)source;
  uint32_t batch = queue->options.batch;
  uint32_t taken = 0;
  for (int round = 0; round < BATCHES_PER_WAKEUP && taken < PACKETS_PER_WAKEUP; round++) {
    int received = recvmmsg(source->fd, queue->messages, batch, MSG_DONTWAIT, NULL);
    if (received < 0) {
      /* A pending error is reported once and hides the messages behind it. */
      if (errno == EINTR || errno == ENOBUFS) continue;
      return;
    }
    size_t verdict_length = 0;
    uint32_t count = read_messages(queue, (uint32_t)received, &verdict_length);
    if (count > 0) deliver(queue, count, verdict_length);
    else send_verdicts(queue, verdict_length, 1);
    if (source->closed) return;
    taken += (uint32_t)received;
    gather(queue, (uint32_t)received);
  }
}

static uint64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void wait_at_most(struct queue *queue, uint32_t patience) {
  if (patience == queue->patience) return;
  struct timeval limit = {.tv_sec = patience / 1000, .tv_usec = (suseconds_t)(patience % 1000) * 1000};
  setsockopt(queue->source.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  queue->patience = patience;
}

static void answer_in_hand(struct queue *queue) {
  if (queue->in_hand == 0) return;
  send_verdicts(queue, write_verdicts(queue, queue->in_hand, queue->verdict_length), queue->in_hand);
  queue->in_hand = 0;
  gather(queue, queue->received);
}

/* The packets of the next batch; 0 when it is the event loop's turn. */
static uint32_t next_batch(struct queue *queue, uint32_t patience) {
  answer_in_hand(queue);
  wait_at_most(queue, patience);
  uint64_t now = milliseconds();
  if (queue->turn_end == 0) queue->turn_end = now + patience;
  for (; now < queue->turn_end && !wake_take(&queue->wake); now = milliseconds()) {
    int received = recvmmsg(queue->source.fd, queue->messages, queue->options.batch, MSG_WAITFORONE, NULL);
    if (received < 0) {
      /* A signal, such as a profiler's, or a pending error; otherwise there was nothing in all that time. */
      if (errno == EINTR || errno == ENOBUFS) continue;
      break;
    }
    queue->received = (uint32_t)received;
    queue->verdict_length = 0;
    queue->in_hand = read_messages(queue, queue->received, &queue->verdict_length);
    if (queue->in_hand > 0) {
      hand_over(queue, queue->in_hand);
      return queue->in_hand;
    }
    send_verdicts(queue, queue->verdict_length, 1);
  }
  queue->turn_end = 0;
  return 0;
}

static napi_value queue_next_batch(napi_env env, napi_callback_info info) {
  size_t argument_count = 1;
  napi_value patience, count;
  void *data;
  if (napi_get_cb_info(env, info, &argument_count, &patience, NULL, &data) != napi_ok) return NULL;
  struct queue *queue = data;
  if (queue->source.started) return js_throw(env, "ERR_INVALID_STATE", "the event loop reads this queue");
  uint32_t packets = queue->source.closed ? 0 : next_batch(queue, js_uint32(env, patience));
  return napi_create_uint32(env, packets, &count) == napi_ok ? count : NULL;
}

/*
 * nextBatch knows its queue by itself: a look into the receiver takes as long as all else it does in JavaScript's
 * time. So the function keeps the queue's object, which owns the memory.
 */
static void set_next_batch(napi_env env, napi_value object, struct queue *queue) {
  napi_value function;
  if (napi_create_function(env, "nextBatch", NAPI_AUTO_LENGTH, queue_next_batch, queue, &function) != napi_ok) return;
  napi_property_descriptor owner = {.utf8name = "queue", .value = object, .attributes = napi_default};
  if (napi_define_properties(env, function, 1, &owner) == napi_ok)
    napi_set_named_property(env, object, "nextBatch", function);
}

static napi_value queue_start(napi_env env, napi_callback_info info) {
  napi_value callback, self;
  struct queue *queue = js_receiver(env, info, &QUEUE_TAG, 1, &callback);
  if (queue == NULL) return NULL;
  if (queue->source.closed) return js_throw(env, "ERR_INVALID_STATE", "the queue is closed");
  if (queue->source.started) return js_throw(env, "ERR_INVALID_STATE", "the queue was started before");
  napi_get_cb_info(env, info, NULL, NULL, &self, NULL);
  int error = event_source_start(&queue->source, self, callback, "RampartQueue");
  return error < 0 ? js_throw_errno(env, error, "uv_poll_start") : NULL;
}

static napi_value queue_pause(napi_env env, napi_callback_info info) {
  struct queue *queue = js_receiver(env, info, &QUEUE_TAG, 0, NULL);
  if (queue != NULL) event_source_pause(&queue->source);
  return NULL;
}

static napi_value queue_resume(napi_env env, napi_callback_info info) {
  struct queue *queue = js_receiver(env, info, &QUEUE_TAG, 0, NULL);
  if (queue == NULL) return NULL;
  queue->inherited = true;
  event_source_resume(&queue->source);
  return NULL;
}

static napi_value queue_send(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  struct queue *queue = js_receiver(env, info, &QUEUE_TAG, 3, arguments);
  if (queue == NULL || queue->source.closed) return NULL;
  uint32_t verdict = js_uint32(env, arguments[1]);
  uint32_t mark = js_uint32(env, arguments[2]);
  if (verdict > UINT8_MAX || !known_verdict((uint8_t)verdict)) verdict = NF_DROP;
  /* Not the batch's buffer: this may be called from inside the callback. */
  _Alignas(struct nlmsghdr) uint8_t message[QUEUE_VERDICT_SIZE];
  size_t length = queue_write_verdict(message, queue->options.queue, js_uint32(env, arguments[0]), verdict, &mark,
                                      false);
  if (netlink_send(queue->source.fd, message, length) < 0) queue->verdict_errors++;
  return NULL;
}

/* Packets the kernel could not put into the socket; survives NETLINK_NO_ENOBUFS, needs no right to read /proc. */
static uint32_t receive_drops(int fd) {
  uint32_t memory[SK_MEMINFO_VARS] = {0};
  socklen_t size = sizeof memory;
  return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) == 0 ? memory[SK_MEMINFO_DROPS] : 0;
}

static napi_value queue_stats(napi_env env, napi_callback_info info) {
  struct queue *queue = js_receiver(env, info, &QUEUE_TAG, 0, NULL);
  napi_value stats;
  if (queue == NULL || napi_create_object(env, &stats) != napi_ok) return NULL;
  js_set_double(env, stats, "packets", (double)queue->packet_count);
  js_set_double(env, stats, "batches", (double)queue->batch_count);
  js_set_double(env, stats, "enobufs", queue->source.closed ? 0 : receive_drops(queue->source.fd));
  js_set_double(env, stats, "truncated", (double)queue->truncated);
  js_set_double(env, stats, "malformed", (double)queue->malformed);
  js_set_double(env, stats, "verdictErrors", (double)queue->verdict_errors);
  js_set_double(env, stats, "unanswered", (double)queue->unanswered);
  js_set_double(env, stats, "receiveBuffer", queue->receive_buffer);
  return stats;
}

static napi_value queue_close(napi_env env, napi_callback_info info) {
  struct queue *queue = js_receiver(env, info, &QUEUE_TAG, 0, NULL);
  if (queue != NULL) event_source_close(&queue->source);
  return NULL;
}

static void on_close(struct event_source *source) {
  struct queue *queue = (struct queue *)source;
  wake_end(&queue->wake);
  if (queue->batch_object != NULL) napi_delete_reference(source->env, queue->batch_object);
  queue->batch_object = NULL;
}

static void on_free(struct event_source *source) {
  free(source);
}

static void point_at_slots(struct queue *queue) {
  for (uint32_t i = 0; i < queue->options.batch; i++) {
    queue->slots[i] = (struct iovec){queue->batch.slab + i * queue->slot_size, queue->slot_size};
    queue->messages[i].msg_hdr = (struct msghdr){.msg_iov = &queue->slots[i], .msg_iovlen = 1};
  }
}

static struct queue_options read_options(napi_env env, napi_value object) {
  return (struct queue_options){
      .queue = (uint16_t)js_option_uint32(env, object, "queue"),
      .descriptor = js_option_descriptor(env, object, "descriptor"),
      .copy_range = js_option_uint32(env, object, "copyRange"),
      .max_length = js_option_uint32(env, object, "maxLength"),
      .receive_buffer = js_option_uint32(env, object, "receiveBuffer"),
      .batch = js_option_uint32(env, object, "batch"),
      .gather = js_option_uint32(env, object, "gather"),
      .gso = js_option_bool(env, object, "gso"),
      .fail_open = js_option_bool(env, object, "failOpen"),
      .uid_gid = js_option_bool(env, object, "uidGid"),
      .conntrack = js_option_bool(env, object, "conntrack"),
  };
}

napi_value queue_open(napi_env env, napi_callback_info info) {
  size_t argument_count = 1;
  napi_value options, object, batch_object, has_conntrack, wake_key;
  if (napi_get_cb_info(env, info, &argument_count, &options, NULL, NULL) != napi_ok) return NULL;
  int inherited = js_option_descriptor(env, options, "descriptor");
  int fd = inherited < 0 ? netlink_open(NETLINK_NETFILTER, 0, 0) : netlink_adopt(inherited, NETLINK_NETFILTER);
  if (fd < 0) return js_throw_errno(env, fd, "nfqueue socket");
  struct queue *queue = calloc(1, sizeof *queue);
  object = queue == NULL ? NULL : js_wrap(env, queue, event_source_finalize, &QUEUE_TAG);
  if (object == NULL) {
    close(fd);
    free(queue);
    return js_throw_errno(env, -ENOMEM, "nfqueue open");
  }
  /* From here on the wrapped object owns everything; a throw leaves the rest to close and to its finalizer. */
  event_source_init(&queue->source, env, fd);
  queue->source.on_readable = on_readable;
  queue->source.on_close = on_close;
  queue->source.on_free = on_free;
  queue->options = read_options(env, options);
  queue->inherited = queue->options.descriptor >= 0;
  queue->slot_size = (queue->options.copy_range + QUEUE_MESSAGE_OVERHEAD + 63) & ~(size_t)63;
  if (!queue_create_batch(env, &queue->batch, queue->options.batch, queue->slot_size, &batch_object) ||
      napi_create_reference(env, batch_object, 1, &queue->batch_object) != napi_ok) {
    event_source_close(&queue->source);
    return js_throw_errno(env, -ENOMEM, "nfqueue open");
  }
  point_at_slots(queue);
  if (queue->options.gather > 0) prctl(PR_SET_TIMERSLACK, TIMER_SLACK);
  queue->receive_buffer = (uint32_t)netlink_set_receive_buffer(fd, (int)queue->options.receive_buffer);
  /* Otherwise one overflow makes the kernel refuse every packet until the socket has been read empty. */
  int on = 1;
  setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on);
  bool conntrack = false;
  int error = queue_configure(fd, &queue->options, &conntrack);
  if (error < 0) {
    event_source_close(&queue->source);
    return js_throw_errno(env, error, "nfqueue bind");
  }
  napi_get_boolean(env, conntrack, &has_conntrack);
  napi_set_named_property(env, object, "hasConntrack", has_conntrack);
  napi_set_named_property(env, object, "batch", batch_object);
  js_set_double(env, object, "descriptor", fd);
  wake_begin(&queue->wake, fd);
  napi_create_uint32(env, queue->wake.key, &wake_key);
  napi_set_named_property(env, object, "wakeKey", wake_key);
  js_set_method(env, object, "start", queue_start);
  js_set_method(env, object, "pause", queue_pause);
  js_set_method(env, object, "resume", queue_resume);
  js_set_method(env, object, "send", queue_send);
  js_set_method(env, object, "stats", queue_stats);
  js_set_method(env, object, "close", queue_close);
  /* The last: V8's profiler knows all functions of an addon by one name, that of the newest. */
  set_next_batch(env, object, queue);
  return object;
}
