/* Snapshot of the static binary, made at build time: snapshot PROGRAM OUTPUT WANTED END.
 *
 * Creating the virtual machine and reading bytecode took more than half of a command's
 * computing time. So this starts PROGRAM with snapshot_wanted (at the address WANTED) set;
 * PROGRAM loads every piece of bytecode and stops. OUTPUT is PROGRAM with its data at that
 * time. The blocks that its allocator gathered (from GATHERED_AT to where memory_gathered_end,
 * at the address END, points) are one more segment. A start maps them copy-on-write: only used
 * pages cost anything.
 *
 * The program is not position-independent, so every pointer stays valid. Data that differs
 * from process to process (stack, vdso, libc's record of its start) is not in them, or is made
 * again before main. The PT_GNU_RELRO part of the data becomes a read-only segment: a start
 * relocates nothing, so nothing ever writes to it.
 *
 * Two processes are compared, and words that differ between them (addresses of the stack, its
 * canary, the process id) are zero in OUTPUT: the same PROGRAM gives the same OUTPUT. */
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
    refuse("an address is not a hexadecimal number");
  return value;
}

/* Starts the program with one variable in its environment, stopped at its first instruction. */
static pid_t start(const char *program, char *variable) {
  pid_t pid = fork();
  if (pid < 0)
    fail("fork");
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
      fail("ptrace");
    char *const environment[] = {variable, NULL};
    char *const name[] = {(char *)(uintptr_t) "runt", NULL};
    execve(program, name, environment);
    fail(program);
  }
  int status;
  if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
    refuse("the program did not start");
  if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL) < 0)
    fail("ptrace");
  return pid;
}

/* Continues it until it stops itself. */
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
  void *block = malloc(size ? size : 1);
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

/* Segments that the snapshot adds to the output. */
enum { RELRO, DATA, HEAP, PARTS };
struct part {
  uint64_t address;
  size_t size;
  unsigned flags;
  uint8_t *data;
};

/* Runs the program until its state is complete, and fills the parts from its memory. */
static void take_parts(const char *program, char *variable, uint64_t wanted, uint64_t end_at,
                       struct part *parts) {
  pid_t pid = start(program, variable);
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
  parts[HEAP] = (struct part){.address = from, .size = *end - from, .flags = PF_R | PF_W};
  for (int i = 0; i < PARTS; i++)
    parts[i].data = take(memory, parts[i].address, parts[i].size);
  close(memory);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

/* There are a dozen; more mean that something random is in the state. */
enum { MOST_DIFFERENCES = 32 };

/* Zeroes the aligned words of `part` that are others in `second`. Returns how many there are. */
static unsigned zero_differences(struct part *part, const struct part *second) {
  if (part->size != second->size)
    refuse("the program's state has another size in each process");
  unsigned differing = 0;
  for (size_t at = 0; at + sizeof(uint64_t) <= part->size; at += sizeof(uint64_t)) {
    uint8_t *word = part->data + at;
    if (memcmp(word, second->data + at, sizeof(uint64_t)) != 0) {
      memset(word, 0, sizeof(uint64_t));
      differing++;
    }
  }
  return differing;
}

/* Finds the data segment and the part of it that is never written; neither may be missing. */
static void find_data(const Elf64_Ehdr *elf, const Elf64_Phdr *headers, struct part *relro,
                      struct part *data) {
  uint64_t from = 0, to = 0, fixed_from = 0, fixed_to = 0;
  for (unsigned i = 0; i < elf->e_phnum; i++) {
    const Elf64_Phdr *h = &headers[i];
    if (h->p_type == PT_LOAD && h->p_flags & PF_W) {
      if (to)
        refuse("more than one data segment");
      from = h->p_vaddr;
      to = from + h->p_memsz;
    } else if (h->p_type == PT_GNU_RELRO) {
      fixed_from = h->p_vaddr;
      fixed_to = fixed_from + h->p_memsz;
    }
  }
  if (!to || fixed_from != from || fixed_to >= to || fixed_to % PAGE)
    refuse("no data segment that begins with whole pages of PT_GNU_RELRO");
  *relro = (struct part){.address = from, .size = fixed_to - from, .flags = PF_R};
  *data = (struct part){.address = fixed_to, .size = to - fixed_to, .flags = PF_R | PF_W};
}

/* Appends a part to the file at `*at`, and advances that. Returns its header. */
static Elf64_Phdr segment(int out, const char *name, const struct part *part, size_t *at) {
  Elf64_Phdr header = {.p_type = PT_LOAD,
                       .p_flags = part->flags,
                       .p_offset = *at + part->address % PAGE,
                       .p_vaddr = part->address,
                       .p_paddr = part->address,
                       .p_filesz = part->size,
                       .p_memsz = part->size,
                       .p_align = PAGE};
  if (pwrite(out, part->data, part->size, (off_t)header.p_offset) != (ssize_t)part->size)
    fail(name);
  *at = (header.p_offset + part->size + PAGE - 1) & ~(size_t)(PAGE - 1);
  return header;
}

/* Writes the table of headers into the file; the first segment, which holds it, grows with it. */
static void widen_first(uint8_t *file, size_t size, Elf64_Phdr *table, unsigned count) {
  const Elf64_Ehdr *elf = (const void *)file;
  size_t old = elf->e_phoff + elf->e_phnum * sizeof *table,
         new = elf->e_phoff + count * sizeof *table;
  Elf64_Phdr *first = table;
  while (first->p_type != PT_LOAD)
    first++;
  if (first->p_offset != 0 || first->p_filesz != old || first->p_filesz != first->p_memsz ||
      new > PAGE || new > size)
    refuse("no room for more headers: link with -z separate-code");
  for (size_t i = old; i < new; i++)
    if (file[i])
      refuse("what lies behind the headers is in use");
  first->p_filesz = first->p_memsz = new;
  memcpy(file + elf->e_phoff, table, count * sizeof *table);
}

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
  struct part parts[PARTS] = {0};
  find_data(elf, headers, &parts[RELRO], &parts[DATA]);

  /* A longer environment moves the stack: without address space randomization (personality(2)) its
   * addresses would be the same in both processes, and would remain in OUTPUT. */
  static char variable[64 << 10] = "A";
  take_parts(argv[1], variable, wanted, end_at, parts);
  memset(variable, 'A', sizeof variable - 1);
  struct part second[PARTS];
  memcpy(second, parts, sizeof parts);
  take_parts(argv[1], variable, wanted, end_at, second);
  unsigned differing = 0;
  for (int i = 0; i < PARTS; i++)
    differing += zero_differences(&parts[i], &second[i]);
  if (differing > MOST_DIFFERENCES)
    refuse("the program's state is another one in each process");

  int out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  if (out < 0)
    fail(argv[2]);
  /* The headers grow by two, into the space that the linker left before the code. */
  Elf64_Phdr table[64];
  unsigned count = 0;
  if (elf->e_phnum + 2U > sizeof table / sizeof *table)
    refuse("too many segments");
  size_t at = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
  for (unsigned i = 0; i < elf->e_phnum; i++) {
    if (headers[i].p_type != PT_LOAD || !(headers[i].p_flags & PF_W)) {
      table[count++] = headers[i];
      continue;
    }
    for (int k = RELRO; k <= DATA; k++)
      table[count++] = segment(out, argv[2], &parts[k], &at);
  }
  table[count++] = segment(out, argv[2], &parts[HEAP], &at);
  for (unsigned i = 0; i < count; i++)
    if (table[i].p_type == PT_GNU_RELRO)
      for (unsigned k = 0; k < count; k++)
        if (table[k].p_type == PT_LOAD && table[k].p_vaddr == table[i].p_vaddr)
          table[i].p_offset = table[k].p_offset;
  widen_first(file, size, table, count);
  elf->e_phnum = (Elf64_Half)count;
  /* The sections describe data that has moved. */
  elf->e_shoff = 0;
  elf->e_shnum = elf->e_shstrndx = 0;
  if (pwrite(out, file, size, 0) != (ssize_t)size || close(out) < 0)
    fail(argv[2]);
  printf("snapshot: %zu KB of constants, %zu KB of data, %zu KB of objects\n",
         parts[RELRO].size >> 10, parts[DATA].size >> 10, parts[HEAP].size >> 10);
  return 0;
}
