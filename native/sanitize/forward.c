/* The one thread of librunt.so beside the thread that calls its functions, for TSan
 * (hack/sanitize.mjs).
 *
 * The main thread watches pipes, writes to some, and reads which are ready from the forwarding
 * thread. With an argument a second thread watches too, which the library does not allow: a race
 * that must be reported. */
#include "../core/core.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIPES = 8, ROUNDS = 20000, BATCH = 4 };

static int pipes[PIPES][2];

static void demand(int holds, const char *what) {
  if (holds)
    return;
  fprintf(stderr, "forward: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Reads the ids of `count` ready descriptors. */
static void take(int forwarded, unsigned count) {
  for (unsigned done = 0; done < count;) {
    int32_t ids[BATCH];
    ssize_t n = RETRY(read(forwarded, ids, sizeof ids));
    demand(n > 0 && n % 4 == 0, "read the ready descriptors");
    for (unsigned i = 0; i < (size_t)n / 4; i++, done++) {
      char byte;
      demand(ids[i] >= 0 && ids[i] < PIPES, "an id that is not watched");
      demand(runt_isReadable(pipes[ids[i]][0]) == 1, "a descriptor that is not readable");
      demand(read(pipes[ids[i]][0], &byte, 1) == 1, "read a pipe");
    }
  }
}

/* Some pipes are ready at once, others are forgotten before they are. */
static void rounds(int forwarded) {
  for (unsigned round = 0; round < ROUNDS; round++) {
    unsigned count = 1 + round % BATCH;
    for (unsigned i = 0; i < count; i++) {
      int at = (int)((round + i) % PIPES);
      demand(runt_watch(pipes[at][0], at) == 0, "watch");
      if (round % 7 == 0) {
        demand(runt_unwatch(pipes[at][0]) == 0, "unwatch");
        demand(runt_watch(pipes[at][0], at) == 0, "watch again");
      }
      demand(write(pipes[at][1], "x", 1) == 1, "write to a pipe");
    }
    take(forwarded, count);
  }
}

static void *second(void *argument) {
  for (int i = 0; i < ROUNDS; i++)
    (void)runt_watch(pipes[0][0], 0), (void)runt_unwatch(pipes[0][0]);
  return argument;
}

int main(int argc, char **argv) {
  (void)argv;
  for (int i = 0; i < PIPES; i++)
    demand(pipe(pipes[i]) == 0, "pipe");
  int forwarded = runt_forward();
  demand(forwarded >= 0, "start the thread");
  if (argc > 1) {
    pthread_t thread;
    demand(pthread_create(&thread, NULL, second, NULL) == 0, "start another thread");
    (void)second(NULL);
    pthread_join(thread, NULL);
  } else
    rounds(forwarded);
  close(forwarded);
  puts("forward: done");
  return 0;
}
