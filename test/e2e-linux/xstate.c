/*
 * Preloaded into User Mode Linux 6.1, which has room for 2696 bytes of a process's floating point state. A CPU with AMX
 * has more of it, and the kernel takes the state only as a whole (EFAULT otherwise): the guest's init would die.
 * What is read is cut to the room there is; what is written is filled up with state as it is at the start.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/types.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

/* Where an XSAVE area says which components are in it, and those that lie within the first 2696 bytes: all up to PKRU. */
#define XSTATE_BV 512
#define KNOWN UINT64_C(0x2ff)

typedef long (*ptrace_call)(int, pid_t, void *, void *);

static uint8_t area[1 << 16] __attribute__((aligned(64)));

static void forget_unknown(void *state)
{
	uint64_t present;

	memcpy(&present, (uint8_t *)state + XSTATE_BV, sizeof present);
	present &= KNOWN;
	memcpy((uint8_t *)state + XSTATE_BV, &present, sizeof present);
}

long ptrace(enum __ptrace_request request, ...)
{
	static size_t whole;
	ptrace_call next = (ptrace_call)dlsym(RTLD_NEXT, "ptrace");
	int gets = (int)request == PTRACE_GETREGSET, sets = (int)request == PTRACE_SETREGSET;
	struct iovec ours = { area, sizeof area }, *theirs;
	va_list words;
	pid_t pid;
	void *address, *data;
	long result;

	va_start(words, request);
	pid = va_arg(words, pid_t);
	address = va_arg(words, void *);
	data = va_arg(words, void *);
	va_end(words);
	if (!(gets || sets) || (long)address != NT_X86_XSTATE)
		return next(request, pid, address, data);
	theirs = data;
	if (gets || whole == 0) {
		result = next(PTRACE_GETREGSET, pid, address, &ours);
		if (result != 0)
			return result;
		whole = ours.iov_len;
	}
	if (theirs->iov_len >= whole)
		return next(request, pid, address, data);
	if (gets) {
		memcpy(theirs->iov_base, area, theirs->iov_len);
		forget_unknown(theirs->iov_base);
		return 0;
	}
	memset(area, 0, whole);
	memcpy(area, theirs->iov_base, theirs->iov_len);
	forget_unknown(area);
	ours.iov_len = whole;
	return next(PTRACE_SETREGSET, pid, address, &ours);
}
