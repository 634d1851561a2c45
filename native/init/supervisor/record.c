/* Records in the state directory: how the init process and execs ended, and which execs run. */
#include "../cgroup/oom-count.h"
#include "../text.h"
#include "supervisor.h"
#include <stdio.h>

/* Execs whose records may be unread, oldest first. Each record takes 4 KiB of a tmpfs. */
static struct exec {
  pid_t pid;
  uint64_t registered_at;
} unread[UNREAD_MAX];
static size_t unread_count;

/* Bytes of the longest record, in whole. */
enum { RECORD_SIZE = 512 };

static void temporary_name(char *buffer, size_t size, const char *name) {
  struct text t = text_in(buffer, size);
  text_add(&t, name);
  text_add(&t, ".tmp");
}

static int open_temporary(const char *name) {
  char temporary[64];
  temporary_name(temporary, sizeof temporary, name);
  return openat(supervisor.state, temporary, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static void remove_temporary(const char *name) {
  char temporary[64];
  temporary_name(temporary, sizeof temporary, name);
  unlinkat(supervisor.state, temporary, 0);
}

static int write_fully(int fd, const char *data, size_t length) {
  ssize_t n = write(fd, data, length);
  if (n == (ssize_t)length)
    return 0;
  if (n >= 0)
    errno = ENOSPC;
  return -1;
}

/* Writes the temporary file of a record in advance: then its space and its inode are there, however
 * full the file system is when the process ends. 0, or -1 with errno. */
static int reserve(const char *name) {
  static const char space[RECORD_SIZE];
  int fd CLEANUP_CLOSE = open_temporary(name);
  if (fd < 0)
    return -1;
  if (!write_fully(fd, space, sizeof space))
    return 0;
  int error = errno;
  remove_temporary(name);
  errno = error;
  return -1;
}

/* Writes a record to the temporary file and renames that, so that a reader finds all or nothing. 0,
 * or -1 with errno. */
static int write_json(const char *name, const struct text *json) {
  char temporary[64];
  temporary_name(temporary, sizeof temporary, name);
  int fd CLEANUP_CLOSE = open_temporary(name);
  if (fd < 0)
    return -1; /* the state directory was removed: the record has no reader */
  if (write_fully(fd, json->at, json->length) || ftruncate(fd, (off_t)json->length) ||
      renameat(supervisor.state, temporary, supervisor.state, name)) {
    int error = errno;
    remove_temporary(name);
    errno = error;
    return -1;
  }
  return 0;
}

static int write_end(const char *name, pid_t pid, const struct end *end) {
  char json[RECORD_SIZE];
  struct text t = TEXT_IN(json);
  text_add(&t, "{\"pid\":");
  text_add_number(&t, (uint64_t)pid);
  if (end->lost)
    text_add(&t, ",\"lost\":true");
  else {
    text_add(&t, ",\"status\":");
    text_add_number(&t, (uint64_t)end->number + (end->by_signal ? 128 : 0));
    text_add(&t, ",\"signal\":");
    text_add_number(&t, end->by_signal ? (uint64_t)end->number : 0);
  }
  text_add(&t, ",\"exitedAtNs\":\"");
  text_add_number(&t, end->at);
  text_add(&t, oom_happened() ? "\",\"oom\":true" : "\",\"oom\":false");
  if (end->reason) {
    text_add(&t, ",\"reason\":\"");
    text_add(&t, end->reason);
    text_add_char(&t, '"');
  }
  text_add(&t, "}\n");
  return write_json(name, &t);
}

/* The name of an exec's record. The pid alone is not unique: the kernel reuses it. */
static void exec_name(char *buffer, size_t size, pid_t pid, uint64_t registered_at) {
  struct text t = text_in(buffer, size);
  text_add(&t, EXEC_RECORD);
  text_add_number(&t, (uint64_t)pid);
  text_add_char(&t, '-');
  text_add_number(&t, registered_at);
  text_add(&t, EXEC_RECORD_END);
}

void remove_exec(pid_t pid, uint64_t registered_at) {
  char name[64];
  exec_name(name, sizeof name, pid, registered_at);
  remove_temporary(name);
  unlinkat(supervisor.state, name, 0);
}

/* A record is unread as long as its file is there: the reader removes it. */
static int is_unread(const struct exec *exec) {
  char name[64];
  struct stat unused;
  exec_name(name, sizeof name, exec->pid, exec->registered_at);
  return !fstatat(supervisor.state, name, &unused, AT_SYMLINK_NOFOLLOW);
}

void note_unread(pid_t pid, uint64_t registered_at) {
  if (unread_count == UNREAD_MAX) {
    unread_count = 0;
    for (size_t i = 0; i < UNREAD_MAX; i++)
      if (is_unread(&unread[i]))
        unread[unread_count++] = unread[i];
  }
  if (unread_count == UNREAD_MAX) {
    remove_exec(unread[0].pid, unread[0].registered_at);
    memmove(unread, unread + 1, --unread_count * sizeof *unread);
  }
  unread[unread_count++] = (struct exec){pid, registered_at};
}

int reserve_init_end(void) { return reserve(EXIT_RECORD); }

void write_init_end(pid_t pid, const struct end *end) {
  supervisor.unrecorded = write_end(EXIT_RECORD, pid, end) != 0;
}

void reserve_exec_end(pid_t pid, uint64_t registered_at) {
  char name[64];
  exec_name(name, sizeof name, pid, registered_at);
  (void)!reserve(name);
}

void write_exec_end(pid_t pid, uint64_t registered_at, const struct end *end) {
  char name[64];
  exec_name(name, sizeof name, pid, registered_at);
  /* A reader would wait for a record that stays "running". */
  if (write_end(name, pid, end))
    remove_exec(pid, registered_at);
  else
    note_unread(pid, registered_at);
}

int write_exec_running(const struct child *child, const char *start_time) {
  char json[RECORD_SIZE], name[64];
  struct text t = TEXT_IN(json);
  exec_name(name, sizeof name, child->pid, child->registered_at);
  text_add(&t, "{\"pid\":");
  text_add_number(&t, (uint64_t)child->pid);
  text_add(&t, ",\"startTime\":\"");
  text_add(&t, start_time);
  text_add(&t, "\",\"running\":true}\n");
  if (!write_json(name, &t) && !reserve(name))
    return 0;
  int error = errno;
  remove_exec(child->pid, child->registered_at);
  errno = error;
  return -1;
}
