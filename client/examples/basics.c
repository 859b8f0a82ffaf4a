/* basics.c - the targets that the examples of processes run: README.md beside it says which example uses which.
 *
 *     cc -shared -fPIC -o basics.so basics.c $(pkg-config --cflags --libs drover)
 *     droverctl targets ./basics.so */
#include <drover.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* greet(name): what a first process does */
static json_t *greet(drover_task *task, json_t *args, json_t *kwargs) {
        const char *name = json_string_value(json_array_get(args, 0));

        if (!name)
                return drover_raise(task, "TypeError", "greet() takes a name");
        printf("Hello, %s!\n", name);
        return json_null();
}

/* show(*args, **kwargs): how arguments arrive */
static json_t *show(drover_task *task, json_t *args, json_t *kwargs) {
        char *a = json_dumps(args, JSON_COMPACT), *k = json_dumps(kwargs, JSON_COMPACT | JSON_SORT_KEYS);

        printf("args=%s kwargs=%s\n", a, k);
        free(a);
        free(k);
        return json_null();
}

/* whoami(): name, pid and parent's pid */
static json_t *whoami(drover_task *task, json_t *args, json_t *kwargs) {
        printf("name=%s pid=%d ppid=%d\n", getenv("DROVER_NAME"), (int) getpid(), (int) getppid());
        return json_null();
}

/* nap(seconds): what takes time without using the CPU */
static json_t *nap(drover_task *task, json_t *args, json_t *kwargs) {
        double seconds = json_number_value(json_array_get(args, 0));
        struct timespec t = {.tv_sec = (time_t) seconds, .tv_nsec = (long) ((seconds - (double) (time_t) seconds) * 1e9)};

        while (nanosleep(&t, &t) < 0)
                ;
        return json_null();
}

/* nap_a_little(i): of a tenth of a second, whichever it is */
static json_t *nap_a_little(drover_task *task, json_t *args, json_t *kwargs) {
        struct timespec t = {.tv_nsec = 100000000};

        nanosleep(&t, NULL);
        return json_incref(json_array_get(args, 0));
}

/* burn(n): the sum of the squares below n, for the time it takes */
static json_t *burn(drover_task *task, json_t *args, json_t *kwargs) {
        json_int_t n = json_integer_value(json_array_get(args, 0));
        unsigned __int128 sum = 0;

        for (json_int_t i = 0; i < n; i++)
                sum += (unsigned __int128) i * (unsigned __int128) i;
        return drover_integer((__int128) sum);
}

/* leave(code): end at once */
static __attribute__((noreturn)) json_t *leave(drover_task *task, json_t *args, json_t *kwargs) {
        exit((int) json_integer_value(json_array_get(args, 0)));
}

/* fail(type, message): an exception that nobody catches */
static json_t *fail(drover_task *task, json_t *args, json_t *kwargs) {
        return drover_raise(task, json_string_value(json_array_get(args, 0)), "%s", json_string_value(json_array_get(args, 1)));
}

/* crash(): what the kernel kills */
static __attribute__((noreturn)) json_t *crash(drover_task *task, json_t *args, json_t *kwargs) {
        abort();
}

/* stubborn(): runs until SIGKILL */
static __attribute__((noreturn)) json_t *stubborn(drover_task *task, json_t *args, json_t *kwargs) {
        signal(SIGTERM, SIG_IGN);
        printf("SIGTERM is ignored\n");
        fflush(stdout);
        for (;;)
                pause();
}

static const drover_target targets[] = {
        {"greet", greet, "greet(name): say hello"},
        {"show", show, "show(*args, **kwargs): print the arguments"},
        {"whoami", whoami, "whoami(): print name, pid and parent's pid"},
        {"nap", nap, "nap(seconds): sleep"},
        {"nap_a_little", nap_a_little, "nap_a_little(i): sleep for 100 ms, and return i"},
        {"burn", burn, "burn(n): the sum of the squares below n"},
        {"leave", leave, "leave(code): exit"},
        {"fail", fail, "fail(type, message): raise"},
        {"crash", crash, "crash(): abort"},
        {"stubborn", stubborn, "stubborn(): ignore SIGTERM and wait"},
        {NULL, NULL, NULL},
};

const drover_module drover_module_table = {.abi = DROVER_MODULE_ABI, .name = "basics", .targets = targets};
