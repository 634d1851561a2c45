/* The pids of the processes with a name: pgrep NAME. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  int found = 0;
  DIR *processes = opendir("/proc");
  if (argc != 2 || !processes) return 2;
  for (struct dirent *entry; (entry = readdir(processes));) {
    char path[300], name[64] = "";
    if (atoi(entry->d_name) <= 0) continue;
    snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
    FILE *comm = fopen(path, "r");
    if (!comm) continue;
    if (fgets(name, sizeof name, comm)) name[strcspn(name, "\n")] = 0;
    fclose(comm);
    if (strcmp(name, argv[1]) != 0) continue;
    puts(entry->d_name);
    found = 1;
  }
  return found ? 0 : 1;
}
