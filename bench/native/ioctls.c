// The ioctls of a bind and of invalidations as a C programmer would make them: a structure filled in, a call, nothing between.
// Binds a device, makes a nesting parent and a vIOMMU on it, and repeats: a nested HWPT, attach, destroy the one of before;
// and HWPT_INVALIDATE of CMD_TLBI_NH_VAs. Then what may sleep by a thread of its own, as an event loop in C would have it made:
// a futex there, an eventfd and epoll back. Prints a line for each: name, CPU nanoseconds of one, p50 and p99 of its time.
// usage: ioctls CDEV BINDS BATCHES
// Source: Linux 7.2, include/uapi/linux/iommufd.h, vfio.h; IHI 0070G.b §4.4.2, §5.2.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define VFIO_BIND 0x3b76
#define VFIO_ATTACH 0x3b77
#define DESTROY 0x3b80
#define IOAS_ALLOC 0x3b81
#define HWPT_ALLOC 0x3b89
#define HWPT_INVALIDATE 0x3b8d
#define VIOMMU_ALLOC 0x3b90
#define VDEVICE_ALLOC 0x3b91
#define NEST_PARENT 1
#define ARM_SMMUV3_HWPT 2
#define ARM_SMMUV3 1
#define COMMANDS_MAX 1024
#define CALLS_MAX 100000

struct bind { uint32_t argsz, flags; int32_t iommufd; uint32_t devid; };
struct attach { uint32_t argsz, flags, pt_id, pasid; };
struct destroy { uint32_t size, id; };
struct ioas { uint32_t size, flags, id; };
struct hwpt {
  uint32_t size, flags, dev_id, pt_id, out_id, reserved, data_type, data_len;
  uint64_t data;
  uint32_t fault_id, reserved2;
};
struct viommu {
  uint32_t size, flags, type, dev_id, hwpt_id, out_id, data_len, reserved;
  uint64_t data;
};
struct vdevice { uint32_t size, viommu, dev_id, out_id; uint64_t virt_id; };
struct invalidate {
  uint32_t size, hwpt_id;
  uint64_t data;
  uint32_t data_type, entry_len, entry_num, reserved;
};

static int iommufd, device;
static uint32_t device_id, viommu_id, nested;
static uint64_t took[CALLS_MAX];
static uint64_t commands[2 * COMMANDS_MAX];

static void call(const char *name, int fd, unsigned long request, void *argument) {
  if (ioctl(fd, request, argument) >= 0) return;
  perror(name);
  exit(1);
}

static uint64_t now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint32_t hwpt(uint32_t flags, uint32_t parent, const uint64_t *ste) {
  struct hwpt argument = {.size = sizeof argument, .flags = flags, .dev_id = device_id, .pt_id = parent};
  if (ste != NULL) {
    argument.data_type = ARM_SMMUV3_HWPT;
    argument.data_len = 16;
    argument.data = (uintptr_t)ste;
  }
  call("HWPT_ALLOC", iommufd, HWPT_ALLOC, &argument);
  return argument.out_id;
}

static void attach(uint32_t target) {
  struct attach argument = {.argsz = sizeof argument, .pt_id = target};
  call("ATTACH", device, VFIO_ATTACH, &argument);
}

static void destroy(uint32_t id) {
  struct destroy argument = {.size = sizeof argument, .id = id};
  call("DESTROY", iommufd, DESTROY, &argument);
}

static void bind_once(uint32_t unused) {
  // V, Config 0b101, a pointer; S1CIR and S1COR Write-Back, S1CSH Inner Shareable
  static const uint64_t STE[2] = {0x4001000bu, 0xd4u};
  (void)unused;
  uint32_t made = hwpt(0, viommu_id, STE);
  attach(made);
  if (nested != 0) destroy(nested);
  nested = made;
}

static void invalidate(uint32_t count) {
  struct invalidate argument = {.size = sizeof argument, .hwpt_id = viommu_id, .data = (uintptr_t)commands,
    .data_type = ARM_SMMUV3, .entry_len = 16, .entry_num = count};
  call("HWPT_INVALIDATE", iommufd, HWPT_INVALIDATE, &argument);
}

static int rising(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

static void measure(const char *name, void (*act)(uint32_t), uint32_t size, uint32_t count) {
  if (count > CALLS_MAX) exit(2);
  for (uint32_t n = 0; n < count / 10 + 1; n++) act(size);
  uint64_t before = now(CLOCK_PROCESS_CPUTIME_ID);
  for (uint32_t n = 0; n < count; n++) act(size);
  uint64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID) - before;
  for (uint32_t n = 0; n < count; n++) {
    uint64_t from = now(CLOCK_MONOTONIC);
    act(size);
    took[n] = now(CLOCK_MONOTONIC) - from;
  }
  qsort(took, count, sizeof took[0], rising);
  printf("%s %llu %llu %llu\n", name, (unsigned long long)(cpu / count), (unsigned long long)took[count / 2],
    (unsigned long long)took[count * 99 / 100]);
}

static void (*handed)(uint32_t);
static uint32_t handed_size;
static _Atomic uint32_t turn;
static int done, loop;

static void *other_thread(void *unused) {
  const uint64_t one = 1;
  for (uint32_t seen = 0;; seen++) {
    while (atomic_load(&turn) == seen) syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    handed(handed_size);
    if (write(done, &one, sizeof one) != sizeof one) exit(1);
  }
  return unused;
}

static void hand_over(uint32_t size) {
  struct epoll_event event;
  uint64_t answers;
  handed_size = size;
  atomic_fetch_add(&turn, 1);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  while (epoll_wait(loop, &event, 1, -1) != 1) continue;
  if (read(done, &answers, sizeof answers) != sizeof answers) exit(1);
}

static void measure_handed(const char *name, void (*act)(uint32_t), uint32_t size, uint32_t count) {
  handed = act;
  measure(name, hand_over, size, count);
}

static void start_other_thread(void) {
  pthread_t thread;
  struct epoll_event event = {.events = EPOLLIN};
  done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  loop = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ctl(loop, EPOLL_CTL_ADD, done, &event) != 0) exit(1);
  if (pthread_create(&thread, NULL, other_thread, NULL) != 0) exit(1);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  uint32_t binds = (uint32_t)atoi(argv[2]), batches = (uint32_t)atoi(argv[3]);
  iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
  device = open(argv[1], O_RDWR | O_CLOEXEC);
  struct bind bound = {.argsz = sizeof bound, .iommufd = iommufd};
  call("BIND", device, VFIO_BIND, &bound);
  device_id = bound.devid;
  struct ioas ioas = {.size = sizeof ioas};
  call("IOAS_ALLOC", iommufd, IOAS_ALLOC, &ioas);
  uint32_t parent = hwpt(NEST_PARENT, ioas.id, NULL);
  attach(parent);
  struct viommu viommu = {.size = sizeof viommu, .type = ARM_SMMUV3, .dev_id = device_id, .hwpt_id = parent};
  call("VIOMMU_ALLOC", iommufd, VIOMMU_ALLOC, &viommu);
  viommu_id = viommu.out_id;
  struct vdevice named = {.size = sizeof named, .viommu = viommu_id, .dev_id = device_id, .virt_id = 1};
  call("VDEVICE_ALLOC", iommufd, VDEVICE_ALLOC, &named);
  for (uint64_t n = 0; n < COMMANDS_MAX; n++) {
    commands[2 * n] = 0x12u | (UINT64_C(0x42) << 48); // CMD_TLBI_NH_VA of ASID 0x42
    commands[2 * n + 1] = 0x10000000u + 4096 * n;
  }
  measure("bind", bind_once, 0, binds);
  measure("invalidate-1", invalidate, 1, batches);
  measure("invalidate-64", invalidate, 64, batches);
  measure("invalidate-1024", invalidate, 1024, batches / 8 + 1);
  start_other_thread();
  measure_handed("bind-handed", bind_once, 0, binds);
  measure_handed("invalidate-1-handed", invalidate, 1, binds);
  measure_handed("invalidate-1024-handed", invalidate, 1024, batches / 8 + 1);
  return 0;
}
