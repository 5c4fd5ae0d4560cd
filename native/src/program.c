/*
 * runProgram(path, args, environment, input, timeoutMilliseconds, onEnd): a
 * program with its three standard streams as pipes, started by posix_spawn,
 * which shares the memory until the program is loaded instead of copying its
 * map as fork does. Streams and end are waited for in a thread of the pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <node_api.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "addon.h"
#include "javascript.h"

#define READ_SIZE 65536

struct text {
  char *data;
  size_t length;
  size_t capacity;
};

struct program {
  napi_async_work work;
  napi_ref on_end;
  pid_t pid;
  int input_fd; /* -1 once all is written */
  int output_fds[2];
  struct text input;
  size_t written;
  struct text outputs[2];
  int64_t deadline; /* milliseconds */
  bool timed_out;
  int status; /* of waitpid */
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void free_program(struct program *program) {
  close_fd(&program->input_fd);
  close_fd(&program->output_fds[0]);
  close_fd(&program->output_fds[1]);
  free(program->input.data);
  free(program->outputs[0].data);
  free(program->outputs[1].data);
  free(program);
}

/* A copy that ends with a zero byte, which is not counted; data is NULL without memory. */
static struct text text_of(napi_env env, napi_value value) {
  struct text text = {0};
  napi_get_value_string_utf8(env, value, NULL, 0, &text.length);
  text.data = malloc(text.length + 1);
  if (text.data == NULL) return text;
  text.data[0] = 0;
  napi_get_value_string_utf8(env, value, text.data, text.length + 1, &text.length);
  return text;
}

static void free_list(char **list) {
  if (list == NULL) return;
  for (char **item = list; *item != NULL; item++) free(*item);
  free(list);
}

/* The strings of an array behind `first`, NULL at the end; NULL without memory. */
static char **list_of(napi_env env, const char *first, napi_value array) {
  uint32_t count = 0;
  napi_get_array_length(env, array, &count);
  char **list = calloc((size_t)count + 2, sizeof *list);
  if (list == NULL) return NULL;
  char **item = list;
  bool complete = first == NULL || (*item++ = strdup(first)) != NULL;
  for (uint32_t i = 0; i < count && complete; i++) {
    napi_value value;
    napi_get_element(env, array, i, &value);
    *item = text_of(env, value).data;
    complete = *item++ != NULL;
  }
  if (complete) return list;
  free_list(list);
  return NULL;
}

/* Reads what there is; closes the stream at its end. */
static void read_output(int *fd, struct text *text) {
  if (text->capacity - text->length < READ_SIZE) {
    size_t capacity = text->capacity * 2 + READ_SIZE;
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
      close_fd(fd);
      return;
    }
    text->data = data;
    text->capacity = capacity;
  }
  ssize_t count = read(*fd, text->data + text->length, READ_SIZE);
  if (count > 0) text->length += (size_t)count;
  else if (count == 0 || (errno != EINTR && errno != EAGAIN)) close_fd(fd);
}

/* A program that ends without reading its input is judged by its status; Node ignores SIGPIPE. */
static void write_input(struct program *program) {
  const struct text *input = &program->input;
  ssize_t count = write(program->input_fd, input->data + program->written, input->length - program->written);
  if (count > 0) program->written += (size_t)count;
  if (program->written == input->length || (count < 0 && errno != EINTR && errno != EAGAIN)) close_fd(&program->input_fd);
}

/* Waits for one of the descriptors; false when the time is over. */
static bool wait_for(struct program *program, struct pollfd *fds, nfds_t count) {
  int64_t left = program->deadline - now();
  return left > 0 && (poll(fds, count, (int)left) != 0 || program->deadline > now());
}

/* In a thread of the pool. */
static void serve(napi_env env, void *data) {
  (void)env;
  struct program *program = data;
  if (program->input.length == 0) close_fd(&program->input_fd);
  while (program->output_fds[0] >= 0 || program->output_fds[1] >= 0) {
    struct pollfd fds[] = {{.fd = program->output_fds[0], .events = POLLIN},
                           {.fd = program->output_fds[1], .events = POLLIN},
                           {.fd = program->input_fd, .events = POLLOUT}};
    if (!wait_for(program, fds, 3)) {
      program->timed_out = true;
      break;
    }
    for (int i = 0; i < 2; i++)
      if (fds[i].fd >= 0 && fds[i].revents != 0) read_output(&program->output_fds[i], &program->outputs[i]);
    if (fds[2].fd >= 0 && fds[2].revents != 0) write_input(program);
  }
  /* It may go on behind closed streams. */
  int pidfd = (int)syscall(SYS_pidfd_open, program->pid, 0);
  struct pollfd end = {.fd = pidfd, .events = POLLIN};
  while (pidfd >= 0 && !program->timed_out && end.revents == 0)
    if (!wait_for(program, &end, 1)) program->timed_out = true;
  close_fd(&pidfd);
  if (program->timed_out) kill(program->pid, SIGKILL);
  while (waitpid(program->pid, &program->status, 0) < 0 && errno == EINTR) continue;
}

static void tell(napi_env env, napi_status status, void *data) {
  struct program *program = data;
  napi_value arguments[4], function, receiver;
  if (status == napi_ok) {
    if (WIFEXITED(program->status)) napi_create_int32(env, WEXITSTATUS(program->status), &arguments[0]);
    else napi_get_null(env, &arguments[0]);
    for (int i = 0; i < 2; i++)
      napi_create_string_utf8(env, program->outputs[i].data == NULL ? "" : program->outputs[i].data,
                              program->outputs[i].length, &arguments[1 + i]);
    napi_get_boolean(env, program->timed_out, &arguments[3]);
    if (napi_get_reference_value(env, program->on_end, &function) == napi_ok &&
        napi_get_undefined(env, &receiver) == napi_ok)
      napi_call_function(env, receiver, function, 4, arguments, NULL);
  }
  napi_delete_reference(env, program->on_end);
  napi_delete_async_work(env, program->work);
  free_program(program);
}

/* 0, or a negative errno with nothing started. Descriptors of ours close themselves in the program. */
static int start(struct program *program, const char *path, char **args, char **environment) {
  int pipes[3][2];
  int open_pipes = 0;
  int error = 0;
  for (; open_pipes < 3 && error == 0; open_pipes += error == 0)
    if (pipe2(pipes[open_pipes], O_CLOEXEC) < 0) error = -errno;
  if (error == 0) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    /* Signals as a program expects to find them, not as Node has set them. */
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_adddup2(&actions, pipes[0][0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes[1][1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes[2][1], STDERR_FILENO);
    error = -posix_spawn(&program->pid, path, &actions, &attributes, args, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  for (int i = 0; i < open_pipes; i++) {
    int ours = i == 0 ? 1 : 0;
    close(pipes[i][1 - ours]);
    if (error < 0) close(pipes[i][ours]);
    else if (i == 0) program->input_fd = pipes[i][ours];
    else program->output_fds[i - 1] = pipes[i][ours];
  }
  if (error == 0) fcntl(program->input_fd, F_SETFL, O_NONBLOCK);
  return error;
}

napi_value program_run(napi_env env, napi_callback_info info) {
  size_t count = 6;
  napi_value arguments[6], name, pid;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok) return NULL;
  struct program *program = calloc(1, sizeof *program);
  if (program == NULL) return js_throw_errno(env, -ENOMEM, "spawn");
  program->input_fd = program->output_fds[0] = program->output_fds[1] = -1;
  program->deadline = now() + js_uint32(env, arguments[4]);
  program->input = text_of(env, arguments[3]);
  struct text path = text_of(env, arguments[0]);
  char **args = path.data == NULL ? NULL : list_of(env, path.data, arguments[1]);
  char **environment = list_of(env, NULL, arguments[2]);
  int error = -ENOMEM;
  if (program->input.data != NULL && args != NULL && environment != NULL)
    error = start(program, path.data, args, environment);
  free(path.data);
  free_list(args);
  free_list(environment);
  if (error < 0) {
    free_program(program);
    return js_throw_errno(env, error, "spawn");
  }
  if (napi_create_string_utf8(env, "rampart program", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_reference(env, arguments[5], 1, &program->on_end) != napi_ok ||
      napi_create_async_work(env, NULL, name, serve, tell, program, &program->work) != napi_ok ||
      napi_queue_async_work(env, program->work) != napi_ok) {
    /* The thread is being terminated: nobody waits for the program. */
    kill(program->pid, SIGKILL);
    waitpid(program->pid, NULL, 0);
    free_program(program);
    return NULL;
  }
  return napi_create_int32(env, program->pid, &pid) == napi_ok ? pid : NULL;
}
