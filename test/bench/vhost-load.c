// A guest without a guest: a vhost-user front-end that shares memory with a device, and keeps so many reads or writes under way in
// one ring. It is lean, so that what is measured is the device. Of virtio-scsi (LUN 0 of target 1) and of virtio-blk.
//   vhost-load scsi|blk SOCKET read|write|randread|randwrite BYTES DEPTH SECONDS DISK-BYTES
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RING 256
#define DEPTH_MAX 256
// Of one request, in its own part of the memory: table, header, response; its data lies behind all of them.
#define SLOT 512
#define HEADER 128
#define RESPONSE 256
#define SAMPLES_MAX 4000000

enum { GET_FEATURES = 1, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 5, SET_VRING_NUM = 8, SET_VRING_ADDR, SET_VRING_BASE,
  SET_VRING_KICK = 12, SET_VRING_CALL, GET_PROTOCOL = 15, SET_PROTOCOL, SET_VRING_ENABLE = 18 };
#define INDIRECT (1ull << 28)
#define EVENT_IDX (1ull << 29)
#define PROTOCOL (1ull << 30)
#define VERSION_1 (1ull << 32)
#define GUEST 0x100000000ull

struct desc { uint64_t at; uint32_t length; uint16_t flags, next; };
struct avail { uint16_t flags; _Atomic uint16_t index; uint16_t ring[RING]; _Atomic uint16_t used_event; };
struct used { uint16_t flags; _Atomic uint16_t index; struct { uint32_t id, length; } ring[RING]; _Atomic uint16_t avail_event; };

static int sock, is_scsi, writes, is_random, depth;
static uint32_t bytes;
static uint64_t disk, last, state = 88172645463325252ull;
static char *memory;
static struct desc *table;
static struct avail *available;
static struct used *used;
static uint64_t began[DEPTH_MAX];
static uint32_t samples[SAMPLES_MAX];

static void fail(const char *what) { fprintf(stderr, "%s: %s\n", what, strerror(errno)); exit(1); }

static void tell(uint32_t request, const void *payload, uint32_t length, int fd) {
  uint32_t head[3] = {request, 1, length};
  struct iovec parts[2] = {{head, 12}, {(void *)payload, length}};
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = length ? 2 : 1};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  if (sendmsg(sock, &message, 0) != (ssize_t)(12 + length)) fail("sendmsg");
}

static uint64_t ask(uint32_t request) {
  uint32_t head[3];
  uint64_t value = 0;
  tell(request, NULL, 0, -1);
  if (recv(sock, head, 12, MSG_WAITALL) != 12 || head[2] != 8 || recv(sock, &value, 8, MSG_WAITALL) != 8) fail("no answer");
  return value;
}

static void tell_number(uint32_t request, uint64_t value, int fd) { tell(request, &value, 8, fd); }
static void tell_ring(uint32_t request, uint32_t ring, uint32_t value) { uint32_t state[2] = {ring, value}; tell(request, state, 8, -1); }

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t next_place(void) {
  uint64_t blocks = disk / bytes;
  if (!is_random) return last = (last + 1) % blocks, last * bytes;
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state % blocks * bytes;
}

static void set(struct desc *one, char *at, uint32_t length, int write, int next) {
  *one = (struct desc){GUEST + (at - memory), length, (write ? 2 : 0) | (next ? 1 : 0), next};
}

// The parts of a request stay as they are; its place on the disk changes.
static void prepare(int slot, char *data) {
  char *own = memory + 65536 + slot * SLOT;
  struct desc *chain = (struct desc *)own;
  uint32_t header = is_scsi ? 51 : 16, response = is_scsi ? 108 : 1;
  if (is_scsi) {
    own[HEADER] = 1, own[HEADER + 1] = 1, own[HEADER + 2] = 0x40;
    own[HEADER + 8] = slot + 1;
    own[HEADER + 19] = writes ? 0x8a : 0x88;
    uint32_t blocks = bytes / 512;
    for (int i = 0; i < 4; i++) own[HEADER + 19 + 10 + i] = blocks >> (24 - 8 * i);
  } else own[HEADER] = writes;
  set(&chain[0], own + HEADER, header, 0, 1);
  // A response comes before data of virtio-scsi, and behind that of virtio-blk.
  if (writes || !is_scsi) set(&chain[1], data, bytes, !writes, 2), set(&chain[2], own + RESPONSE, response, 1, 0);
  else set(&chain[1], own + RESPONSE, response, 1, 2), set(&chain[2], data, bytes, 1, 0);
  table[slot] = (struct desc){GUEST + (own - memory), 3 * sizeof(struct desc), 4, 0};
}

static void submit(int slot, uint16_t *index) {
  char *own = memory + 65536 + slot * SLOT;
  uint64_t block = next_place() / 512;
  if (is_scsi) for (int i = 0; i < 8; i++) own[HEADER + 19 + 2 + i] = block >> (56 - 8 * i);
  else memcpy(own + HEADER + 8, &block, 8);
  own[RESPONSE] = (char)0xff, own[RESPONSE + 10] = (char)0xff, own[RESPONSE + 11] = (char)0xff;
  began[slot] = now();
  available->ring[(*index)++ % RING] = slot;
}

// A unit tells first what happened to it (SAM-5 5.14): so often a request may come to nothing.
static void check(int slot) {
  static int attentions = 8;
  char *response = memory + 65536 + slot * SLOT + RESPONSE;
  if (!(is_scsi ? response[10] || response[11] : response[0])) return;
  if (attentions-- > 0 && is_scsi && response[10] == 2 && (response[12 + 2] & 15) == 6) return;
  fprintf(stderr, "a request failed: response %d, status %d\n", response[11], response[10]);
  exit(1);
}

static int by_value(const void *a, const void *b) { return *(uint32_t *)a < *(uint32_t *)b ? -1 : *(uint32_t *)a > *(uint32_t *)b; }

int main(int count, char **words) {
  if (count != 8) return fprintf(stderr, "vhost-load scsi|blk SOCKET MODE BYTES DEPTH SECONDS DISK-BYTES\n"), 2;
  is_scsi = !strcmp(words[1], "scsi");
  is_random = !strncmp(words[3], "rand", 4);
  writes = !!strstr(words[3], "write");
  bytes = atoi(words[4]), depth = atoi(words[5]), disk = strtoull(words[7], NULL, 10);
  double seconds = atof(words[6]);
  if (depth < 1 || depth > DEPTH_MAX) return fprintf(stderr, "depth\n"), 2;
  uint64_t size = (65536 + DEPTH_MAX * SLOT + (uint64_t)depth * bytes + 4095) & ~4095ull;
  int fd = memfd_create("guest", MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, size) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)) fail("memory");
  memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) fail("mmap");
  memset(memory, 0, size);
  table = (struct desc *)memory, available = (struct avail *)(memory + 8192), used = (struct used *)(memory + 16384);

  struct sockaddr_un address = {AF_UNIX, ""};
  strncpy(address.sun_path, words[2], sizeof address.sun_path - 1);
  sock = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(sock, (void *)&address, sizeof address)) fail(words[2]);
  uint64_t wanted = VERSION_1 | PROTOCOL | EVENT_IDX | INDIRECT;
  if (wanted & ~ask(GET_FEATURES)) return fprintf(stderr, "the device lacks a feature\n"), 1;
  ask(GET_PROTOCOL);
  tell_number(SET_PROTOCOL, 0, -1);
  tell(SET_OWNER, NULL, 0, -1);
  tell_number(SET_FEATURES, wanted, -1);
  uint64_t regions[5] = {1, GUEST, size, (uint64_t)memory, 0};
  tell(SET_MEM_TABLE, regions, 40, fd);
  int kick = eventfd(0, 0), call = eventfd(0, 0);
  uint32_t ring = is_scsi ? 2 : 0;
  tell_ring(SET_VRING_NUM, ring, RING);
  tell_ring(SET_VRING_BASE, ring, 0);
  uint64_t places[5] = {ring, (uint64_t)table, (uint64_t)used, (uint64_t)available, 0};
  tell(SET_VRING_ADDR, places, 40, -1);
  tell_number(SET_VRING_CALL, ring, call);
  tell_number(SET_VRING_KICK, ring, kick);
  tell_ring(SET_VRING_ENABLE, ring, 1);

  uint16_t index = 0, seen = 0, shown = 0;
  uint64_t done = 0, kept = 0;
  for (int slot = 0; slot < depth; slot++) {
    prepare(slot, memory + 65536 + DEPTH_MAX * SLOT + (uint64_t)slot * bytes);
    submit(slot, &index);
  }
  uint64_t begin = now(), end = begin + (uint64_t)(seconds * 1e9), time = begin, one = 1;
  while (time < end) {
    atomic_store(&available->index, index);
    // A kick is wanted when the event index was passed (VIRTIO 1.2 2.7.10).
    atomic_thread_fence(memory_order_seq_cst);
    if ((uint16_t)(index - atomic_load(&used->avail_event) - 1) < (uint16_t)(index - shown) && write(kick, &one, 8) != 8) fail("kick");
    shown = index;
    while (atomic_load(&used->index) == seen) {
      atomic_store(&available->used_event, seen);
      atomic_thread_fence(memory_order_seq_cst);
      if (atomic_load(&used->index) != seen) break;
      // The device may have made it one that does not wait.
      struct pollfd waits = {call, POLLIN, 0};
      uint64_t calls;
      if (poll(&waits, 1, 10000) != 1) errno = ETIMEDOUT, fail("no answer");
      if (read(call, &calls, 8) != 8 && errno != EAGAIN) fail("call");
    }
    time = now();
    for (uint16_t upto = atomic_load(&used->index); seen != upto; seen++) {
      int slot = used->ring[seen % RING].id;
      check(slot);
      if (kept < SAMPLES_MAX) samples[kept++] = (time - began[slot]) / 1000;
      done++;
      submit(slot, &index);
    }
  }
  qsort(samples, kept, sizeof *samples, by_value);
  printf("iops=%.0f p50=%u p99=%u\n", done / ((time - begin) / 1e9), samples[kept / 2], samples[kept * 99 / 100]);
  return 0;
}
