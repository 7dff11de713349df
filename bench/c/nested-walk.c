// Nested translation as a C programmer would write it for one fixed configuration: 4 KiB granule, 48 bits, four levels
// in each stage, valid, Access flag and permission checks. It walks the memory image that bench/translate.ts made for the
// engine, so both read the same tables. Prints CPU nanoseconds for each translation and the sum of the results.
// usage: nested-walk IMAGE BASE TTB S2TTB IOVA PAGES MODE COUNT (numbers in decimal; MODE cold, walk-cache or tlb)
// Source: IHI 0070G.b §3.3.3; DDI 0487 D8.3.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ADDRESS 0x0000fffffffff000ull
#define FAULT UINT64_MAX
#define AF (1ull << 10)
#define S1_USER (1ull << 6)
#define S2_READ (1ull << 6)
#define CACHE 1024
#define TLB 8192
#define SEQUENCE 65536

typedef struct {
  uint64_t tag, value;
} entry;

static const char *memory;
static uint64_t memory_base, memory_bytes, ttb, s2ttb;
static entry s1_tables[CACHE], s2_tables[CACHE], tlb[TLB];

static inline int fetch(uint64_t pa, uint64_t *descriptor) {
  uint64_t offset = pa - memory_base;
  if (offset >= memory_bytes) return 0;
  *descriptor = *(const uint64_t *)(memory + offset);
  return 1;
}

static inline uint64_t leaf2(uint64_t table, uint64_t ipa) {
  uint64_t d;
  if (!fetch(table + (ipa >> 12 & 511) * 8, &d) || (d & 3) != 3 || !(d & AF) || !(d & S2_READ)) return FAULT;
  return (d & ADDRESS) | (ipa & 0xfff);
}

/* The table that holds the leaf, or FAULT. */
static inline uint64_t table2(uint64_t ipa) {
  uint64_t d;
  if (!fetch(s2ttb + (ipa >> 39 & 511) * 8, &d) || (d & 3) != 3) return FAULT;
  if (!fetch((d & ADDRESS) + (ipa >> 30 & 511) * 8, &d) || (d & 3) != 3) return FAULT;
  if (!fetch((d & ADDRESS) + (ipa >> 21 & 511) * 8, &d) || (d & 3) != 3) return FAULT;
  return d & ADDRESS;
}

static inline uint64_t stage2_cold(uint64_t ipa) {
  if (ipa >> 48) return FAULT;
  uint64_t table = table2(ipa);
  return table == FAULT ? FAULT : leaf2(table, ipa);
}

static inline uint64_t stage2_cached(uint64_t ipa) {
  if (ipa >> 48) return FAULT;
  entry *slot = &s2_tables[ipa >> 21 & (CACHE - 1)];
  if (slot->tag != (ipa >> 21) + 1) {
    uint64_t table = table2(ipa);
    if (table == FAULT) return FAULT;
    slot->tag = (ipa >> 21) + 1;
    slot->value = table;
  }
  return leaf2(slot->value, ipa);
}

__attribute__((noinline)) uint64_t translate_cold(uint64_t iova) {
  uint64_t table = ttb, d = 0, pa;
  if (iova >> 48) return FAULT;
  for (int shift = 39; shift >= 12; shift -= 9) {
    pa = stage2_cold(table + (iova >> shift & 511) * 8);
    if (pa == FAULT || !fetch(pa, &d) || (d & 3) != 3) return FAULT;
    table = d & ADDRESS;
  }
  if (!(d & AF) || !(d & S1_USER)) return FAULT;
  return stage2_cold(table | (iova & 0xfff));
}

__attribute__((noinline)) uint64_t translate_walk_cache(uint64_t iova) {
  uint64_t d, pa;
  if (iova >> 48) return FAULT;
  entry *slot = &s1_tables[iova >> 21 & (CACHE - 1)];
  if (slot->tag != (iova >> 21) + 1) {
    uint64_t table = ttb;
    for (int shift = 39; shift > 12; shift -= 9) {
      pa = stage2_cached(table + (iova >> shift & 511) * 8);
      if (pa == FAULT || !fetch(pa, &d) || (d & 3) != 3) return FAULT;
      table = d & ADDRESS;
    }
    if ((table = stage2_cached(table)) == FAULT) return FAULT;
    slot->tag = (iova >> 21) + 1;
    slot->value = table;
  }
  if (!fetch(slot->value + (iova >> 12 & 511) * 8, &d) || (d & 3) != 3 || !(d & AF) || !(d & S1_USER)) return FAULT;
  return stage2_cached((d & ADDRESS) | (iova & 0xfff));
}

__attribute__((noinline)) uint64_t translate_tlb(uint64_t iova) {
  entry *slot = &tlb[iova >> 12 & (TLB - 1)];
  if (slot->tag == (iova >> 12) + 1) return slot->value | (iova & 0xfff);
  uint64_t pa = translate_walk_cache(iova);
  if (pa == FAULT) return FAULT;
  slot->tag = (iova >> 12) + 1;
  slot->value = pa & ~0xfffull;
  return pa;
}

static uint64_t run(uint64_t (*translate)(uint64_t), const uint32_t *pages, uint64_t iova, long count) {
  uint64_t sum = 0;
  for (long i = 0; i < count; i++) sum += (uint32_t)translate(iova + ((uint64_t)pages[i % SEQUENCE] << 12) + 8 * (i & 511));
  return sum;
}

static double cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(int argc, char **argv) {
  static uint32_t pages[SEQUENCE];
  if (argc != 9) return 2;
  FILE *image = fopen(argv[1], "rb");
  if (!image) return 2;
  fseek(image, 0, SEEK_END);
  memory_bytes = (uint64_t)ftell(image);
  rewind(image);
  char *words = malloc(memory_bytes);
  if (!words || fread(words, 1, memory_bytes, image) != memory_bytes) return 2;
  memory = words;
  memory_base = strtoull(argv[2], 0, 10);
  ttb = strtoull(argv[3], 0, 10);
  s2ttb = strtoull(argv[4], 0, 10);
  uint64_t iova = strtoull(argv[5], 0, 10);
  uint32_t count_pages = (uint32_t)strtoul(argv[6], 0, 10), state = 0x9e3779b9;
  long count = strtol(argv[8], 0, 10);
  uint64_t (*translate)(uint64_t) = !strcmp(argv[7], "cold")         ? translate_cold
                                    : !strcmp(argv[7], "walk-cache") ? translate_walk_cache
                                                                     : translate_tlb;
  for (int i = 0; i < SEQUENCE; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    pages[i] = state % count_pages;
  }
  uint64_t sum = run(translate, pages, iova, SEQUENCE);
  double before = cpu_ns();
  run(translate, pages, iova, count);
  printf("%.3f %llu\n", (cpu_ns() - before) / count, (unsigned long long)sum);
  return 0;
}
