/* busybox's shell, except that `sh -c WORD` runs the program and not the applet with that name, so that a mount over
 * /bin/ls has its effect. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "-c") && strspn(argv[2], "abcdefghijklmnopqrstuvwxyz") == strlen(argv[2])) {
    char *words[] = {argv[2], 0};
    execvp(argv[2], words);
    fprintf(stderr, "%s: %s: %s\n", argv[0], argv[2], strerror(errno));
    return errno == ENOENT ? 127 : 126;
  }
  execv("/bin/ash", argv);
  perror("/bin/ash");
  return 127;
}
