/* Writing of a whole buffer. */
#ifndef RUNT_WRITE_ALL_H
#define RUNT_WRITE_ALL_H
#include <stdint.h>

/* Writes all; 0, or -1 with errno. The first write(2) has everything: files of cgroupfs and procfs
 * take a value in one call. */
int write_all(int fd, const uint8_t *data, uint32_t len);

#endif
