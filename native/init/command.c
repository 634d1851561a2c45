/* A command in a frame: the program that a later mode executes at its end. */
#include "init.h"

int next_command(struct cursor *c, struct command *command) {
  uint64_t arguments, count = 0;
  if (next_number(c, &arguments) || !arguments || c->at >= c->end || c->end[-1]) {
    errno = EBADMSG;
    return -1;
  }
  for (const char *word = c->at; word < c->end; word = next_string(word))
    count++;
  if (count < arguments) {
    errno = EBADMSG;
    return -1;
  }
  /* Two lists, each ended by NULL: allocated memory is zero. */
  char **at = allocate((count + 2) * sizeof *at);
  if (!at)
    return -1;
  command->words = at;
  command->environment = at + arguments + 1;
  for (uint64_t n = 0; n < count; n++, c->at = next_string(c->at)) {
    if (n == arguments)
      at++;
    *at++ = (char *)(uintptr_t)c->at;
  }
  return 0;
}
