/* Preloaded into slirp 1.0.17: its sockets get TCP_NODELAY. With Nagle's algorithm each write waits for a delayed ACK. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int connect(int socket, const struct sockaddr *address, socklen_t length)
{
	int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
	int on = 1;

	setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on UDP, which is right */
	return next(socket, address, length);
}
