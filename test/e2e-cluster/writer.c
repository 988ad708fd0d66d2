/*
 * writer DEVICE FIRST-BLOCK BLOCKS THREADS SEED RECORD: writes blocks of 4 KiB in random order, each by O_DIRECT and O_DSYNC (FUA, or
 * a flush behind it), and remembers of every block the last write that it asked for and the last that was acknowledged. What it
 * has been told is written it reads back at random: anything older, newer or torn ends it. SIGTERM makes it stop and write the
 * record: two 32-bit numbers for each block. SIGUSR1 forgets the longest times. /tmp/writer.state has its figures.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, SECTOR = 512 };
struct entry { uint32_t issued, acknowledged; };
struct stamp { uint64_t magic; uint32_t block, sequence, sector, seed; };
static const uint64_t magic = 0x74636c6970616972ULL;

static struct entry *record;
static uint32_t first, blocks, threads, seed;
static const char *device;
static volatile sig_atomic_t over, forget;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t acknowledged, reads, last, longest_gap, longest_write;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}
static void die(const char *what, uint32_t block, const char *why) {
  fprintf(stderr, "writer: %s block %u: %s\n", what, block, why);
  fflush(stderr);
  _exit(2);
}
static uint32_t chance(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static void *work(void *argument) {
  uint32_t mine = (uint32_t)(uintptr_t)argument, state = seed * 2654435761u + mine * 40503u + 1;
  uint32_t share = blocks / threads, start = mine * share;
  unsigned char *data;
  int fd = open(device, O_RDWR | O_DIRECT | O_DSYNC);
  if (fd < 0 || posix_memalign((void **)&data, BLOCK, BLOCK)) die("open", 0, strerror(errno));
  while (!over) {
    uint32_t block = start + chance(&state) % share;
    off_t at = (off_t)(first + block) * BLOCK;
    if (chance(&state) % 4 == 0) {
      if (pread(fd, data, BLOCK, at) != BLOCK) die("read", block, strerror(errno));
      for (int sector = 0; sector < BLOCK / SECTOR; sector++) {
        struct stamp s;
        memcpy(&s, data + sector * SECTOR, sizeof s);
        if (record[block].acknowledged == 0 && s.magic == 0) continue;
        if (s.magic != magic || s.block != block || s.sector != (uint32_t)sector || s.seed != seed ||
            s.sequence != record[block].acknowledged) {
          char text[160];
          snprintf(text, sizeof text, "sector %d has block %u, write %u of seed %u, not write %u", sector, s.block, s.sequence,
                   s.seed, record[block].acknowledged);
          die("wrong data in", block, text);
        }
      }
      __atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED);
      continue;
    }
    uint32_t sequence = ++record[block].issued;
    memset(data, (int)sequence, BLOCK);
    for (int sector = 0; sector < BLOCK / SECTOR; sector++) {
      struct stamp s = { magic, block, sequence, (uint32_t)sector, seed };
      memcpy(data + sector * SECTOR, &s, sizeof s);
    }
    uint64_t begun = now();
    if (pwrite(fd, data, BLOCK, at) != BLOCK) die("write", block, strerror(errno));
    record[block].acknowledged = sequence;
    pthread_mutex_lock(&lock);
    uint64_t ended = now();
    acknowledged++;
    if (last && ended - last > longest_gap) longest_gap = ended - last;
    if (ended - begun > longest_write) longest_write = ended - begun;
    last = ended;
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

static void on_term(int s) { (void)s; over = 1; }
static void on_usr1(int s) { (void)s; forget = 1; }

static void state(void) {
  pthread_mutex_lock(&lock);
  if (forget) longest_gap = longest_write = forget = 0;
  uint64_t silent = last ? now() - last : 0;
  FILE *file = fopen("/tmp/writer.new", "w");
  fprintf(file, "{\"acknowledged\":%llu,\"reads\":%llu,\"longestGapMs\":%llu,\"longestWriteMs\":%llu,\"silentMs\":%llu}\n",
          (unsigned long long)acknowledged, (unsigned long long)reads, (unsigned long long)longest_gap,
          (unsigned long long)longest_write, (unsigned long long)silent);
  fclose(file);
  rename("/tmp/writer.new", "/tmp/writer.state");
  pthread_mutex_unlock(&lock);
}

int main(int count, char **words) {
  if (count != 7) return 64;
  device = words[1], first = atoi(words[2]), blocks = atoi(words[3]), threads = atoi(words[4]), seed = atoi(words[5]);
  record = calloc(blocks, sizeof *record);
  signal(SIGTERM, on_term);
  signal(SIGUSR1, on_usr1);
  pthread_t *all = calloc(threads, sizeof *all);
  for (uint32_t i = 0; i < threads; i++) pthread_create(&all[i], NULL, work, (void *)(uintptr_t)i);
  while (!over) {
    state();
    usleep(100000);
  }
  for (uint32_t i = 0; i < threads; i++) pthread_join(all[i], NULL);
  state();
  FILE *file = fopen(words[6], "w");
  if (!file || fwrite(record, sizeof *record, blocks, file) != blocks || fclose(file)) die("record", 0, strerror(errno));
  return 0;
}
