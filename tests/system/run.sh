#!/bin/sh
# The units as installed: install into an overlay of this machine's root, boot it with systemd-nspawn, run inside.sh in
# it as a service, print its lines. sh tests/system/run.sh [WORKDIR]
# Needs root, overlayfs and systemd-nspawn; elsewhere: prints why and exits 77 (skipped).
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD
work=${1:-$top/build-test/system}
mkdir -p "$work"

skip() { echo "skipped: $* (runs as root on a machine with overlayfs and systemd-nspawn)"; exit 77; }
[ "$(id -u)" = 0 ] || skip "not root"
command -v systemd-nspawn >/dev/null || skip "no systemd-nspawn"

build=$work/build
if [ ! -d "$build" ]; then
        meson setup "$build" --prefix=/usr --buildtype=debugoptimized -Dtests=false >"$work/setup.log" 2>&1 ||
                { cat "$work/setup.log"; rm -rf "$build"; exit 1; }
fi
ninja -C "$build" >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log"; exit 1; }

layers=$(mktemp -d) || exit 1
finish() {
        umount "$layers/root" 2>/dev/null
        umount "$layers" 2>/dev/null
        rmdir "$layers"
}
trap finish EXIT
trap 'exit 1' INT TERM
mount -t tmpfs tmpfs "$layers" || skip "no tmpfs can be mounted"
mkdir "$layers/upper" "$layers/work" "$layers/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$layers/root" 2>/dev/null ||
        skip "no overlay of the root can be mounted"
root=$layers/root

DESTDIR=$root meson install -C "$build" --no-rebuild >"$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }
rm -f "$root/etc/machine-id"
: >"$root/etc/machine-id"
# A machine of its own: nothing that this one starts at boot.
for unit in "$root"/etc/systemd/system/*.wants/*; do
        case $unit in */getty*) ;; *) rm -f "$unit" ;; esac
done
cp tests/system/inside.sh "$root/inside.sh"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
cat >"$root/etc/systemd/system/drover-test.service" <<'EOF'
[Service]
Type=oneshot
ExecStart=/bin/sh /inside.sh
ExecStopPost=/bin/systemctl poweroff --no-block --force
StandardOutput=file:/result
StandardError=inherit
TimeoutStartSec=300
[Install]
WantedBy=multi-user.target
EOF
ln -sf ../drover-test.service "$root/etc/systemd/system/multi-user.target.wants/drover-test.service"

timeout 360 systemd-nspawn --quiet -D "$root" --boot --register=no --keep-unit --console=pipe --capability=CAP_SYS_ADMIN \
        </dev/null >"$work/console.log" 2>&1
cat "$root/result" 2>/dev/null
[ ! -e "$root/details" ] || cp "$root/details" "$work/details.log"
if ! grep -q '^end$' "$root/result" 2>/dev/null; then
        echo "FAILED system: the container did not finish"
        tail -n 20 "$work/console.log"
        exit 1
fi
! grep -q '^FAILED ' "$root/result" || { tail -n 80 "$work/details.log" 2>/dev/null; exit 1; }
