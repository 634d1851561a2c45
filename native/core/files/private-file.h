/* Files without a path, where memfd_create(2) is refused. */
#ifndef RUNT_PRIVATE_FILE_H
#define RUNT_PRIVATE_FILE_H

/* A new empty file, open for reading and writing; it may be executed when `executable`. Or -1 with
 * errno: ENOSYS when no directory takes one. */
int private_file(int executable);

/* Reopens the same file for reading only and closes fd; or -1 with errno. */
int private_finish(int fd);

#endif
