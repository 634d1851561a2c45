/*
 * Gives the static binary a snapshot of itself, at build time: snapshot PROGRAM OUTPUT WANTED END.
 *
 * Making the virtual machine and reading bytecode took more than half of the time that a command
 * computes. So PROGRAM is started here with snapshot_wanted (at the address WANTED) set; it loads
 * every piece of bytecode and stops. OUTPUT is PROGRAM with its data as they are then, and with the
 * blocks that its allocator gathered (from GATHERED_AT to where memory_gathered_end, at the address
 * END, points) as one more segment. A start maps them copy-on-write: only pages that are used cost
 * anything. The program is not position-independent, so that every pointer in them stays right;
 * what differs from process to process (stack, vdso, libc's record of its start) is not in them,
 * or is made anew before main.
 */
#define _GNU_SOURCE
#include "memory.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "snapshot: %s: %s\n", what, strerror(errno));
  exit(1);
}

static _Noreturn void refuse(const char *why) {
  fprintf(stderr, "snapshot: %s\n", why);
  exit(1);
}

static uint64_t address(const char *text) {
  char *end;
  uint64_t value = strtoull(text, &end, 16);
  if (*end || value == 0)
    refuse("an address is no hexadecimal number");
  return value;
}

/* Starts the program, up to its first instruction. */
static pid_t start(const char *program) {
  pid_t pid = fork();
  if (pid < 0)
    fail("fork");
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
      fail("ptrace");
    char *const nothing[] = {NULL};
    char *const name[] = {(char *)(uintptr_t) "runt", NULL};
    execve(program, name, nothing);
    fail(program);
  }
  int status;
  if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
    refuse("the program did not start");
  if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL) < 0)
    fail("ptrace");
  return pid;
}

/* Lets it run until it stops itself. */
static void await_stop(pid_t pid) {
  int status;
  if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
    fail("ptrace");
  if (waitpid(pid, &status, 0) != pid)
    fail("waitpid");
  if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
    refuse("the program ended instead of making a snapshot");
}

static void *take(int memory, uint64_t from, size_t size) {
  void *block = malloc(size);
  if (!block || pread(memory, block, size, (off_t)from) != (ssize_t)size)
    fail("read its memory");
  return block;
}

static uint8_t *read_file(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  struct stat st;
  if (!f || fstat(fileno(f), &st) < 0)
    fail(path);
  *size = (size_t)st.st_size;
  uint8_t *data = malloc(*size);
  if (!data || fread(data, 1, *size, f) != *size)
    fail(path);
  fclose(f);
  return data;
}

/* One segment of the output: what it holds and where in the file that begins. */
struct part {
  Elf64_Phdr *header;
  void *data;
  size_t size;
};

int main(int argc, char **argv) {
  if (argc != 5)
    refuse("usage: snapshot PROGRAM OUTPUT WANTED END");
  uint64_t wanted = address(argv[3]), end_at = address(argv[4]);
  size_t size;
  uint8_t *file = read_file(argv[1], &size);
  Elf64_Ehdr *elf = (Elf64_Ehdr *)(void *)file;
  if (size < sizeof *elf || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 || elf->e_type != ET_EXEC)
    refuse("the program must be a static ELF file that is not position-independent");
  Elf64_Phdr *headers = (Elf64_Phdr *)(void *)(file + elf->e_phoff);
  struct part data = {0}, heap = {0};
  for (unsigned i = 0; i < elf->e_phnum; i++) {
    Elf64_Phdr *h = &headers[i];
    if (h->p_type == PT_LOAD && h->p_flags & PF_W) {
      if (data.header)
        refuse("more than one data segment");
      data.header = h;
    }
    /* Of no use in a static program: musl protects nothing then. Its place is behind the data's. */
    if (h->p_type == PT_GNU_RELRO)
      heap.header = h;
  }
  if (!data.header || heap.header < data.header)
    refuse("no data segment, or no header behind it to replace");

  pid_t pid = start(argv[1]);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  int memory = open(path, O_RDWR | O_CLOEXEC), yes = 1;
  if (memory < 0 || pwrite(memory, &yes, sizeof yes, (off_t)wanted) != sizeof yes)
    fail(path);
  await_stop(pid);
  uint64_t *end = take(memory, end_at, sizeof *end);
  uint64_t from = (uint64_t)(uintptr_t)GATHERED_AT;
  if (*end <= from || *end > from + GATHERED_SIZE)
    refuse("the program gathered nothing");
  data.size = data.header->p_memsz;
  data.data = take(memory, data.header->p_vaddr, data.size);
  heap.size = *end - from;
  heap.data = take(memory, from, heap.size);
  kill(pid, SIGKILL);

  size_t at = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
  data.header->p_offset = at + data.header->p_vaddr % PAGE;
  data.header->p_filesz = data.size;
  at = (data.header->p_offset + data.size + PAGE - 1) & ~(size_t)(PAGE - 1);
  *heap.header = (Elf64_Phdr){.p_type = PT_LOAD,
                              .p_flags = PF_R | PF_W,
                              .p_offset = at,
                              .p_vaddr = from,
                              .p_paddr = from,
                              .p_filesz = heap.size,
                              .p_memsz = heap.size,
                              .p_align = PAGE};
  /* The sections tell of data that are elsewhere now. */
  elf->e_shoff = 0;
  elf->e_shnum = elf->e_shstrndx = 0;
  int out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  if (out < 0 || pwrite(out, file, size, 0) != (ssize_t)size)
    fail(argv[2]);
  const struct part *parts[] = {&data, &heap};
  for (int i = 0; i < 2; i++)
    if (pwrite(out, parts[i]->data, parts[i]->size, (off_t)parts[i]->header->p_offset) !=
        (ssize_t)parts[i]->size)
      fail(argv[2]);
  if (close(out) < 0)
    fail(argv[2]);
  printf("snapshot: %zu KB of data, %zu KB of objects\n", data.size >> 10, heap.size >> 10);
  return 0;
}
