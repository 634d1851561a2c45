/* Layers of an overlay: one option each in the plan (`lowerdir+=`, `datadir+=`, as in fsconfig(2)
 * since Linux 6.7), one string for mount(2). */
#include "../init.h"

static const char *layer_path(const char *option, int *data) {
  *data = !strncmp(option, "datadir+=", 9);
  return *data ? option + 9 : strncmp(option, "lowerdir+=", 10) ? NULL : option + 10;
}

int is_layer(const char *option) {
  int data;
  return layer_path(option, &data) != NULL;
}

/* A colon ends a layer, a comma ends an option: both are escaped in a path. */
static void add_escaped(struct text *t, const char *path) {
  for (; *path; path++) {
    if (strchr(":,\\", *path))
      text_add_char(t, '\\');
    text_add_char(t, *path);
  }
}

void layers_add(struct text *t, const struct value *options) {
  const char *option = options->str, *path;
  int data, first = 1;
  for (uint64_t i = 0; i < options->num; i++, option = next_string(option)) {
    if (!(path = layer_path(option, &data)))
      continue;
    if (first)
      text_add(t, t->length ? ",lowerdir=" : "lowerdir=");
    else
      text_add(t, data ? "::" : ":");
    first = 0;
    add_escaped(t, path);
  }
}

int is_overlay(const char *type) { return !strcmp(type, "overlay"); }

int is_directory_option(const char *option) {
  return is_layer(option) || !strncmp(option, "upperdir=", 9) || !strncmp(option, "workdir=", 8);
}

int set_directory(int fs, const char *option) {
  char key[16];
  const char *path = strchr(option, '=') + 1;
  struct text t = TEXT_IN(key);
  text_add_part(&t, option, (size_t)(path - option) - 1);
  int fd CLEANUP_CLOSE = sys_open(path, O_PATH | O_DIRECTORY);
  if (fd < 0 || !sys_fsconfig_fd(fs, key, fd))
    return fd < 0 ? -1 : 0;
  /* Before 6.13 fsconfig(2) takes no O_PATH descriptor, for any file system. */
  if (errno == EBADF)
    errno = EINVAL;
  return -1;
}
