// Sends signals, or provokes the kernel into sending them, one way for each first argument.
// Prints what a test wants to know, such as process ids, before the signal is sent.
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

// busy PATH: a socket that nobody can connect to: its listener does not accept, and its queue is full
static void busy(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (bind(listener, (void *) &address, sizeof address) || listen(listener, 0)) abort();
	while (!connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *) &address, sizeof address));
	say("pid", getpid());
	for (;;) pause();
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
	else if (!strcmp(how, "busy")) busy(argv[2]);
	else if (!strcmp(how, "cpu")) cpu();
	else if (!strcmp(how, "seccomp")) refused();
	else if (!strcmp(how, "overflow")) overflow(arg(argv, 2));
	else return fprintf(stderr, "sender: what is %s?\n", how), 2;
	return 0;
}
