// Makes and takes the load that test/bench measures.
//
//   load send COUNT [RATE]          signals to a child that ignores them, flat out or so many a second; prints JSON
//   load read KEY [SOCKET [N]]      lines from standard input, or from N clients of a socket, until SIGTERM; prints JSON
//
// Each signal carries the microsecond at which it is sent, in si_value and si_errno: a reader that finds it after KEY
// in a line knows how long the line took.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 64, BUFFER = 1 << 18, LATENCIES = 1 << 22, STAMP = 0x3fffffff };

static long now(void) // ns
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static int send_signals(long count, double rate)
{
	int ready[2];
	char byte;
	pid_t child;
	cpu_set_t first;
	siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};

	if (pipe(ready)) return 1;
	if ((child = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGUSR1, SIG_IGN);
		if (write(ready[1], "x", 1) != 1) exit(1);
		for (;;) pause();
	}
	if (read(ready[0], &byte, 1) != 1) return 1;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof first, &first);

	long start = now();
	for (long i = 0; i < count; i++) {
		if (rate > 0) {
			long due = start + (long) (i * 1e9 / rate);
			struct timespec until = {due / 1000000000, due % 1000000000};
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
			info.si_errno = info.si_value.sival_int = now() / 1000 & STAMP;
		}
		syscall(SYS_rt_sigqueueinfo, child, SIGUSR1, &info);
	}
	printf("{\"sent\":%ld,\"ns\":%.1f}\n", count, (double) (now() - start) / count);
	kill(child, SIGKILL);
	return 0;
}

static volatile sig_atomic_t stop;
static void on_term(int signr) { (void) signr; stop = 1; }
static int by_size(const void *a, const void *b) { return *(int *) a - *(int *) b; }

static struct client { int fd; size_t kept; char bytes[BUFFER]; } clients[CLIENTS];
static long lines, latency_count, first_read, last_read, told;
static int latencies[LATENCIES];

static void take(struct client *client, const char *key)
{
	long got = read(client->fd, client->bytes + client->kept, BUFFER - client->kept - 1), at = now();
	if (got <= 0) {
		client->fd = -1;
		return;
	}
	if (!first_read) first_read = at;
	last_read = at;
	char *line = client->bytes, *end = client->bytes + client->kept + got, *newline;
	*end = 0;
	for (; (newline = memchr(line, '\n', end - line)); line = newline + 1) {
		char *value = memmem(line, newline - line, key, strlen(key));
		char *lost = memmem(line, newline - line, "{\"lost\":", 8), *dropped = memmem(line, newline - line, "{\"dropped\":", 11);
		if (lost) told += atol(lost + 8);
		if (dropped) told += atol(dropped + 11);
		if (!value) continue;
		lines++;
		long stamp = atol(value + strlen(key));
		if (stamp > 0 && latency_count < LATENCIES) latencies[latency_count++] = (at / 1000 - stamp) & STAMP;
	}
	client->kept = end - line;
	memmove(client->bytes, line, client->kept);
}

static int read_lines(const char *key, const char *path, int count)
{
	struct pollfd fds[CLIENTS];
	for (int i = 0; i < count; i++) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		if (path) {
			snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
			clients[i].fd = socket(AF_UNIX, SOCK_STREAM, 0);
			if (connect(clients[i].fd, (void *) &address, sizeof address)) return perror(path), 1;
		}
	}
	for (int open = count; open && !stop;) {
		open = 0;
		for (int i = 0; i < count; i++) {
			fds[i] = (struct pollfd) {.fd = clients[i].fd, .events = POLLIN};
			open += clients[i].fd >= 0;
		}
		if (poll(fds, count, -1) < 0) break;
		for (int i = 0; i < count; i++) if (fds[i].revents) take(&clients[i], key);
	}
	qsort(latencies, latency_count, sizeof *latencies, by_size);
	printf("{\"lines\":%ld,\"told\":%ld,\"secs\":%.6f,\"p50\":%d,\"p99\":%d}\n", lines, told, (last_read - first_read) / 1e9,
		latencies[latency_count / 2], latencies[latency_count * 99 / 100]);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_term};
	sigaction(SIGTERM, &action, NULL);
	if (argc > 2 && !strcmp(argv[1], "send")) return send_signals(atol(argv[2]), argc > 3 ? atof(argv[3]) : 0);
	if (argc > 2 && !strcmp(argv[1], "read"))
		return read_lines(argv[2], argc > 3 ? argv[3] : NULL, argc > 4 ? atoi(argv[4]) : 1);
	return fprintf(stderr, "load: send COUNT [RATE] | read KEY [SOCKET [N]]\n"), 2;
}
