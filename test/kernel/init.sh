#!/bin/busybox sh
# The guest's first process. Arguments of the kernel's that it does not know are here as variables.
# With iommu_e2e=iort it prints the machine's IORT; else it mounts the root image from the first
# disk and runs the cases in it (or the
# program that iommu_e2e_program names), and where one failed it prints what the kernel said. Then the machine is switched off, whatever came before.
b=/bin/busybox
$b mkdir -p /proc /sys /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev

if [ "$iommu_e2e" = iort ]; then
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
    # The second disk, where there is one, has QEMU and its libraries.
    if [ -b /dev/vdb ]; then
      $b mkdir /root/run/qemu
      $b mount -t erofs -o ro /dev/vdb /root/run/qemu
      $b find /root/run/qemu -type f -exec $b cat {} + >/dev/null
    fi
    $b ip link set lo up
    # The kernel has no driver that would read the clock.
    $b date -s "@$iommu_e2e_now" >/dev/null
    # While the guest waits for its disk its clock leaps from timer to timer, and on a busy host past every deadline. So
    # all that Node reads is read before anything has one.
    $b find /root/usr /root/lib -xdev -type f -exec $b cat {} + >/dev/null 2>&1 || true
    $b find /root/node_modules -xdev -type f '(' -name '*.js' -o -name '*.cjs' -o -name '*.mjs' -o -name '*.json' -o -name '*.node' ')' \
      -exec $b cat {} + >/dev/null 2>&1 || true
    NO_COLOR=1 HOME=/tmp exec $b timeout -s KILL 580 $b chroot /root /usr/bin/node "/app/${iommu_e2e_program:-test/kernel/guest/main.js}"
  )
  status=$?
  [ $status = 0 ] || $b dmesg | $b tail -n 40
  echo "@kernel-exit $status"
fi
$b poweroff -f
