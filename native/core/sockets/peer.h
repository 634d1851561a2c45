/* Who is at the other end of a unix socket (SO_PEERCRED): the one check that all sockets of ours
 * make. A socket's mode and its directory say the same; this holds where somebody has changed
 * those, or reaches the socket through a descriptor of the directory (CVE-2020-15257). */
#ifndef RUNT_PEER_H
#define RUNT_PEER_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <sys/socket.h>

/* Its user id as this user namespace sees it: of whoever connected, listened, or made the pair.
 * Users without an id here are all the same one (overflowuid). -1 when it cannot be had. */
static inline int64_t peer_of(int socket) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) ? -1 : (int64_t)peer.uid;
}

/* Whether it is the user `owner`, or root where uid 0 is the root that the runtime has. */
static inline int peer_is(int socket, int64_t owner, int root_counts) {
  int64_t peer = peer_of(socket);
  return peer >= 0 && (peer == owner || (peer == 0 && root_counts));
}
#endif
