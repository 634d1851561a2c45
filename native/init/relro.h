/* Read-only relocations (PT_GNU_RELRO) of a static program, for runt-init and the static binary. */
#ifndef RUNT_RELRO_H
#define RUNT_RELRO_H
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

/* The program's own headers; the linker defines it. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* Makes the relocated data read-only. A dynamic loader does so; musl's start of a static program
 * does not. Nothing to do if the file already maps it so: the snapshot
 * (native/quickjs/snapshot.c). Safe: only takes a right away, from pages of this process. 0, or -1
 * with errno. */
static inline int protect_relocated(void) {
  const char *own = (const char *)&__ehdr_start;
  const ElfW(Phdr) *headers = (const void *)(own + __ehdr_start.e_phoff), *relro = NULL;
  int writable = 0;
  for (unsigned i = 0; i < __ehdr_start.e_phnum; i++)
    if (headers[i].p_type == PT_GNU_RELRO)
      relro = &headers[i];
  for (unsigned i = 0; relro && i < __ehdr_start.e_phnum; i++)
    if (headers[i].p_type == PT_LOAD && headers[i].p_vaddr == relro->p_vaddr)
      writable = (headers[i].p_flags & PF_W) != 0;
  if (!relro || !writable)
    return 0;
  /* In a static program that is not position-independent, the headers have the addresses. */
  uintptr_t base = __ehdr_start.e_type == ET_DYN ? (uintptr_t)own : 0;
  uintptr_t page = getauxval(AT_PAGESZ);
  /* Both rounded down to a page: a range larger than the linker's would hold data that must stay
   * writable. */
  uintptr_t from = (base + relro->p_vaddr) & ~(page - 1);
  uintptr_t to = (base + relro->p_vaddr + relro->p_memsz) & ~(page - 1);
  return to > from ? mprotect((void *)from, to - from, PROT_READ) : 0;
}
#endif
