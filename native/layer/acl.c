/* Access control lists: text in the records SCHILY.acl.access and SCHILY.acl.default, which
 * star(1), GNU tar and bsdtar write. Engines write attributes named system.posix_acl_*: see
 * metadata.c. */
#include "layer.h"
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>

/* A list that is longer does not fit into an attribute of any file system. */
enum { ACL_ENTRIES_MAX = 1000 };

static unsigned tag_of(int tag) {
  switch (tag) {
  case ARCHIVE_ENTRY_ACL_USER_OBJ:
    return ACL_USER_OBJ;
  case ARCHIVE_ENTRY_ACL_USER:
    return ACL_USER;
  case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
    return ACL_GROUP_OBJ;
  case ARCHIVE_ENTRY_ACL_GROUP:
    return ACL_GROUP;
  case ARCHIVE_ENTRY_ACL_MASK:
    return ACL_MASK;
  case ARCHIVE_ENTRY_ACL_OTHER:
    return ACL_OTHER;
  default:
    return 0;
  }
}

/* The order that the kernel requires (posix_acl_valid). */
static int compare_entries(const void *a, const void *b) {
  const struct posix_acl_xattr_entry *x = a, *y = b;
  if (x->e_tag != y->e_tag)
    return x->e_tag < y->e_tag ? -1 : 1;
  return (x->e_id > y->e_id) - (x->e_id < y->e_id);
}

static void set_list(int fd, int parent, const char *name, const char *path,
                     struct archive_entry *e, int type, const char *attribute) {
  static struct {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[ACL_ENTRIES_MAX];
  } list;
  int kind, permissions, tag, id;
  const char *who;
  size_t count = 0;
  if (archive_entry_acl_reset(e, type) == 0)
    return;
  while (archive_entry_acl_next(e, type, &kind, &permissions, &tag, &id, &who) == ARCHIVE_OK) {
    unsigned known = tag_of(tag);
    bool is_named = known == ACL_USER || known == ACL_GROUP;
    /* A name would be looked up in files that this layer may write. */
    if (known == 0 || count == ACL_ENTRIES_MAX || (is_named && id < 0)) {
      warn(LAYER_WARNING_ACL, 0, path, is_named && id < 0 ? who : "");
      return;
    }
    list.entries[count++] = (struct posix_acl_xattr_entry){
        .e_tag = (uint16_t)known,
        .e_perm = (uint16_t)(permissions & (ACL_READ | ACL_WRITE | ACL_EXECUTE)),
        .e_id = is_named ? (uint32_t)id : (uint32_t)ACL_UNDEFINED_ID};
  }
  if (count == 0)
    return;
  list.header.a_version = POSIX_ACL_XATTR_VERSION;
  qsort(list.entries, count, sizeof *list.entries, compare_entries);
  set_attribute(fd, parent, name, path, attribute, &list,
                sizeof list.header + count * sizeof *list.entries);
}

void set_acls(int fd, int parent, const char *name, const char *path, struct archive_entry *e) {
  int types = archive_entry_acl_types(e);
  if (types & ARCHIVE_ENTRY_ACL_TYPE_NFS4)
    warn(LAYER_WARNING_ACL, 0, path, "");
  if (types & ARCHIVE_ENTRY_ACL_TYPE_ACCESS)
    set_list(fd, parent, name, path, e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access");
  if (types & ARCHIVE_ENTRY_ACL_TYPE_DEFAULT)
    set_list(fd, parent, name, path, e, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default");
}
