/* Program of the bench's containers: it does nothing, so that only the runtime is measured. */
int main(void) { return 0; }
