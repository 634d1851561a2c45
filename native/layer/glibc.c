/* Functions of glibc that Debian's libarchive.a needs and musl has as macros: the numbers in a
 * device number. */
unsigned gnu_dev_major(unsigned long long device);
unsigned gnu_dev_minor(unsigned long long device);

unsigned gnu_dev_major(unsigned long long device) {
  return (unsigned)((device >> 32 & ~0xfffU) | (device >> 8 & 0xfff));
}

unsigned gnu_dev_minor(unsigned long long device) {
  return (unsigned)((device >> 12 & ~0xffU) | (device & 0xff));
}
