/*
 * Calling a thread out of a blocking read of its netfilter socket, from any
 * thread of the process.
 *
 * A call is remembered before anything is sent, so one that comes while the
 * thread is busy, or while its socket is full, is seen after the batch in
 * hand. What ends the wait is the kernel's answer to a message that asks it
 * for nothing: it goes to the socket the message came from, so no second
 * socket is read and none but the kernel need be listened to.
 */
#ifndef RAMPART_WAKE_H
#define RAMPART_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct wake {
  uint32_t key;
  int fd;
  atomic_bool wanted;
  struct wake *next;
};

/* From here on wakeQueue(wake->key) reaches `fd`, until wake_end, which comes before the descriptor is closed. */
void wake_begin(struct wake *wake, int fd);

/* Does nothing when there was no wake_begin. */
void wake_end(struct wake *wake);

/* Whether there was a call since the last one that was taken. */
static inline bool wake_take(struct wake *wake) {
  return atomic_load_explicit(&wake->wanted, memory_order_relaxed) && atomic_exchange(&wake->wanted, false);
}

#endif
