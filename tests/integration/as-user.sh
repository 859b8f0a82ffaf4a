#!/bin/sh
# as-user.sh PROGRAM [ARG...]: a test of the real programs as an ordinary user, when root runs the tests.
# The user may reach neither the build directory nor root's cgroups, so the programs are copied to a place of its own,
# and a worker's tree is held the weaker way. 77 with a reason where there is nothing to change to.
set -eu
user=65534

skip() {
        echo "skipped: $*"
        exit 77
}

PATH=/usr/local/bin:/usr/bin:/bin # an interpreter of root's own could not be reached
[ "$(id -u)" = 0 ] || skip "an ordinary user runs the tests: the plain test was this one"
command -v setpriv >/dev/null || skip "no setpriv"
command -v "$1" >/dev/null || skip "no $1 in $PATH"
setpriv --reuid=$user --regid=$user --clear-groups true 2>/dev/null || skip "cannot become user $user here"

place=$(mktemp -d /tmp/drover-user-XXXXXX)
trap 'rm -rf "$place"' EXIT
mkdir "$place/bin" "$place/libexec" "$place/home" "$place/run"

for variable in DROVERD DROVERCTL DROVER_KEEPER DROVER_LOGGER DROVER_HOST EXAMPLE_BASICS EXAMPLE_MATH HELPER \
        DROVER_TEST_DROVERD DROVER_TEST_HELPER DROVER_TEST_LOGGER PREFORK_HTTP \
        BLOB_MODULE BLOB_CLIENT PICTURE_MODULE EXAMPLE_INVERT \
        PROTOCOL_MANUAL WORKER_C WORKER_JS WORKER_PY WORKER_SH FAILING_MODULE FAILING_WORKER; do
        eval "path=\${$variable-}"
        [ -n "$path" ] || continue
        cp -L -- "$path" "$place/bin/"
        export "$variable=$place/bin/${path##*/}"
done
if [ -n "${DROVER_LIBEXEC-}" ]; then
        cp -L -- "$DROVER_LIBEXEC"/drover-* "$place/libexec/"
        export DROVER_LIBEXEC="$place/libexec"
fi

# Where a module looks for it.
if [ -n "${DROVER_LIBRARY-}" ]; then
        mkdir "$place/lib"
        cp -L -- "$DROVER_LIBRARY" "$place/lib/libdrover.so.0"
fi

# The test itself: the first argument that is a file, and what it imports.
n=$#
while [ $n -gt 0 ]; do
        argument=$1
        shift
        case $argument in
        */*)
                case $argument in *.py) cp -- "${argument%/*}"/*.py "$place/bin/" ;; *) cp -L -- "$argument" "$place/bin/" ;; esac
                argument=$place/bin/${argument##*/}
                ;;
        esac
        set -- "$@" "$argument"
        n=$((n - 1))
done

chmod 0711 "$place"
chown -R $user:$user "$place/home" "$place/run"
chmod 0700 "$place/home" "$place/run"
cd "$place/home"
status=0
HOME=$place/home USER=nobody LOGNAME=nobody XDG_RUNTIME_DIR=$place/run XDG_STATE_HOME=$place/home/state \
        XDG_CONFIG_HOME=$place/home/config setpriv --reuid=$user --regid=$user --clear-groups -- "$@" || status=$?
exit $status
