/* Structs and constants of the kernel, from its own headers. Those that Debian 12's (Linux 6.1)
 * lack are declared here, and nowhere else. */
#ifndef RUNT_KERNEL_H
#define RUNT_KERNEL_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/types.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
/* After the C library's header of that name, which declares some of it too. */
#include <linux/sched.h>
#include <sys/mount.h>
/* After sys/mount.h, whose enumerations have the names of its macros. */
#include <linux/mount.h>
/* glibc takes struct statx from the kernel; musl's, since 1.2.4, lacks stx_mnt_id. */
#ifdef __GLIBC__
#define kernel_statx statx
#else
#define statx kernel_statx
#define statx_timestamp kernel_statx_timestamp
#include <linux/stat.h>
#undef statx
#undef statx_timestamp
#endif

/* statvfs(3) of glibc and musl lacks ST_NOSYMFOLLOW of linux/statfs.h, Linux 5.10. */
#ifndef ST_NOSYMFOLLOW
#define ST_NOSYMFOLLOW 0x2000
#endif

/* memfd_create(2), Linux 6.3. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* ioctl_pidfd, Linux 6.13: only the members of the first version of struct pidfd_info. */
#ifndef PIDFD_GET_INFO
#define PIDFD_GET_INFO _IOWR(0xFF, 11, struct pidfd_info)
#define PIDFD_INFO_EXIT (1UL << 3) /* Linux 6.15 */
struct pidfd_info {
  __u64 mask, cgroupid;
  __u32 pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  __s32 exit_code;
};
#endif

/* prctl(2), Linux 5.14: musl 1.2.3 lacks them, and linux/prctl.h cannot be included beside
 * sys/prctl.h. */
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#define PR_SCHED_CORE_CREATE 1
#endif
#endif
