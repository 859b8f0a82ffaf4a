/* invert.c - a large argument and a large result by blobs.
 *
 *     invert POOL [MIB]      a picture of so many MiB (16) is inverted by a worker of picture.so */
#include <drover.h>
#include <stdio.h>
#include <string.h>

static int fail(drover_error *error) {
        fprintf(stderr, "%s\n", drover_error_message(error));
        return 1;
}

int main(int argc, char **argv) {
        size_t size = (argc > 2 ? strtoul(argv[2], NULL, 10) : 16) << 20;
        drover_client *client = NULL;
        drover_blob *picture = NULL, *inverted = NULL;
        drover_error *error = NULL;
        json_t *what, *outcome = NULL;

        if (drover_connect(&client, NULL, &error) < 0 || drover_blob_new(client, size, 10000, &picture, &error) < 0)
                return fail(error);
        memset(drover_blob_data(picture), 0x0f, size);
        what = json_pack("{s:s,s:s,s:[{s:i}],s:[o],s:b}", "pool", argc > 1 ? argv[1] : "pictures", "target", "invert",
                         "args", "$blob", 0, "blobs", drover_blob_name(picture), "wait", 1);
        if (drover_call(client, "task.submit", what, -1, &outcome, &error) < 0 || drover_reply_blob(client, 0, &inverted, &error) < 0)
                return fail(error);
        printf("%zu bytes, the first %02x, the last %02x\n", drover_blob_size(inverted), *(unsigned char *) drover_blob_data(inverted),
               ((unsigned char *) drover_blob_data(inverted))[size - 1]);
        json_decref(what);
        json_decref(outcome);
        drover_blob_free(picture);
        drover_blob_free(inverted);
        drover_close(client);
        return 0;
}
