/* protocol.c - the tables behind protocol.h. */
#include "wire/protocol.h"
#include "base/parse.h"

const ProtocolMethod protocol_methods[_METHOD_MAX] = {
#define X(symbol, name_, help_, ...) [METHOD_##symbol] = {.name = (name_), .help = (help_), .params = {__VA_ARGS__}},
        PROTOCOL_METHODS(X)
#undef X
};

static const struct {
        int code;
        const char *name;
} errors[] = {
#define X(symbol, code_, name_, meaning) {(code_), (name_)},
        PROTOCOL_ERRORS(X)
#undef X
};

#define OURS_AFTER (-32100) /* the specification's own codes are below, ours from -32001 down */

ProtocolMethodId protocol_method_find(const char *name) {
        for (int i = 0; i < _METHOD_MAX; i++)
                if (streq(protocol_methods[i].name, name))
                        return (ProtocolMethodId) i;
        return _METHOD_INVALID;
}

const char *protocol_method_nearest(const char *name) {
        const char *names[_METHOD_MAX + 1];

        for (int i = 0; i < _METHOD_MAX; i++)
                names[i] = protocol_methods[i].name;
        names[_METHOD_MAX] = NULL;
        return name_nearest(name, names);
}

const char *protocol_error_name(int code) {
        for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
                if (errors[i].code == code)
                        return errors[i].name;
        return "failed";
}

ProtocolError protocol_error_from_name(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
                if (errors[i].code > OURS_AFTER && streq(errors[i].name, name))
                        return (ProtocolError) errors[i].code;
        return ERROR_FAILED;
}
