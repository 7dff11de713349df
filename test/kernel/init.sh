#!/bin/busybox sh
# The guest's first process. With iommu_e2e=iort it prints the machine's IORT; else it mounts the root image from the first
# disk and runs the cases in it, and where one failed it prints what the kernel said. Then the machine is switched off, whatever came before.
b=/bin/busybox
$b mkdir -p /proc /sys /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev

if $b grep -q iommu_e2e=iort /proc/cmdline; then
  echo "@kernel-iort $($b od -An -v -tx1 /sys/firmware/acpi/tables/IORT | $b tr -d ' \n')"
else
  (
    set -e
    $b mount -t erofs -o ro /dev/vda /root
    $b mount -t tmpfs tmpfs /root/tmp
    $b mount -t tmpfs tmpfs /root/run
    $b mount -o bind /proc /root/proc
    $b mount -o bind /sys /root/sys
    $b mount -o bind /dev /root/dev
    $b mount -o bind /app /root/app
    $b ip link set lo up
    NO_COLOR=1 HOME=/tmp exec $b timeout -s KILL 160 $b chroot /root /usr/bin/node /app/test/kernel/guest/main.js
  )
  status=$?
  [ $status = 0 ] || $b dmesg | $b tail -n 40
  echo "@kernel-exit $status"
fi
$b poweroff -f
