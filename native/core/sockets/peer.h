/* Peer credentials of a unix socket (SO_PEERCRED).
 *
 * All our sockets make this one check. A socket's mode and directory enforce the same. This
 * check holds even if somebody has changed those, or reaches the socket through a descriptor
 * of the directory (CVE-2020-15257). */
#ifndef RUNT_PEER_H
#define RUNT_PEER_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <sys/socket.h>

/* The user id, in this user namespace, of the process that connected, listened, or made the pair.
 * Users without an id here all have the same one (overflowuid). -1 on failure. */
static inline int64_t peer_of(int socket) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) ? -1 : (int64_t)peer.uid;
}

/* Whether the peer is the user `owner`, or root, where uid 0 is the runtime's root. */
static inline int peer_is(int socket, int64_t owner, int root_counts) {
#ifdef RUNT_WEAK_PEERS /* the programs that test/security attacks have this switch */
  return 1;
#endif
  int64_t peer = peer_of(socket);
  return peer >= 0 && (peer == owner || (peer == 0 && root_counts));
}
#endif
