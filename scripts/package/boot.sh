#!/bin/sh
# Boots systemd in a container whose root is this host's with an installed image laid over it, all changes in memory, and
# runs systemd-trial.sh there. To be run as root in a mount namespace of its own: unshare --mount sh boot.sh IMAGE NODE
# Exits with 77 where this machine lets nobody make such a container, which is known by the trial never having begun.
set -eu
image=$1 node=$2
here=$(cd "$(dirname "$0")" && pwd)

memory=$(mktemp -d)
trap 'umount -l "$memory/root" "$memory" 2>/dev/null; rmdir "$memory"' EXIT
mount -t tmpfs tmpfs "$memory" || exit 77
cp -a "$image" "$memory/image"
mkdir -p "$memory/up" "$memory/work" "$memory/root"

# /tmp, where the Node of a trial may lie, is not the service's to see (PrivateTmp).
lib=usr/lib/iommu-broker
cp "$node" "$memory/image/$lib/node"
sed -i "s#^exec [^ ]*#exec /$lib/node#" "$memory/image/usr/bin/iommu-brokerd" "$memory/image/usr/bin/iommuctl"

units=$memory/image/etc/systemd/system
mkdir -p "$units/iommu-broker.service.d"
printf '[Service]\nWatchdogSec=4s\n' > "$units/iommu-broker.service.d/trial.conf"
cp "$here/systemd-trial.sh" "$memory/image/systemd-trial.sh"
cat > "$units/trial.service" <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=iommu-broker.service
After=iommu-broker.service
FailureAction=poweroff-force
SuccessAction=poweroff-force
[Service]
Type=oneshot
TimeoutStartSec=120s
StandardOutput=file:/systemd-trial.log
StandardError=inherit
ExecStart=/bin/sh /systemd-trial.sh
UNIT

mount -t overlay overlay -o "lowerdir=$memory/image:/,upperdir=$memory/up,workdir=$memory/work" "$memory/root" || exit 77
: > "$memory/root/etc/machine-id"
systemd-sysusers --root="$memory/root"
timeout 200 systemd-nspawn --register=no --keep-unit --console=pipe -D "$memory/root" -b systemd.unit=trial.service \
  < /dev/null > "$memory/console.log" 2>&1 || { tail -n 40 "$memory/console.log" >&2; }
[ -e "$memory/root/systemd-trial.log" ] || exit 77
cat "$memory/root/systemd-trial.log"
