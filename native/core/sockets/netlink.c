/* A netlink socket (rtnetlink(7)); the runtime makes and reads the messages. */
#include "../core.h"
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

int32_t runt_netlinkOpen(int32_t ns) {
  AUTO_CLOSE int own = -1;
  if (ns < -1)
    return -EBADF;
  if (ns >= 0) {
    /* Only this thread changes its network namespace: no other thread notices. */
    own = RETRY(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (own < 0 || setns(ns, CLONE_NEWNET) < 0)
      return -errno;
  }
  int fd = result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (ns >= 0 && setns(own, CLONE_NEWNET) < 0)
    abort(); /* otherwise this would act on the container's network instead of the host's */
  /* Requests the kernel's error messages; it answers without them too. */
  int on = 1;
  if (fd >= 0) {
    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  }
  return fd;
}
