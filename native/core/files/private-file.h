/* Files that no path leads to, where memfd_create(2) is refused. */
#ifndef RUNT_PRIVATE_FILE_H
#define RUNT_PRIVATE_FILE_H

/* A new empty file that is open for reading and writing; one that may be executed when
 * `executable`. Or -1 with errno: ENOSYS when no directory takes one. */
int private_file(int executable);

/* The same file open for reading alone, in place of fd, which is closed; or -1 with errno. */
int private_finish(int fd);

#endif
