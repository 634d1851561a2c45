/* Names and the loopback interface of new UTS and network namespaces. */
#include "../init.h"
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Safe: acts on the UTS namespace of this process; for these fields the config must make a new
 * one. */
int op_hostname(const struct op *op) {
  const char *name = op->v[HOSTNAME_NAME].str;
  return sethostname(name, strlen(name)) ? fail("sethostname", name) : 0;
}

int op_domainname(const struct op *op) {
  const char *name = op->v[DOMAINNAME_NAME].str;
  return setdomainname(name, strlen(name)) ? fail("setdomainname", name) : 0;
}

/* Safe: the interface of the new network namespace; the socket is closed again. */
int op_loopback(const struct op *op) {
  (void)op;
  int fd CLEANUP_CLOSE = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  if (fd < 0)
    return fail("socket", "lo");
  return ioctl(fd, SIOCSIFFLAGS, &request) ? fail("ioctl", "lo") : 0;
}
