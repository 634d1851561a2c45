/* Labels of a process for a security module (LSM). */
#include "../init.h"

/* Safe: one of three files of this process in the private procfs, which nothing of the container
 * can replace (CVE-2019-16884, CVE-2025-52881). */
int op_security_label(const struct op *op) {
  const char *file = op->v[SECURITY_LABEL_FILE].str, *label = op->v[SECURITY_LABEL_LABEL].str;
  char path[32];
  struct text t = TEXT_IN(path);
  text_add(&t, "attr/");
  text_add(&t, file);
  if (strcmp(file, "exec") && strcmp(file, "keycreate") && strcmp(file, "apparmor/exec"))
    return fail_with(EINVAL, "open", NULL);
  int fd CLEANUP_CLOSE = proc_open_self(path, O_WRONLY);
  if (fd < 0)
    return fail("open", NULL);
  /* Without a label: a write of no byte resets it (SELinux). */
  size_t length = strlen(label);
  return write(fd, label, length) == (ssize_t)length ? 0 : fail("write", NULL);
}
