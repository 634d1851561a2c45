/* Functions that Debian's libarchive.a, compiled for glibc, needs and musl has as macros. */
#include <sys/sysmacros.h>

unsigned gnu_dev_major(unsigned long long device);
unsigned gnu_dev_minor(unsigned long long device);

unsigned gnu_dev_major(unsigned long long device) { return major(device); }
unsigned gnu_dev_minor(unsigned long long device) { return minor(device); }
