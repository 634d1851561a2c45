/* The ids of the shared memory segments in this IPC namespace, as `ipcs -m` lists them. */
#include <stdio.h>
#include <string.h>

int main(void) {
  char line[1024];
  int key, id;
  FILE *table = fopen("/proc/sysvipc/shm", "r");
  if (!table) {
    perror("ipcs");
    return 1;
  }
  printf("shmid\n");
  while (fgets(line, sizeof line, table))
    if (sscanf(line, "%d %d", &key, &id) == 2) printf("%d\n", id);
  return 0;
}
