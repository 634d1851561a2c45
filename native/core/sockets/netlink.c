/* A netlink socket (rtnetlink(7)). Messages are made and read by the runtime. */
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
    /* The network namespace is one of the thread's alone: no other thread notices. */
    own = RETRY(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (own < 0 || setns(ns, CLONE_NEWNET) < 0)
      return -errno;
  }
  int fd = result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (ns >= 0 && setns(own, CLONE_NEWNET) < 0)
    abort(); /* to go on would be to act on the container's network instead of the host's */
  /* The kernel's words for what it refuses; it answers without them too. */
  int on = 1;
  if (fd >= 0) {
    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  }
  return fd;
}
