/* Files below /proc/sys. */
#include "../init.h"

/* Safe: the path is below sys/ of the private procfs, without symlinks or `..` (RESOLVE_BENEATH).
 * The compiler checked which namespace the key acts on. */
int op_sysctl(const struct op *op) {
  const char *key = op->v[SYSCTL_KEY].str, *value = op->v[SYSCTL_VALUE].str;
  char path[PATH_MAX];
  struct text t = TEXT_IN(path);
  text_add(&t, "sys/");
  text_add(&t, key);
  if (t.cut)
    return fail_with(ENAMETOOLONG, "open", key);
  /* Without openat2 only this check keeps the path below sys/. */
  for (const char *p = key; (p = strstr(p, "..")) != NULL; p += 2)
    if ((p == key || p[-1] == '/') && (!p[2] || p[2] == '/'))
      return fail_with(EINVAL, "open", key);
  int fd CLEANUP_CLOSE = proc_open(path, O_WRONLY);
  if (fd < 0)
    return fail("open", key);
  size_t length = strlen(value);
  if (write(fd, value, length) != (ssize_t)length)
    return fail("write", key);
  return 0;
}
