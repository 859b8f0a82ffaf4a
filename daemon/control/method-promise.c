/* method-promise.c - daemon.promises. */
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"

static void handle_daemon_promises(Call *c, const void *params) {
        Text *t = call_begin(c);

        json_put_object(t, NULL);
        promises_put_json(pool_set_promises(call_control(c)->world.pools), t, "promises");
        json_end_object(t);
        call_end(c);
}

const Method method_daemon_promises = {
        .class = ACCESS_OBSERVE,
        .handler = handle_daemon_promises,
        .result = "{\"promises\":[{\"name\",\"text\",\"mechanism\",\"state\":\"full|weakened|off\",\"why\"}]}",
};
