/* The embedded runt-init as a descriptor of an immutable file. */
#ifndef RUNT_IMAGE_H
#define RUNT_IMAGE_H

/* The program: a sealed memfd or a file of a read-only tmpfs, which stays open for the process's
 * life; or a copy for one execution, which the caller closes. */
struct image {
  int fd; /* or -errno */
  int once;
};

struct image image_open(void);

/* The program on a detached read-only tmpfs (CAP_SYS_ADMIN), where vm.memfd_noexec forbids running
 * a memfd; or -errno. */
int image_tmpfs(void);

#endif
