// Sends signals, or provokes the kernel into sending them, and is a client of every kind: one WAY for each first
// argument, with what may follow it. Prints what a test wants to know, such as process ids, before a signal is sent.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct { const char *name, *arguments; void (*go)(void); } ways[50];
static int known;
static void know(const char *name, const char *arguments, void (*go)(void)) {
	ways[known].name = name, ways[known].arguments = arguments, ways[known++].go = go;
}
#define WAY(way, arguments) static void way##_way(void); \
	__attribute__((constructor)) static void know_##way(void) { know(#way, arguments, way##_way); } \
	static void way##_way(void)

static int count;
static char **words; // what follows the way's name
static const char *text(int i) { return i < count ? words[i] : ""; }
static long number(int i) { return strtol(text(i), NULL, 0); }
static int is(int i, const char *word) { return !strcmp(text(i), word); }

static void say(const char *name, long number) { printf("%s=%ld\n", name, number); fflush(stdout); }
static void say_pid(void) { say("pid", getpid()); }
static void must(int done, const char *what) { if (!done) perror(what), exit(1); }
static void ignore(int signr) { signal(signr, SIG_IGN); say_pid(); }
static void rest(void) { for (;;) pause(); }
static sigset_t *only(int signr) { static sigset_t set; sigemptyset(&set); sigaddset(&set, signr); return &set; }

static volatile pid_t thread_id;
static void *wait_in_thread(void *unused) { thread_id = syscall(SYS_gettid); rest(); return unused; }
static void in_thread(void *(*go)(void *)) {
	pthread_t thread;
	must(!pthread_create(&thread, NULL, go, NULL), "pthread_create");
	while (go == wait_in_thread && !thread_id) usleep(1000);
}

static pid_t child_that(void (*goes)(void)) { // and ends with its parent
	pid_t child = fork();
	if (!child) prctl(PR_SET_PDEATHSIG, SIGKILL), goes();
	return child;
}

static volatile sig_atomic_t stopped;
static void on_term(int signr) { (void) signr; stopped = 1; }
static void heed_term(void) { // in connect(2), too: signal(3) would have that go on
	struct sigaction action = {.sa_handler = on_term};
	sigaction(SIGTERM, &action, NULL);
}

// Signals

static void queue_to(pid_t pid, int signr, int code, int value) { // as sigqueue(3) does, which takes no code
	siginfo_t info = {.si_code = code};
	info.si_pid = getpid(), info.si_value.sival_int = value;
	must(!syscall(SYS_rt_sigqueueinfo, pid, signr, &info), "rt_sigqueueinfo");
}
WAY(queue, "PID SIGNR VALUE [CODE]: sigqueue") {
	queue_to(number(0), number(1), count > 3 ? number(3) : SI_QUEUE, number(2));
}
WAY(values, "VALUE [COUNT]: the same with signal 34, to itself, who ignores it, with values that count up") {
	ignore(34);
	for (long i = 0; i == 0 || i < number(1); i++) queue_to(getpid(), 34, SI_QUEUE, number(0) + i);
}
WAY(raise, "SIGNR [NAME]: which it ignores, and is called that") {
	if (count > 1) prctl(PR_SET_NAME, text(1));
	ignore(number(0));
	raise(number(0));
}
WAY(thread, "SIGNR: as pthread_kill(3) does, to a second thread that ignores it") {
	in_thread(wait_in_thread);
	ignore(number(0));
	say("tid", thread_id);
	syscall(SYS_tgkill, getpid(), thread_id, number(0));
}

// Signals of the kernel's

WAY(alarm, "") { say_pid(); alarm(1); pause(); }
WAY(segv, "ADDRESS: where it writes") { say_pid(); *(volatile char *) number(0) = 1; }
WAY(no_tty, "TIOCNOTTY") { ignore(SIGHUP); ioctl(1, TIOCNOTTY); }
WAY(timer, "SIGNR VALUE: timer_create") {
	struct sigevent event = {.sigev_signo = number(0), .sigev_value.sival_int = number(1)}; // SIGEV_SIGNAL is 0
	struct itimerspec soon = {.it_value.tv_nsec = 1000000};
	timer_t id;
	ignore(number(0));
	must(!timer_create(CLOCK_MONOTONIC, &event, &id) && !timer_settime(id, 0, &soon, NULL), "timer");
	usleep(50000);
}

static void refused(void) { say_pid(); say("syscall", SYS_getppid); }
WAY(seccomp, "a system call that a filter refuses with SIGSYS") {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof code / sizeof *code, code};
	refused();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
	syscall(SYS_getppid);
}
WAY(dispatch, "a system call that user dispatch answers with SIGSYS") {
	static char selector = 1;
	refused();
	must(!prctl(59, 1, 0, 0, &selector), "prctl"); // PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON: since Linux 5.11
	syscall(SYS_getppid);
}
WAY(perf, "an event that sends SIGTRAP") {
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000, .exclude_kernel = 1};
	((unsigned long long *) &attr)[5] |= 3ull << 36; // remove_on_exec, sigtrap: since Linux 5.13
	say_pid();
	must(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) >= 0, "perf_event_open");
	for (alarm(10);;);
}
WAY(overruns, "its deadline: SCHED_DEADLINE, SCHED_FLAG_DL_OVERRUN") {
	struct { int size, policy; long flags; int nice, priority; long runtime, deadline, period; } attr =
		{sizeof attr, 6, 4, 0, 0, 2000000, 50000000, 50000000};
	ignore(SIGXCPU);
	must(!syscall(SYS_sched_setattr, 0, &attr, 0), "sched_setattr");
	for (int i = 0; i < 200000000; i++) __asm__ volatile("");
}
WAY(reboots, "LINK: its pid namespace, which is not the one of that link") {
	char ours[64] = "";
	must(readlink("/proc/self/ns/pid", ours, sizeof ours - 1) > 0 && count && !is(0, ours), "the host's");
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, NULL);
}

static void be_traced(void) {
	if (is(0, "exec")) ptrace(PTRACE_TRACEME, 0, NULL, NULL), execlp("true", "true", NULL);
	rest();
}
WAY(traces, "exec, exitkill, exit, attach, inject or kill: a child that ends with it") {
	sigprocmask(SIG_BLOCK, only(SIGUSR1), NULL);
	pid_t child = child_that(be_traced);
	say_pid();
	if (is(0, "exitkill")) must(!ptrace(PTRACE_SEIZE, child, NULL, PTRACE_O_EXITKILL), "ptrace");
	else if (is(0, "exit")) ptrace(PTRACE_SEIZE, child, NULL, PTRACE_O_TRACEEXIT), kill(child, SIGKILL);
	else if (!is(0, "exec")) ptrace(PTRACE_ATTACH, child, NULL, NULL);
	if (!is(0, "exitkill")) waitpid(child, NULL, __WALL);
	if (is(0, "inject")) ptrace(PTRACE_CONT, child, NULL, SIGUSR1), usleep(50000);
	if (is(0, "kill")) ptrace(PTRACE_KILL, child, NULL, NULL);
	say("child", child);
	if (is(0, "exit")) rest();
	if (!is(0, "exitkill")) kill(child, SIGKILL); // it may have been stopped before it could ask for that itself
}

// Processes of all kinds

static void nothing(int signr) { (void) signr; }
WAY(meets, "SIGNR WHAT...: in turn handler, blocked, thread, sigwait, signalfd, ended, which is its main thread") {
	struct signalfd_siginfo info;
	int signr;
	for (int i = 1; i < count; i++) {
		if (is(i, "handler")) signal(number(0), nothing);
		if (is(i, "blocked")) sigprocmask(SIG_BLOCK, only(number(0)), NULL);
		if (is(i, "thread")) in_thread(wait_in_thread); // it blocks what the main thread blocks now
		if (is(i, "sigwait")) say_pid(), sigwait(only(number(0)), &signr);
		if (is(i, "signalfd")) say_pid(), signr = read(signalfd(-1, only(number(0)), 0), &info, sizeof info);
		if (is(i, "ended")) say_pid(), pthread_exit(NULL);
	}
	say_pid();
	rest();
}
WAY(clones, "SIGNR: a child that reports its end by that") {
	ignore(number(0));
	pid_t child = syscall(SYS_clone, number(0), NULL, NULL, NULL, NULL);
	if (!child) _exit(7);
	say("child", child);
	waitpid(child, NULL, __WALL);
}
WAY(vforks, "COMMAND...") {
	pid_t child = vfork();
	if (!child) execvp(text(0), words), _exit(1);
	say("child", child);
	waitpid(child, NULL, 0);
}

static void *exec_in_thread(void *unused) { execvp(text(0), words); return unused; }
WAY(thread_execs, "COMMAND...: by a second thread") { say_pid(); in_thread(exec_in_thread); rest(); }

static void *fork_in_thread(void *unused) {
	pid_t child = fork();
	if (!child) prctl(PR_SET_PDEATHSIG, SIGUSR2), raise(SIGSTOP);
	waitpid(child, NULL, WUNTRACED);
	say("child", child);
	return unused;
}
WAY(thread_dies, "and its child, a stopped one, is told by SIGUSR2") { say_pid(); in_thread(fork_in_thread); rest(); }

WAY(title, "SIZE: claims a command line of that size, most of which is never touched") {
	size_t size = number(0);
	char *title = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned long at = (unsigned long) title, brk = (unsigned long) sbrk(0);
	struct prctl_mm_map map = {.start_code = at, .end_code = at + 1, .start_data = at, .end_data = at, .start_brk = brk,
		.brk = brk, .start_stack = at, .arg_start = at, .arg_end = at + size, .env_start = at, .env_end = at,
		.exe_fd = -1};
	must(title != MAP_FAILED, "mmap");
	memset(title, 'x', size < 4096 ? size : 4096);
	must(!prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0), "PR_SET_MM_MAP");
	ignore(SIGUSR1);
	rest();
}
WAY(titled, "TITLE: over its arguments, as setproctitle(3) does") {
	char *title = strdup(text(0)), *start = words[-2], *last = words[count - 1];
	memset(start, 0, last + strlen(last) - start);
	strcpy(start, title);
	ignore(SIGUSR1);
	rest();
}
WAY(execs, "COUNT: becomes itself that many times, while a timer sends SIGALRM") {
	struct itimerval often = {{0, 100}, {0, 100}}; // us
	char left[16];
	snprintf(left, sizeof left, "%ld", number(0) - 1);
	signal(SIGALRM, SIG_IGN);
	setitimer(ITIMER_REAL, &often, NULL);
	if (number(0) > 0) execl("/proc/self/exe", "sender", "execs", left, NULL);
}

// Clients, and others at the socket's path

WAY(floods, "SIGNR: until SIGTERM") { // itself, for SIGKILL its zombie, for SIGSTOP a child that it continues each time
	int signr = number(0);
	pid_t target = signr == SIGKILL || signr == SIGSTOP ? child_that(rest) : getpid();
	signal(SIGUSR1, SIG_IGN);
	heed_term();
	for (say_pid(); !stopped;) {
		kill(target, signr);
		if (signr == SIGSTOP) kill(target, SIGCONT);
	}
}

WAY(fails, "to send what it can't, in each way that there is; the last as a 32-bit program") {
	siginfo_t info = {.si_code = SI_QUEUE};
	pid_t gone = fork();
	if (!gone) _exit(0);
	int pidfd = syscall(SYS_pidfd_open, gone, 0);
	waitpid(gone, NULL, 0);
	say_pid(), say("gone", gone);
	kill(gone, 0);
	kill(gone, SIGTERM);
	syscall(SYS_tkill, gone, SIGTERM);
	syscall(SYS_tgkill, gone, gone, SIGTERM);
	syscall(SYS_rt_sigqueueinfo, gone, SIGTERM, &info);
	syscall(SYS_rt_tgsigqueueinfo, gone, gone, SIGTERM, &info);
	syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
	kill(getpid(), 99);
#ifdef __x86_64__
	int result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(37), "b"(gone), "c"(SIGINT)); // kill(2)
#endif
}

static struct sockaddr_un address; // of the path that may be the first argument
static int client(int flags) { // or -1
	int fd = socket(AF_UNIX, SOCK_STREAM | flags, 0);
	if (fd >= 0 && !connect(fd, (void *) &address, sizeof address)) return fd;
	close(fd);
	return -1;
}

// With pauses of up to a millisecond in between: one wake-up that gets lost, and it waits in vain.
WAY(turns, "PATH COUNT: each signal only when the line of the one before has come") {
	char line[4096], want[32];
	struct pollfd fd = {.fd = client(0), .events = POLLIN};
	FILE *lines = fdopen(fd.fd, "r");
	signal(34, SIG_IGN);
	while (poll(&fd, 1, 10) == 0) queue_to(getpid(), 34, SI_QUEUE, -1); // until it is accepted
	for (int i = 0; i < number(1); i++) {
		snprintf(want, sizeof want, "\"value\":%d,", i);
		alarm(30);
		queue_to(getpid(), 34, SI_QUEUE, i);
		do must(fgets(line, sizeof line, lines) != NULL, "fgets"); while (!strstr(line, want));
		if (i % 3) usleep(rand() % 1000);
	}
	say("turns", number(1));
}

WAY(crowd, "PATH COUNT: that many clients, which read nothing, or as many as find room in its queue") {
	for (int i = 0; i < number(1) && client(SOCK_NONBLOCK) >= 0; i++);
	say_pid();
	rest();
}

WAY(visits, "PATH [COUNT [reads]]: connects, may read something, and leaves, so many times or until SIGTERM") {
	long refused = 0, entered = 0;
	char bytes[4096];
	heed_term();
	say_pid();
	while (!stopped && (count < 2 || entered < number(1))) {
		int fd = client(0);
		if (fd < 0) refused += errno == EACCES;
		else must(!is(2, "reads") || read(fd, bytes, sizeof bytes) > 0, "read"), entered++, close(fd);
	}
	say("refused", refused);
	say("entered", entered);
}

static volatile long called;
static void on_data(int signr) { (void) signr; called++; }
WAY(async, "PATH SIGNR: wants this signal, 0 is SIGIO, whenever there is something to read") {
	char bytes[4096];
	int fd = client(0), signr = number(1);
	heed_term();
	signal(signr ? signr : SIGIO, on_data);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETSIG, signr);
	fcntl(fd, F_SETFL, O_ASYNC);
	say_pid();
	for (; !stopped; usleep(1000)) // one that waits in read(2) gets none
		must(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) != 0, "recv");
	say("called", called);
}

WAY(plant, "PATH VICTIM: puts there in turns a link to the victim, a file and a stale socket, until it is killed") {
	for (int i = 0;; i++) {
		int fd = -1;
		if (i % 3 == 0) must(!symlink(text(1), text(0)) || errno == EEXIST, "symlink");
		if (i % 3 == 1) fd = open(text(0), O_CREAT | O_EXCL | O_WRONLY, 0666);
		if (i % 3 == 2 && bind(fd = socket(AF_UNIX, SOCK_STREAM, 0), (void *) &address, sizeof address)) errno = 0;
		usleep(rand() % 2000);
		if (fd >= 0) close(fd);
		unlink(text(0));
	}
}

// Load, and what becomes of it. Each signal of a storm that has a rate carries the microsecond at which it is sent, in
// si_value and si_errno: who finds it after KEY in a line knows how long the line took. Both print JSON.

enum { BUFFER = 1 << 18, LATENCIES = 1 << 22, STAMP = 0x3fffffff };

static long now(void) { // ns
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

WAY(storm, "COUNT [RATE]: signals to a child that ignores them, flat out or so many a second") {
	siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
	signal(SIGUSR1, SIG_IGN);
	pid_t child = child_that(rest);
	long start = now(), signals = number(0), rate = number(1); // 0: flat out
	for (long i = 0; i < signals; i++) {
		if (rate > 0) {
			long due = start + i * 1000000000 / rate;
			struct timespec until = {due / 1000000000, due % 1000000000};
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
			info.si_errno = info.si_value.sival_int = now() / 1000 & STAMP;
		}
		syscall(SYS_rt_sigqueueinfo, child, SIGUSR1, &info);
	}
	printf("{\"sent\":%ld,\"ns\":%.1f}\n", signals, (double) (now() - start) / signals);
	kill(child, SIGKILL);
}

static int by_size(const void *a, const void *b) { return *(int *) a - *(int *) b; }
WAY(measure, "PATH KEY: counts and times lines until SIGTERM, as a client, or for - of standard input") {
	static int latencies[LATENCIES];
	FILE *in = is(0, "-") ? stdin : fdopen(client(0), "r");
	char *line = NULL, *value;
	size_t size = 0;
	long lines = 0, stamps = 0, first = 0, last = 0;
	must(in && !setvbuf(in, NULL, _IOFBF, BUFFER), "connect");
	heed_term();
	while (!stopped && getline(&line, &size, in) > 0) {
		if (!(value = strstr(line, text(1)))) continue;
		last = now();
		if (!lines++) first = last;
		long stamp = atol(value + strlen(text(1)));
		if (stamp > 0 && stamps < LATENCIES) latencies[stamps++] = (last / 1000 - stamp) & STAMP;
	}
	qsort(latencies, stamps, sizeof *latencies, by_size);
	printf("{\"lines\":%ld,\"secs\":%.6f,\"p50\":%d,\"p99\":%d}\n", lines, (last - first) / 1e9,
		latencies[stamps / 2], latencies[stamps * 99 / 100]);
}

int main(int argc, char **argv) {
	count = argc - 2;
	words = argv + 2;
	address.sun_family = AF_UNIX;
	strncpy(address.sun_path, text(0), sizeof address.sun_path - 1);
	for (int i = 0; i < known; i++)
		if (argc > 1 && !strcmp(argv[1], ways[i].name)) return ways[i].go(), 0;
	for (int i = 0; i < known; i++) fprintf(stderr, "sender %s %s\n", ways[i].name, ways[i].arguments);
	return 2;
}
