/* The programs that are embedded in this binary, and runt-init as a descriptor of an immutable
 * file. */
#ifndef RUNT_IMAGE_H
#define RUNT_IMAGE_H
#include "../core.h"

/* Embeds a file, between name_start and name_end. */
#define EMBED(name, path)                                                                          \
  __asm__(".section .rodata." #name ", \"a\", %progbits\n"                                         \
          ".balign 64\n" #name "_start:\n"                                                         \
          ".incbin \"" path "\"\n" #name "_end:\n"                                                 \
          ".previous\n");                                                                          \
  extern const uint8_t name##_start[] __attribute__((visibility("hidden")));                       \
  extern const uint8_t name##_end[] __attribute__((visibility("hidden")))

/* An embedded program. */
struct program {
  const char *name;
  const unsigned char *start, *end;
};

/* The program: a sealed memfd or a file of a read-only tmpfs, which stays open for the process's
 * life; or a copy for one execution, which the caller closes. */
struct image {
  int fd; /* or -errno */
  int once;
};

struct image image_open(void);

/* A program as a sealed memfd; or -errno: EACCES where vm.memfd_noexec forbids running one, ENOSYS
 * under a seccomp filter. */
int image_memfd(const struct program *program);

/* A program on a detached read-only tmpfs (CAP_SYS_ADMIN), where no memfd can be run; or -errno. */
int image_tmpfs(const struct program *program);
int image_init_tmpfs(void);

#endif
