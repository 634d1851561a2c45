/* A directory entry of getdents64(2). */
#ifndef RUNT_DIRECTORY_ENTRY_H
#define RUNT_DIRECTORY_ENTRY_H
#include <stdint.h>

struct directory_entry {
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};
#endif
