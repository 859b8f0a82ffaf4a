/* fuzz-main.c - runs a fuzz target over files and directories of files, so that its corpus is a normal test.
 * Left out when the fuzzer brings its own main (-fsanitize=fuzzer). */
#include "base/alloc.h"
#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Copied to an exact allocation: a sanitizer sees the first byte read too far. */
static int run_file(const char *path) {
        _cleanup_free_ char *data = NULL, *exact = NULL;
        size_t size;
        int r = file_read(path, INPUT_MAX, &data, &size);

        if (r < 0)
                return r;
        exact = malloc(size > 0 ? size : 1);
        if (!exact)
                return -ENOMEM;
        memcpy(exact, data, size);
        (void) LLVMFuzzerTestOneInput((const uint8_t *) exact, size);
        return 1;
}

/* Return: number of inputs. */
static int run_directory(const char *path) {
        DIR *d = opendir(path);
        struct dirent *entry;
        int n = 0;

        if (!d)
                return -errno;
        while (n >= 0 && (entry = readdir(d))) {
                _cleanup_free_ char *file = NULL;
                int r;

                if (entry->d_name[0] == '.')
                        continue;
                file = alloc_printf("%s/%s", path, entry->d_name);
                r = file ? run_file(file) : -ENOMEM;
                n = r < 0 ? r : n + r;
        }
        (void) closedir(d);
        return n;
}

int main(int argc, char **argv) {
        int total = 0;

        for (int i = 1; i < argc; i++) {
                struct stat st;
                int r = stat(argv[i], &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? run_directory(argv[i]) : run_file(argv[i]);

                if (r < 0) {
                        (void) fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
                        return 1;
                }
                total += r;
        }
        (void) printf("%d inputs\n", total);
        return total == 0;
}
