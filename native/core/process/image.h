/* The embedded runt-init as a descriptor that nobody can change. */
#ifndef RUNT_IMAGE_H
#define RUNT_IMAGE_H

/* The program, and what it is: a sealed memfd or a file of a read-only tmpfs, which stays open for
 * the process's life; or a copy that is for one execution alone, and the caller's to close. */
struct image {
  int fd; /* or -errno */
  int once;
};

struct image image_open(void);

/* The program on a detached read-only tmpfs (CAP_SYS_ADMIN), where vm.memfd_noexec forbids to run a
 * memfd; or -errno. */
int image_tmpfs(void);

#endif
