/* Stop-watch of the bench.
 *
 * It starts commands itself (posix_spawn, wait4, CLOCK_MONOTONIC), so that no interpreter's
 * way of starting processes is measured. It alternates between the contenders run by run, in a
 * random order for each round, so that all of them meet the same machine.
 *
 *     timer ROUNDS WARMUP COUNT PARALLEL PAUSE LOG <JOB
 *
 * JOB has lines of tab separated fields:
 *     contender NAME
 *     step PROGRAM ARG…   runs it with an empty stdin, output to LOG, env PATH only; it must
 *                         exit 0; %i is a fresh id
 *     reap                waits until every process that the steps left behind has ended
 *
 * A round runs each contender's steps COUNT times, PARALLEL of them at a time; PAUSE is in µs,
 * between two contenders. Output, one line per contender and round, tab separated: NAME, ns of
 * all, highest ru_maxrss in KiB of any reaped process, then of all of them together µs of CPU and
 * page faults, then ns of each step (COUNT 1) or of each of the COUNT runs. The timer is a child
 * subreaper: processes that a command leaves behind become its children and are measured too. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONTENDERS 16
#define MAX_STEPS 16
#define MAX_ARGS 32
#define MAX_COUNT 4096
#define LONGEST 120 /* seconds of a command: one that hangs is a failure */

struct step {
  int reap; /* no command: wait for processes that were left behind */
  int argc;
  char *args[MAX_ARGS + 1];
};

struct contender {
  char *name;
  int steps;
  struct step step[MAX_STEPS];
};

static struct contender contenders[MAX_CONTENDERS];
static int contender_count;
static const char *log_path;

/* State that the workers of a parallel round share. */
static struct {
  int next;
  long max_rss;
  long long cpu_us, faults;
  long long ns[MAX_COUNT]; /* of each run */
} * shared;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("timer: ", stderr);
  vfprintf(stderr, format, list);
  va_end(list);
  fputc('\n', stderr);
  exit(1);
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void read_job(void) {
  char *line = NULL;
  size_t size = 0;
  ssize_t n;
  struct contender *c = NULL;
  while ((n = getline(&line, &size, stdin)) > 0) {
    if (line[n - 1] == '\n')
      line[n - 1] = 0;
    char *save = NULL, *word = strtok_r(line, "\t", &save);
    if (!word)
      continue;
    if (strcmp(word, "contender") == 0) {
      if (contender_count == MAX_CONTENDERS)
        die("more than %d contenders", MAX_CONTENDERS);
      c = &contenders[contender_count++];
      c->name = strdup(strtok_r(NULL, "\t", &save));
      continue;
    }
    if (!c || c->steps == MAX_STEPS)
      die("bad job at: %s", word);
    struct step *s = &c->step[c->steps++];
    if (strcmp(word, "reap") == 0) {
      s->reap = 1;
    } else if (strcmp(word, "step") == 0) {
      while ((word = strtok_r(NULL, "\t", &save)) && s->argc < MAX_ARGS)
        s->args[s->argc++] = strdup(word);
    } else {
      die("bad job at: %s", word);
    }
  }
  free(line);
}

static long long microseconds(struct timeval t) { return t.tv_sec * 1000000LL + t.tv_usec; }

static void account(const struct rusage *use) {
  __atomic_fetch_add(&shared->cpu_us, microseconds(use->ru_utime) + microseconds(use->ru_stime),
                     __ATOMIC_RELAXED);
  __atomic_fetch_add(&shared->faults, use->ru_minflt + use->ru_majflt, __ATOMIC_RELAXED);
  long seen = __atomic_load_n(&shared->max_rss, __ATOMIC_RELAXED);
  while (use->ru_maxrss > seen &&
         !__atomic_compare_exchange_n(&shared->max_rss, &seen, use->ru_maxrss, 0, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED))
    ;
}

/* Replaces %i in an argument by the id. */
static char *expand(const char *arg, const char *id, char *out, size_t size) {
  const char *at = strstr(arg, "%i");
  int n = at ? snprintf(out, size, "%.*s%s%s", (int)(at - arg), arg, id, at + 2)
             : snprintf(out, size, "%s", arg);
  if (n < 0 || (size_t)n >= size)
    die("argument too long: %s", arg);
  return out;
}

/* The command that is waited for; 0: what commands left behind, whose wait then ends. */
static volatile pid_t awaited;
static volatile sig_atomic_t was_late;

static void end_awaited(int signal_number) {
  (void)signal_number;
  was_late = 1;
  if (awaited != 0)
    kill(awaited, SIGKILL);
}

static void run_step(const struct contender *c, const struct step *s, const char *id,
                     const posix_spawn_file_actions_t *stdio) {
  static char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
  static char words[MAX_ARGS][1024];
  struct rusage use;
  int status;
  pid_t pid, done;
  awaited = 0;
  alarm(LONGEST);
  if (s->reap) {
    while ((done = wait4(-1, &status, 0, &use)) > 0)
      account(&use);
    alarm(0);
    if (was_late)
      die("%s: what it left behind has not ended within %d s", c->name, LONGEST);
    return;
  }
  char *argv[MAX_ARGS + 1];
  for (int i = 0; i < s->argc; i++)
    argv[i] = expand(s->args[i], id, words[i], sizeof words[i]);
  argv[s->argc] = NULL;
  int error = posix_spawn(&pid, argv[0], stdio, NULL, argv, env);
  if (error)
    die("%s: %s", argv[0], strerror(error));
  awaited = pid;
  do {
    done = wait4(pid, &status, 0, &use);
  } while (done < 0 && errno == EINTR);
  alarm(0);
  account(&use);
  if (was_late)
    die("%s: %s has not ended within %d s", c->name, argv[0], LONGEST);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    die("%s: %s %s: status 0x%x, output in %s", c->name, argv[0], s->argc > 1 ? argv[1] : "",
        status, log_path);
}

/* Run `i` of a round. Writes the time of each step to `steps`. */
static void run_once(const struct contender *c, int i, const char *id,
                     const posix_spawn_file_actions_t *stdio, long long *steps) {
  const long long start = now();
  long long from = start;
  for (int k = 0; k < c->steps; k++) {
    run_step(c, &c->step[k], id, stdio);
    const long long to = now();
    steps[k] = to - from;
    from = to;
  }
  shared->ns[i] = from - start;
}

/* One round of one contender; prints its line unless it is a warm-up. */
static void run_round(const struct contender *c, int round, int count, int parallel, int silent,
                      const posix_spawn_file_actions_t *stdio) {
  char id[64];
  long long steps[MAX_STEPS] = {0};
  shared->next = 0;
  shared->max_rss = 0;
  shared->cpu_us = shared->faults = 0;
  long long from = now();
  if (parallel == 1) {
    for (int i = 0; i < count; i++) {
      snprintf(id, sizeof id, "bench-%d-%d-%d", (int)getpid(), round, i);
      run_once(c, i, id, stdio, steps);
    }
  } else {
    pid_t workers[64];
    for (int w = 0; w < parallel; w++) {
      workers[w] = fork();
      if (workers[w] < 0)
        die("fork: %s", strerror(errno));
      if (workers[w] > 0)
        continue;
      if (prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0)
        die("PR_SET_CHILD_SUBREAPER: %s", strerror(errno));
      for (int i; (i = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED)) < count;) {
        snprintf(id, sizeof id, "bench-%d-%d-%d", (int)getppid(), round, i);
        run_once(c, i, id, stdio, steps);
      }
      _exit(0);
    }
    for (int w = 0; w < parallel; w++) {
      int status;
      if (waitpid(workers[w], &status, 0) < 0 || status != 0)
        die("%s: a worker failed", c->name);
    }
  }
  long long all = now() - from;
  if (silent)
    return;
  printf("%s\t%lld\t%ld\t%lld\t%lld", c->name, all, shared->max_rss, shared->cpu_us,
         shared->faults);
  for (int i = 0; i < (count == 1 ? c->steps : count); i++)
    printf("\t%lld", count == 1 ? steps[i] : shared->ns[i]);
  putchar('\n');
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 7)
    die("usage: timer ROUNDS WARMUP COUNT PARALLEL PAUSE LOG <JOB");
  const int rounds = atoi(argv[1]), warmup = atoi(argv[2]), count = atoi(argv[3]),
            parallel = atoi(argv[4]), pause_us = atoi(argv[5]);
  log_path = argv[6];
  if (rounds < 1 || warmup < 0 || count < 1 || count > MAX_COUNT || parallel < 1 || parallel > 64 ||
      pause_us < 0)
    die("numbers out of range");
  read_job();
  struct sigaction late = {.sa_handler = end_awaited};
  sigaction(SIGALRM, &late, NULL);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0)
    die("start: %s", strerror(errno));
  /* Files, not /dev/null: crun changes the owner of its stdio. */
  char empty[1024];
  snprintf(empty, sizeof empty, "%s.in", log_path);
  close(open(empty, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  posix_spawn_file_actions_t stdio;
  if (posix_spawn_file_actions_init(&stdio) ||
      posix_spawn_file_actions_addopen(&stdio, 0, empty, O_RDONLY, 0) ||
      posix_spawn_file_actions_addopen(&stdio, 1, log_path, O_WRONLY | O_CREAT | O_APPEND, 0600) ||
      posix_spawn_file_actions_adddup2(&stdio, 1, 2))
    die("stdio of the commands");
  int order[MAX_CONTENDERS];
  unsigned seed = 1;
  for (int k = 0; k < contender_count; k++)
    order[k] = k;
  for (int round = -warmup; round < rounds; round++) {
    for (int k = contender_count - 1; k > 0; k--) {
      int with = rand_r(&seed) % (k + 1), kept = order[k];
      order[k] = order[with];
      order[with] = kept;
    }
    for (int k = 0; k < contender_count; k++) {
      run_round(&contenders[order[k]], round < 0 ? rounds - round : round, count, parallel,
                round < 0, &stdio);
      if (pause_us > 0)
        usleep((useconds_t)pause_us);
    }
  }
  return 0;
}
