/* The program that the bench's containers run: it does nothing, so that what is measured is the
 * runtime. */
int main(void) { return 0; }
