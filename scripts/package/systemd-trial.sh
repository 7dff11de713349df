#!/bin/sh
# Inside of a booted systemd, with the package installed: start, reload, a hang that the watchdog ends, stop, and a start by
# a client's connection. The last line says that all of it went well.
set -eu
unit=iommu-broker.service
socket=/run/iommu-broker/broker.sock

of() { systemctl show "$unit" -p "$1" --value; }
is() {
  [ "$2" = "$3" ] || { echo "$1 is $2, and not $3"; journalctl -u "$unit" -o cat --no-pager | tail -n 20; exit 1; }
  echo "ok: $1 is $2"
}
status() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(of MainPID)/status"; }

is "the state" "$(of ActiveState)" active
is "the status" "$(of StatusText)" "serving clients at unix:$socket"
is "the user" "$(status Uid | cut -f1)" "$(id -u iommu-broker)"
is "its capabilities" "$(status CapBnd)" 0000000000000000
is "its system calls are filtered:" "$(status Seccomp)" 2
is "the API's socket" "$(stat -c '%a %U %G' $socket)" "660 root iommu-broker-clients"
is "the administrators' socket" "$(stat -c '%a %U %G' /run/iommu-broker/admin.sock)" "600 root root"
is "the state directory" "$(stat -c '%a %U' /var/lib/iommu-broker)" "700 iommu-broker"
iommuctl doctor --socket $socket

systemctl reload "$unit"
is "the state after a reload" "$(of ActiveState)" active

inode=$(stat -c %i $socket)
kill -STOP "$(of MainPID)"
tries=0
until [ "$(of NRestarts)" = 1 ] && [ "$(of ActiveState)" = active ]; do
  tries=$((tries + 1))
  [ $tries -lt 60 ] || is "after a hang the number of restarts" "$(of NRestarts)" 1
  sleep 1
done
journalctl -u "$unit" -o cat --no-pager | grep -q "Watchdog timeout"
iommuctl doctor --socket $socket
is "the socket's inode after the watchdog's restart" "$(stat -c %i $socket)" "$inode"

systemctl stop "$unit"
is "the exit code" "$(of ExecMainStatus)" 0
is "the state after a stop" "$(of ActiveState)" inactive
iommuctl doctor --socket $socket
is "the state after a client's connection" "$(of ActiveState)" active
echo "systemd ran it as it should"
