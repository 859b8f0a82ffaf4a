#!/bin/sh
# Install what is missing on a Debian 12 machine: sh conf/setup.sh [build] [demo] [test]
# The one list of packages: the demo, the tests and CI all come here. Asks apt only when something is missing.
set -eu
# dpkg wants sbin, which a shell's PATH may lack (su without -, env -i).
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
export PATH

build="gcc libc6-dev meson ninja-build pkg-config libsystemd-dev libjansson-dev uthash-dev check
       zlib1g-dev libzstd-dev"
demo="python3-minimal python3 redis-server jq netcat-openbsd procps"
tests="clang libclang-rt-14-dev valgrind strace git python3 jq netcat-openbsd redis-server procps
       apache2-utils wrk nginx-light systemd systemd-container dbus util-linux bash zsh fish man-db groff-base mandoc prometheus nodejs"

wanted=""
for set in "${@:-build}"; do
        case $set in
        build) wanted="$wanted $build" ;;
        demo) wanted="$wanted $demo" ;;
        test) wanted="$wanted $tests" ;;
        *) echo "setup.sh: unknown set '$set': build, demo or test" >&2; exit 2 ;;
        esac
done

missing=""
for p in $wanted; do
        status=$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)
        [ "$status" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
        echo "setup.sh: missing packages, run as root: apt-get install$missing" >&2
        exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# Services that packages bring are not started by us: the demo runs its own redis.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
        trap 'rm -f $policy' EXIT
fi
# shellcheck disable=SC2086
apt-get -qq install -y --no-install-recommends $missing >/dev/null
