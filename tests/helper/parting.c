/* parting.c - a library that has something to do when its process ends. */
#include <unistd.h>

__attribute__((destructor)) static void part(void) {
        (void) !write(STDOUT_FILENO, "parted\n", 7);
}
