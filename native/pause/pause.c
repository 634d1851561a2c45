/* The first process of a pod, in the pod's namespaces: it holds them open, reaps orphans if it is
 * process 1 of a shared pid namespace, and ends at SIGTERM or SIGINT. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGCHLD);
  /* Process 1 gets no signal for which it has no handler, but one that it blocks and waits for. */
  if (sigprocmask(SIG_BLOCK, &awaited, NULL))
    return 1;
  for (;;) {
    int signal = sigwaitinfo(&awaited, NULL);
    if (signal == SIGTERM || signal == SIGINT)
      return 0;
    while (waitpid(-1, NULL, WNOHANG) > 0)
      ;
  }
}
