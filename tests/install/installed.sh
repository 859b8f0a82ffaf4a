#!/bin/sh
# The installed tree, under a DESTDIR of its own: every file is there, nothing names the build tree, the manual pages are
# clean and fit 80 columns, the programs run from it, and the examples of drover.h and libdrover(3) build with
# pkg-config alone and work. sh installed.sh BUILD PREFIX SOURCE; $CC compiles. Prints what failed.
set -u
build=$1 prefix=$2 source=$3
PATH=$PATH:/usr/sbin:/sbin
export PATH
umask 022
place=$(mktemp -d)
root=$place/root
failures=0
daemon=

finish() {
        [ -z "$daemon" ] || { kill "$daemon"; wait "$daemon"; } 2>/dev/null
        [ $failures = 0 ] || [ ! -e "$place/droverd.log" ] || cat "$place/droverd.log"
        rm -rf "$place"
}
trap finish EXIT
trap 'exit 1' INT TERM

fail() {
        echo "FAILED $*"
        failures=$((failures + 1))
}

DESTDIR=$root meson install -C "$build" --no-rebuild >"$place/install.log" 2>&1 || { cat "$place/install.log"; exit 1; }
cd / # nothing of the tree is found by accident

for file in sbin/droverd bin/droverctl libexec/drover/drover-keeper libexec/drover/drover-logger libexec/drover/drover-host include/drover.h \
        share/man/man1/droverctl.1 share/man/man8/droverd.8 share/man/man5/drover.json.5 share/man/man7/drover-protocol.7 \
        share/man/man3/libdrover.3 share/drover/schema.json lib/sysusers.d/drover.conf lib/tmpfiles.d/drover.conf \
        share/bash-completion/completions/droverctl.bash share/zsh/site-functions/_droverctl \
        share/fish/vendor_completions.d/droverctl.fish share/doc/drover/relax.conf share/doc/drover/examples/workers/worker.py \
        share/doc/drover/examples/README.md share/doc/drover/examples/math.c share/doc/drover/examples/tasks.sh; do
        [ -e "$root$prefix/$file" ] || fail "$prefix/$file is not installed"
done
for name in drover.json droverd.service droverd.socket drover.pc libdrover.so; do
        [ -n "$(find "$root" -name $name)" ] || fail "$name is not installed"
done

# Texts may not name the build tree. Of the programs, only what is loaded counts: debug information does.
find "$root" -type f | while read -r file; do
        strip -o "$place/stripped" "$file" 2>/dev/null || cp "$file" "$place/stripped"
        ! grep -qF -e "$build" -e "$source" "$place/stripped" || echo "$file"
done >"$place/names"
[ ! -s "$place/names" ] || fail "these name the build tree: $(cat "$place/names")"

if command -v man >/dev/null && command -v col >/dev/null; then
        for page in "$root$prefix"/share/man/man*/*; do
                warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$page" 2>&1 >"$place/page")
                [ -z "$warnings" ] || fail "$page: $warnings"
                wide=$(col -bx <"$place/page" | awk 'length > 80')
                [ -z "$wide" ] || fail "$page: wider than 80 columns: $wide"
        done
fi

PKG_CONFIG_LIBDIR=$(dirname "$(find "$root" -name drover.pc)"):$(pkg-config --variable pc_path pkg-config)
PKG_CONFIG_SYSROOT_DIR=
export PKG_CONFIG_LIBDIR
libraries=$(dirname "$(find "$root" -name libdrover.so)")
# drover.pc says where things will be; under DESTDIR they stand below it.
flags=$(pkg-config --define-variable=prefix="$root$prefix" --cflags --libs drover) || fail "pkg-config does not find drover"
# Its first example is a client, its second a module.
sed -n '/^ \*     #include <drover.h>/,/^ \*     }$/{/^ \*     }$/{s/^ \*     //p;q};s/^ \*     //p}' \
        "$root$prefix/include/drover.h" >"$place/header.c"
sed '1,/^ \*     #include <drover.h>/d' "$root$prefix/include/drover.h" |
        sed -n '/^ \*     #include <drover.h>/,/drover_module_table/s/^ \*     //p' >"$place/module.c"
MANWIDTH=200 LC_ALL=C.UTF-8 man -l "$root$prefix/share/man/man3/libdrover.3" 2>/dev/null | col -bx |
        sed -n '/^EXAMPLE/,/^SEE ALSO/s/^       //p' >"$place/manual.c"
[ -s "$place/manual.c" ] || cp "$place/header.c" "$place/manual.c" # no man here
DROVER_SOCKET=$place/control.sock
LD_LIBRARY_PATH=$libraries
export DROVER_SOCKET LD_LIBRARY_PATH
printf '{ "log_dir": "%s/log", "state_dir": "%s/state" }\n' "$place" "$place" >"$place/drover.json"
"$root$prefix/sbin/droverd" -c "$place/drover.json" >"$place/droverd.log" 2>&1 &
daemon=$!
until "$root$prefix/bin/droverctl" -q info 2>/dev/null; do
        kill -0 $daemon || { cat "$place/droverd.log"; exit 1; }
done
keeper=$(tr '\0' '\n' <"/proc/$daemon/cmdline" | head -n 1) # its exe is for root's eyes
case $(realpath -- "$keeper") in
"$root"*) ;;
*) fail "the keeper is not the installed one: $keeper" ;;
esac
for example in header manual; do
        # shellcheck disable=SC2086
        ${CC:-cc} -std=c11 -Wall -Wextra -Werror -o "$place/$example" "$place/$example.c" $flags ||
                { fail "the example of the $example does not build"; continue; }
        said=$("$place/$example" 2>&1)
        case $said in
        *" ended with 0") ;;
        *) fail "the example of the $example says: $said" ;;
        esac
done
# shellcheck disable=SC2086
$CC -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers -shared -fPIC -o "$place/math.so" "$place/module.c" $flags ||
        fail "the module of the header does not build"
# Of the programs that load it none needs a hint at libdrover; /usr is where the loader looks by itself.
[ "$prefix" = /usr ] || unset LD_LIBRARY_PATH
[ "$("$root$prefix/bin/droverctl" targets -o name "$place/math.so")" = square ] || fail "droverctl does not list the module's targets"
host=$root$prefix/libexec/drover/drover-host
[ "$("$host" --module "$place/math.so" --list)" = "square	the square of an integer" ] || fail "the module's targets are not listed"
"$host" --module "$place/math.so" --target square --args '[5]' || fail "the module's target does not run"
"$host" --module "$place/math.so" --target square --args '["x"]' 2>"$place/raised" && fail "an exception went unnoticed"
grep -qx 'TypeError: square() takes an integer' "$place/raised" || fail "an exception is not told"
echo 'int main() { return drover_version() == nullptr; }' | cat - >"$place/plus.cc"
if command -v c++ >/dev/null; then
        # shellcheck disable=SC2086
        c++ -Wall -Werror -include drover.h -o "$place/plus" "$place/plus.cc" $flags || fail "drover.h does not build as C++"
fi
[ $failures = 0 ] && echo "the installed tree works"
