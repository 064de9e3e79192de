// Sends signals, or provokes the kernel into sending them, one way for each first argument.
// Prints what a test wants to know, such as process ids, before the signal is sent.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *name, long number) { printf("%s=%ld\n", name, number); fflush(stdout); }
static long arg(char **argv, int i) { return argv[i] ? strtol(argv[i], NULL, 0) : 0; }

static sigset_t block(int signr)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signr);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return set;
}

static void *wait_in_thread(void *pipe)
{
	pid_t tid = syscall(SYS_gettid);
	if (write(((int *) pipe)[1], &tid, sizeof tid) != sizeof tid) abort();
	for (;;) pause();
}

// thread SIGNR: pthread_kill to a second thread that ignores it
static void to_thread(int signr)
{
	pthread_t thread;
	pid_t tid;
	int ends[2];
	signal(signr, SIG_IGN);
	if (pipe(ends) || pthread_create(&thread, NULL, wait_in_thread, ends)) abort();
	if (read(ends[0], &tid, sizeof tid) != sizeof tid) abort();
	say("pid", getpid());
	say("tid", tid);
	pthread_kill(thread, signr);
}

// pdeath SIGNR: a parent that ends, and a child that asked to be told
static void pdeath(int signr)
{
	int ends[2];
	char byte;
	pid_t child;
	if (pipe(ends)) abort();
	say("pid", getpid());
	if ((child = fork()) == 0) {
		sigset_t set = block(signr);
		prctl(PR_SET_PDEATHSIG, signr);
		if (write(ends[1], "x", 1) != 1) abort();
		sigwaitinfo(&set, NULL);
		exit(0);
	}
	say("child", child);
	if (read(ends[0], &byte, 1) != 1) abort();
}

// cpu: runs into its soft and then its hard limit
static void cpu(void)
{
	struct rlimit limit = {1, 2};
	signal(SIGXCPU, SIG_IGN);
	setrlimit(RLIMIT_CPU, &limit);
	say("pid", getpid());
	for (volatile long i = 0;; i++);
}

// seccomp: calls getppid(2), which a filter refuses with SIGSYS
static void refused(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof code / sizeof *code, code};
	say("pid", getpid());
	say("syscall", SYS_getppid);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
	syscall(SYS_getppid);
}

// timer SIGNR VALUE: timer_create(2)
static void timer(int signr, int value)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signr, .sigev_value.sival_int = value};
	struct itimerspec soon = {.it_value.tv_nsec = 1000000};
	timer_t id;
	signal(signr, SIG_IGN);
	say("pid", getpid());
	if (timer_create(CLOCK_MONOTONIC, &event, &id) || timer_settime(id, 0, &soon, NULL)) abort();
	usleep(50000);
}

// overflow SIGNR: fills the queue of pending signals of a user that has no others
static void overflow(int signr)
{
	struct rlimit limit = {3, 3};
	union sigval value = {0};
	block(signr);
	setrlimit(RLIMIT_SIGPENDING, &limit);
	if (setuid(64321)) abort();
	say("pid", getpid());
	for (int i = 0; i < 10; i++) sigqueue(getpid(), signr, value);
}

// title SIZE: claims a command line of that size, as any process may, and sends itself SIGUSR1
static void title(long size)
{
	static char text[4096];
	struct prctl_mm_map map = {.exe_fd = -1};
	unsigned long *members[55] = {[26] = (void *) &map.start_code, [27] = (void *) &map.end_code,
		[28] = (void *) &map.start_stack, [45] = (void *) &map.start_data, [46] = (void *) &map.end_data,
		[47] = (void *) &map.start_brk, [50] = (void *) &map.env_start, [51] = (void *) &map.env_end};
	char line[4096], *word = line;
	FILE *stat = fopen("/proc/self/stat", "r"); // proc(5) numbers its words from 1; ours has no space in its name
	if (!stat || !fgets(line, sizeof line, stat)) abort();
	for (int i = 1; i < 55 && (word = strtok(i == 1 ? line : NULL, " ")); i++)
		if (members[i]) *members[i] = strtoul(word, NULL, 10);
	memset(text, 'x', sizeof text);
	map.brk = (unsigned long) sbrk(0);
	map.arg_start = (unsigned long) text;
	map.arg_end = map.arg_start + size;
	say("pid", getpid());
	if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0)) abort();
	signal(SIGUSR1, SIG_IGN);
	kill(getpid(), SIGUSR1);
}

// execs COUNT: becomes itself that many times, while a timer sends SIGALRM every 100 us
static void execs(char **argv)
{
	struct itimerval often = {{0, 100}, {0, 100}};
	char count[16];
	snprintf(count, sizeof count, "%ld", arg(argv, 2) - 1);
	signal(SIGALRM, SIG_IGN);
	setitimer(ITIMER_REAL, &often, NULL);
	if (arg(argv, 2) > 0) execl("/proc/self/exe", argv[0], "execs", count, NULL);
}

static struct sockaddr_un unix_address(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	return address;
}

// busy PATH: a socket that nobody can connect to: its listener does not accept, and its queue is full
static void busy(const char *path)
{
	struct sockaddr_un address = unix_address(path);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (void *) &address, sizeof address) || listen(listener, 0)) abort();
	while (!connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *) &address, sizeof address));
	say("pid", getpid());
	for (;;) pause();
}

static int client_of(const char *path)
{
	struct sockaddr_un address = unix_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (void *) &address, sizeof address)) return fd;
	if (fd >= 0) close(fd);
	return -1;
}

// turns PATH COUNT: a signal to itself, and the next one only when the line of the one before has come, with pauses of
// up to a millisecond in between: one wake-up that gets lost, and it waits in vain
static int turns(const char *path, int count)
{
	static char lines[1 << 16];
	struct pollfd line = {.fd = client_of(path), .events = POLLIN};
	size_t kept = 0;
	char want[32];
	signal(34, SIG_IGN);
	usleep(200000);
	for (int i = 0; i < count; i++) {
		snprintf(want, sizeof want, "\"value\":%d,", i);
		sigqueue(getpid(), 34, (union sigval) {.sival_int = i});
		for (kept = 0;; kept += read(line.fd, lines + kept, sizeof lines - kept - 1)) {
			lines[kept] = 0;
			if (strstr(lines, want)) break;
			if (kept > sizeof lines / 2) kept = 0;
			if (poll(&line, 1, 2000) != 1) return say("stuck", i), 1;
		}
		if (i % 3) for (struct timespec pause = {0, rand() % 1000000}; pause.tv_nsec > 50000; pause.tv_nsec = 0)
			nanosleep(&pause, NULL);
	}
	say("turns", count);
	return 0;
}

// crowd PATH COUNT: that many clients, which read nothing
static void crowd(const char *path, int count)
{
	for (int i = 0; i < count; i++) if (client_of(path) < 0) perror("connect"), abort();
	say("pid", getpid());
	for (;;) pause();
}

// passers PATH COUNT: so many clients, one after the other, that leave as soon as they have read something
static void passers(const char *path, int count)
{
	char bytes[4096];
	for (int i = 0; i < count; i++) {
		int fd = client_of(path);
		if (fd < 0 || read(fd, bytes, sizeof bytes) <= 0) perror("passers"), abort();
		close(fd);
	}
	say("passed", count);
}

// trickle PATH SECONDS: prints what it reads, a byte a second at first
static void trickle(const char *path, int seconds)
{
	static char bytes[1 << 16];
	int fd = client_of(path);
	for (ssize_t got; (got = read(fd, bytes, seconds > 0 ? 1 : sizeof bytes)) > 0; seconds--) {
		if (write(1, bytes, got) != got) abort();
		if (seconds > 0) sleep(1);
	}
}

static volatile long called;
static void on_data(int signr) { (void) signr; called++; }
static void on_term(int signr) { (void) signr; say("called", called); _exit(0); }

// async PATH SIGNR: a client that wants this signal whenever there is something to read; 0: SIGIO, as by default
static void async(const char *path, int signr)
{
	char bytes[4096];
	int fd = client_of(path);
	signal(signr ? signr : SIGIO, on_data);
	signal(SIGTERM, on_term);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETSIG, signr);
	fcntl(fd, F_SETFL, O_ASYNC);
	say("pid", getpid());
	for (;; usleep(1000)) // one that waits in read(2) gets none
		if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) == 0) exit(1);
}

static long refusals, entries;
static void on_term_count(int signr) { (void) signr; say("refused", refusals); say("entered", entries); _exit(0); }

// intrude PATH: tries to connect until SIGTERM
static void intrude(const char *path)
{
	signal(SIGTERM, on_term_count);
	for (;;) {
		int fd = client_of(path);
		if (fd >= 0) entries++, close(fd);
		else if (errno == EACCES) refusals++;
	}
}

// plant PATH VICTIM: puts a link to VICTIM, a file, a stale socket there, over and over, until SIGTERM
static void plant(const char *path, const char *victim)
{
	struct sockaddr_un address = unix_address(path);
	for (int i = 0;; i++) {
		int fd = -1;
		if (i % 3 == 0) fd = symlink(victim, path);
		if (i % 3 == 1) fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0666);
		if (i % 3 == 2 && bind(fd = socket(AF_UNIX, SOCK_STREAM, 0), (void *) &address, sizeof address)) errno = 0;
		usleep(rand() % 2000);
		if (i % 3 && fd >= 0) close(fd);
		unlink(path);
	}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	if (!strcmp(how, "queue")) { // PID SIGNR VALUE [COUNT]: values count up
		union sigval value = {.sival_int = arg(argv, 4)};
		for (long left = argv[5] ? arg(argv, 5) : 1; left > 0; left--, value.sival_int++)
			if (sigqueue(arg(argv, 2), arg(argv, 3), value)) return perror("sigqueue"), 1;
	} else if (!strcmp(how, "raise")) {
		say("pid", getpid());
		signal(arg(argv, 2), SIG_IGN);
		raise(arg(argv, 2));
	} else if (!strcmp(how, "thread")) to_thread(arg(argv, 2));
	else if (!strcmp(how, "ignore")) {
		signal(arg(argv, 2), SIG_IGN);
		say("pid", getpid());
		for (;;) pause();
	} else if (!strcmp(how, "block")) {
		block(arg(argv, 2));
		say("pid", getpid());
		for (;;) pause();
	} else if (!strcmp(how, "segv")) { // ADDRESS
		say("pid", getpid());
		*(volatile char *) arg(argv, 2) = 1;
	} else if (!strcmp(how, "alarm")) {
		say("pid", getpid());
		alarm(1);
		pause();
	} else if (!strcmp(how, "named")) { // NAME: calls itself that, then sends itself SIGUSR1
		prctl(PR_SET_NAME, argv[2]);
		say("pid", getpid());
		signal(SIGUSR1, SIG_IGN);
		kill(getpid(), SIGUSR1);
	} else if (!strcmp(how, "timer")) timer(arg(argv, 2), arg(argv, 3));
	else if (!strcmp(how, "pdeath")) pdeath(arg(argv, 2));
	else if (!strcmp(how, "title")) title(arg(argv, 2));
	else if (!strcmp(how, "execs")) execs(argv);
	else if (!strcmp(how, "busy")) busy(argv[2]);
	else if (!strcmp(how, "cpu")) cpu();
	else if (!strcmp(how, "seccomp")) refused();
	else if (!strcmp(how, "overflow")) overflow(arg(argv, 2));
	else if (!strcmp(how, "turns")) return turns(argv[2], arg(argv, 3));
	else if (!strcmp(how, "crowd")) crowd(argv[2], arg(argv, 3));
	else if (!strcmp(how, "passers")) passers(argv[2], arg(argv, 3));
	else if (!strcmp(how, "trickle")) trickle(argv[2], arg(argv, 3));
	else if (!strcmp(how, "async")) async(argv[2], arg(argv, 3));
	else if (!strcmp(how, "intrude")) intrude(argv[2]);
	else if (!strcmp(how, "plant")) plant(argv[2], argv[3]);
	else return fprintf(stderr, "sender: what is %s?\n", how), 2;
	return 0;
}
