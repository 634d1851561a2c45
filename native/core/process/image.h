/* The embedded runt-init as a descriptor of an immutable file. */
#ifndef RUNT_IMAGE_H
#define RUNT_IMAGE_H

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
