/* config-document-main.c - at build time: print the JSON Schema, or a manual page with the key list put into its frame.
 *
 *     config-document schema
 *     config-document manual FRAME      the frame's line @KEYS@ becomes the list */
#include "base/file.h"
#include "config/config-document.h"
#include <stdio.h>

#define FRAME_MAX (1u << 20)
#define MARK "\n@KEYS@\n"

static int print_schema(void) {
        _cleanup_free_ char *schema = config_schema();
        return schema && fputs(schema, stdout) >= 0 ? 0 : -ENOMEM;
}

static int print_manual(const char *path) {
        _cleanup_free_ char *frame = NULL, *keys = config_manual();
        size_t size;
        int r = file_read(path, FRAME_MAX, &frame, &size);

        if (r < 0)
                return r;
        char *mark = strstr(frame, MARK);
        if (!keys || !mark)
                return keys ? -EBADMSG : -ENOMEM;
        *mark = 0;
        return printf("%s\n%s%s", frame, keys, mark + strlen(MARK)) < 0 ? -EIO : 0;
}

int main(int argc, char *argv[]) {
        int r = -EINVAL;

        if (argc == 2 && streq(argv[1], "schema"))
                r = print_schema();
        else if (argc == 3 && streq(argv[1], "manual"))
                r = print_manual(argv[2]);
        if (r < 0)
                fprintf(stderr, "config-document schema | manual FRAME: %s\n", strerror(-r));
        return r < 0 || fflush(stdout) != 0 ? 1 : 0;
}
