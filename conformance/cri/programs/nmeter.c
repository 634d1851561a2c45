/* The time of day in UTC with milliseconds, as `nmeter -d0 %3t` of busybox prints it once. */
#include <stdio.h>
#include <time.h>

int main(void) {
  struct timespec now;
  struct tm *utc;
  clock_gettime(CLOCK_REALTIME, &now);
  utc = gmtime(&now.tv_sec);
  return printf("%02d:%02d:%02d.%03ld\n", utc->tm_hour, utc->tm_min, utc->tm_sec,
                now.tv_nsec / 1000000) < 0;
}
