/* Flags of mount(2) for the attributes of mounts and the flags of file systems. */
#ifndef RUNT_MOUNT_FLAGS_H
#define RUNT_MOUNT_FLAGS_H
#include "../kernel.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The MS_* flags for MOUNT_ATTR_*. */
static inline unsigned long old_flags(uint64_t attributes) {
  static const struct {
    unsigned attribute;
    unsigned long flag;
  } pairs[] = {{MOUNT_ATTR_RDONLY, MS_RDONLY},         {MOUNT_ATTR_NOSUID, MS_NOSUID},
               {MOUNT_ATTR_NODEV, MS_NODEV},           {MOUNT_ATTR_NOEXEC, MS_NOEXEC},
               {MOUNT_ATTR_NOATIME, MS_NOATIME},       {MOUNT_ATTR_STRICTATIME, MS_STRICTATIME},
               {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME}, {MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW}};
  unsigned long flags = 0;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    if (attributes & pairs[i].attribute)
      flags |= pairs[i].flag;
  return flags;
}

/* The MS_* flags of a mount with these ST_* flags (statvfs(3)) after MOUNT_ATTR_* are set and
 * cleared: a remount by mount(2) sets all of them. */
static inline unsigned long changed_flags(unsigned long now, uint64_t set, uint64_t clear) {
  /* Most values are the same. */
  unsigned long flags =
      now & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME);
  if (now & ST_NOSYMFOLLOW)
    flags |= MS_NOSYMFOLLOW;
  if (now & ST_RELATIME)
    flags |= MS_RELATIME;
  else if (!(now & MS_NOATIME))
    flags |= MS_STRICTATIME;
  flags &= ~old_flags(clear);
  if (clear & MOUNT_ATTR__ATIME)
    flags &= ~(unsigned long)MS_RELATIME;
  if (clear & MOUNT_ATTR__ATIME && !(set & MOUNT_ATTR__ATIME))
    flags |= MS_RELATIME;
  return flags | old_flags(set);
}

/* The superblock flag that fsconfig(2) takes by name and mount(2) by number; 0 for other
 * options. */
static inline unsigned long superblock_flag(const char *option) {
  static const struct {
    const char *name;
    unsigned long flag;
  } flags[] = {{"ro", MS_RDONLY},
               {"sync", MS_SYNCHRONOUS},
               {"dirsync", MS_DIRSYNC},
               {"lazytime", MS_LAZYTIME},
               {"mand", MS_MANDLOCK}};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
    if (!strcmp(option, flags[i].name))
      return flags[i].flag;
  return 0;
}
#endif
