/* busybox's shell, which prefers its applets to the programs of $PATH. Here `sh -c WORD` runs the program, so that a
 * mount over /bin/ls has its effect, and `nc` is /bin/nc, which an image may have replaced. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "-c") && strspn(argv[2], "abcdefghijklmnopqrstuvwxyz") == strlen(argv[2])) {
    char *words[] = {argv[2], 0};
    execvp(argv[2], words);
    fprintf(stderr, "%s: %s: %s\n", argv[0], argv[2], strerror(errno));
    return errno == ENOENT ? 127 : 126;
  }
  if (argc >= 3 && !strcmp(argv[1], "-c") && strstr(argv[2], "nc ")) {
    static const char function[] = "nc() { /bin/nc \"$@\"; }\n";
    char *script = malloc(sizeof function + strlen(argv[2]));
    if (!script) return 126;
    strcpy(script, function);
    argv[2] = strcat(script, argv[2]);
  }
  execv("/bin/ash", argv);
  perror("/bin/ash");
  return 127;
}
