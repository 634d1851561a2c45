/* The embedded runt-init as a descriptor that nobody can change. */
#ifndef RUNT_IMAGE_H
#define RUNT_IMAGE_H

/* How a descriptor of the image was made. */
enum image_kind { IMAGE_MEMFD, IMAGE_TMPFS };

/* A sealed memfd that holds runt-init, made once in a process; or -errno. */
int image_memfd(void);

/* The same on a detached read-only tmpfs (CAP_SYS_ADMIN), where vm.memfd_noexec forbids to run a
 * memfd; or -errno. */
int image_tmpfs(void);

#endif
