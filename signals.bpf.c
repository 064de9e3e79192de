// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Signals, the kernel side: a record in a ring buffer for each signal that is sent on this host.
//
// Build, with clang and llvm-strip 14 or newer (test/build runs these two lines):
//
//     clang -target bpfel -mcpu=v3 -O2 -g -fdebug-compilation-dir=. -Wall -Werror -c signals.bpf.c -o signals.bpf.o
//     llvm-strip -g signals.bpf.o
//
// It includes no headers, so building it needs neither libbpf nor the kernel's. The structs declare only the members
// that are read. Signals.java looks up where the running kernel keeps each of them (CO-RE), so one object serves
// Linux 5.8 and everything newer.

typedef unsigned char u8;
typedef int s32;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define KERNEL __attribute__((preserve_access_index))
#define INLINE static inline __attribute__((always_inline))

// include/uapi/linux/bpf.h
static u64 (*const bpf_ktime_get_ns)(void) = (void *) 5;
static u64 (*const bpf_get_current_pid_tgid)(void) = (void *) 14;
static u64 (*const bpf_get_current_uid_gid)(void) = (void *) 15;
static void *(*const bpf_get_current_task)(void) = (void *) 35;
static u64 (*const bpf_get_current_cgroup_id)(void) = (void *) 80;
static long (*const bpf_probe_read_user)(void *dst, u32 size, const void *src) = (void *) 112;
static long (*const bpf_probe_read_kernel)(void *dst, u32 size, const void *src) = (void *) 113;
static void *(*const bpf_ringbuf_reserve)(void *ringbuf, u64 size, u64 flags) = (void *) 131;
static void (*const bpf_ringbuf_submit)(void *sample, u64 flags) = (void *) 132;
static void (*const bpf_ringbuf_discard)(void *sample, u64 flags) = (void *) 133;
static void *(*const bpf_get_current_task_btf)(void) = (void *) 158; // since Linux 5.11
enum { BPF_MAP_TYPE_RINGBUF = 27, BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };

// include/linux/signal_types.h, sched.h; include/uapi/asm-generic/signal.h, siginfo.h, resource.h
enum { SEND_SIG_NOINFO, SEND_SIG_PRIV, PF_EXITING = 4, SIGKILL = 9, SIGPIPE = 13, SIGCHLD = 17, SIGIO = 29 };
enum { SI_USER, SI_KERNEL = 0x80, POLL_IN = 1, POLL_HUP = 6, CLD_KILLED = 2, CLD_DUMPED = 3 };
static const u64 NSEC_PER_SEC = 1000000000, RLIM_INFINITY = ~0ull;

struct name { u64 words[2]; }; // char[TASK_COMM_LEN]
struct kernfs_node { u64 id; } KERNEL;
struct cgroup { struct kernfs_node *kn; } KERNEL;
struct css_set { struct cgroup *dfl_cgrp; } KERNEL;
struct cred { struct { u32 val; } uid; } KERNEL;
struct mm_struct { u64 arg_start, arg_end; } KERNEL;
struct signal_struct { u64 cputimer[2], rlim[2]; } KERNEL; // utime, stime; rlim[RLIMIT_CPU]'s rlim_cur, rlim_max
struct task_struct {
	u32 flags, pid, tgid;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	const struct cred *real_cred;
	struct name comm;
	struct css_set *cgroups;
	struct signal_struct *signal;
} KERNEL;

enum { CMDLINE_MAX = 1024, VICTIMS = 256, PID_MAX_LIMIT = 1 << 22 };

struct siginfo {                      // the first 32 bytes of it
	s32 pad_signo, pad_errno, code, pad;
	u64 addr, value;              // or si_pid and si_uid; or si_status, si_syscall and si_arch
};

// The record of one signal. Signals.java finds each member by its name, in this object's BTF.
struct event {
	u32 pid, signr;               // a brief record ends here
	u64 time;                     // CLOCK_MONOTONIC, ns
	u64 value, addr;              // of the siginfo
	s32 code, result;             // the code is SI_USER or SI_KERNEL if no siginfo came; TRACE_SIGNAL_*
	u8 group, has_info;           // sent to the process, not to one thread; a siginfo came with it
	u8 exiting, cpu_limit;        // the sender is exiting; the target has used up its hard RLIMIT_CPU
	u32 tgid, uid;                // the target
	u64 cgroup;
	struct name comm;
	u32 sender_pid, sender_tid, sender_uid, sender_ppid; // the running task
	u64 sender_cgroup;
	struct name sender_comm, sender_parent;
	u64 cmdline_size;             // more than CMDLINE_MAX: it is cut
	char sender_cmdline[CMDLINE_MAX];
};
enum { BRIEF = __builtin_offsetof(struct event, time) };
const struct event *const unused = 0; // so that clang describes it in the object's BTF

// Memory that Signals.java maps.
struct shared {
	u64 signals;                  // set there: bit n-1: signal n is asked for
	u32 target, sender;           // only signals to, or from, this tgid; 0: any
	u32 fatal, brief;             // of SIGCHLD, only reports of children that a signal ended; only pid and signr
	u32 reader;                   // the tgid that writes to the clients; -1: not known
	u32 listening;                // somebody wants records
	u32 parked;                   // the reader sleeps, or is about to: wake it
	u32 pad_marked;               // set here: how many victims the OOM killer has chosen
	u64 dropped;                  // signals without a record, as the ring buffer was full
	struct { u64 pid, time; } victims[VICTIMS]; // the newest; CLOCK_MONOTONIC, ns
};
volatile struct shared shared;

struct {
	int (*type)[BPF_MAP_TYPE_RINGBUF];
	int (*max_entries)[8 << 20];  // bytes; the loader sets another
} events SEC(".maps");

const char dual_license[] SEC("license") = "Dual MIT/GPL";

// With types, a prog just loads from the kernel's structs, which takes half the time of probe reads. Not every kernel
// allows that (5.10 does not), so on_signal is there twice.
#define read(dst, src) do { \
	if (typed) __builtin_memcpy(&(dst), &(src), sizeof(dst)); \
	else bpf_probe_read_kernel(&(dst), sizeof(dst), &(src)); \
} while (0)

// The comparison by which check_process_timers() has just decided to send SIGKILL.
INLINE u8 at_cpu_limit(struct task_struct *task, const u8 typed)
{
	struct signal_struct *signal = 0;
	u64 used[2] = {}, limit[2] = {};

	read(signal, task->signal);
	read(used, signal->cputimer);
	read(limit, signal->rlim);
	return limit[1] != RLIM_INFINITY && used[0] + used[1] >= limit[1] * NSEC_PER_SEC;
}

INLINE u8 is_wanted(u32 signr, s32 code, u8 from_kernel, u32 tgid, u32 sender)
{
	if ((shared.target && shared.target != tgid) || (shared.sender && shared.sender != sender))
		return 0;
	if (shared.fatal && signr == SIGCHLD && code != CLD_KILLED && code != CLD_DUMPED)
		return 0;

	// A client may ask for a signal when its socket has something to read (O_ASYNC, F_SETSIG). Reporting it would
	// cause the next one, forever: those that the reader's writes make are left out, as is its own SIGPIPE.
	if (shared.reader != sender)
		return 1;
	if (tgid == sender)
		return signr != SIGPIPE;
	return !(code >= POLL_IN && code <= POLL_HUP) && !(from_kernel && signr == SIGIO);
}

// Short command lines take up little of the ring. The verifier insists on constant sizes.
INLINE struct event *reserve(u64 cmdline_size)
{
	const u64 fixed = sizeof(struct event) - CMDLINE_MAX;

	return cmdline_size <= 64 ? bpf_ringbuf_reserve(&events, fixed + 64, 0)
		: cmdline_size <= 256 ? bpf_ringbuf_reserve(&events, fixed + 256, 0)
		: bpf_ringbuf_reserve(&events, fixed + CMDLINE_MAX, 0);
}

// Wakes the reader if it sleeps: once, as a wake-up costs the sender of the signal ten times what this prog does.
INLINE void submit(void *sample)
{
	if (shared.parked) {
		shared.parked = 0;
		bpf_ringbuf_submit(sample, BPF_RB_FORCE_WAKEUP);
		return;
	}
	bpf_ringbuf_submit(sample, BPF_RB_NO_WAKEUP);

	// The reader may set `parked` right now. The xchg() in bpf_ringbuf_commit() is a full barrier, as is the
	// reader's between that store and its last look at the ring: one of the two sees the other. If there is no
	// room for the record that wakes it, others took it since and, by the ring's lock, saw `parked` above.
	if (shared.parked && (sample = bpf_ringbuf_reserve(&events, 8, 0)))
		bpf_ringbuf_discard(sample, BPF_RB_FORCE_WAKEUP);
}

// What is known from the tracepoint and the tasks. The running one is the sender, unless the kernel made the signal.
INLINE void fill(struct event *e, const u64 *ctx, struct task_struct *current, const u8 typed)
{
	struct task_struct *task = (void *) ctx[2], *parent = 0;
	struct css_set *set = 0, *current_set = 0;
	struct cgroup *cgroup = 0;
	struct kernfs_node *node = 0;
	const struct cred *cred = 0;
	u64 current_id = bpf_get_current_pid_tgid();
	u32 flags = 0;

	read(e->pid, task->pid);
	e->signr = ctx[0];
	e->time = bpf_ktime_get_ns();
	e->group = ctx[3];
	e->result = ctx[4];
	read(e->comm, task->comm);
	read(cred, task->real_cred);
	read(e->uid, cred->uid);
	e->sender_pid = current_id >> 32;
	e->sender_tid = current_id;
	e->sender_uid = bpf_get_current_uid_gid();
	read(e->sender_comm, current->comm);
	read(flags, current->flags);
	e->exiting = !!(flags & PF_EXITING);
	read(parent, current->real_parent);
	read(e->sender_ppid, parent->tgid);
	read(e->sender_parent, parent->comm);

	// both are mostly in one cgroup, and the sender's id is cheaper to get
	e->sender_cgroup = e->cgroup = bpf_get_current_cgroup_id();
	read(set, task->cgroups);
	read(current_set, current->cgroups);
	if (set != current_set) {
		read(cgroup, set->dfl_cgrp);
		read(node, cgroup->kn);
		read(e->cgroup, node->id);
	}
}

INLINE int record(const u64 *ctx, struct task_struct *current, const u8 typed)
{
	u64 pointer = 0, start = 0, end = 0, size = 0;
	struct task_struct *task = (void *) ctx[2];
	struct siginfo info = {};
	struct mm_struct *mm = 0;
	u32 tgid = 0;
	struct event *e;

	// filter, the cheapest question first
	if (!shared.listening || !(shared.signals >> ((ctx[0] - 1) & 63) & 1))
		return 0;
	// ctx[1] is read as a number: with types, the verifier takes it for a pointer that is never 0
	bpf_probe_read_kernel(&pointer, sizeof(pointer), &ctx[1]);
	if (pointer > SEND_SIG_PRIV)
		bpf_probe_read_kernel(&info, sizeof(info), (void *) pointer);
	else
		info.code = pointer == SEND_SIG_NOINFO ? SI_USER : SI_KERNEL;
	read(tgid, task->tgid);
	if (!is_wanted(ctx[0], info.code, pointer == SEND_SIG_PRIV, tgid, bpf_get_current_pid_tgid() >> 32))
		return 0;

	if (shared.brief) {
		e = bpf_ringbuf_reserve(&events, BRIEF, 0);
		if (!e)
			goto dropped;
		read(e->pid, task->pid);
		e->signr = ctx[0];
		submit(e);
		return 0;
	}

	// reserve a sample, with room for the command line. What follows arg_end is the environment and must not be
	// read. In the midst of execve(2) the new mm has its arg_start, but not yet its arg_end. An exiting task and a
	// kernel thread have no mm: both stay 0. Any task may set its own arg_end, by prctl(2).
	read(mm, current->mm);
	read(start, mm->arg_start);
	read(end, mm->arg_end);
	if (start < end)
		size = end - start <= CMDLINE_MAX ? end - start : CMDLINE_MAX + 1;
	e = reserve(size);
	if (!e)
		goto dropped;

	// fill it, and hand it over
	fill(e, ctx, current, typed);
	e->tgid = tgid;
	e->value = info.value;
	e->addr = info.addr;
	e->code = info.code;
	e->has_info = pointer > SEND_SIG_PRIV;
	e->cpu_limit = e->signr == SIGKILL && pointer == SEND_SIG_PRIV && task == current && at_cpu_limit(task, typed);
	e->cmdline_size = size;
	if (size > CMDLINE_MAX)
		size = CMDLINE_MAX;
	if (size && bpf_probe_read_user(e->sender_cmdline, size, (void *) start))
		e->cmdline_size = 0;
	submit(e);
	return 0;
dropped:
	__sync_fetch_and_add(&shared.dropped, 1);
	return 0;
}

// TP_PROTO(int sig, struct kernel_siginfo *info, struct task_struct *task, int group, int result)
SEC("tp_btf/signal_generate")
int on_signal_typed(u64 *ctx)
{
	return record(ctx, bpf_get_current_task_btf(), 1);
}

SEC("raw_tp/signal_generate")
int on_signal(u64 *ctx)
{
	return record(ctx, bpf_get_current_task(), 0);
}

// The OOM killer sends SIGKILL and right after that marks its victim, one at a time, under oom_lock.
//
// TP_PROTO(int pid), and since Linux 6.9 TP_PROTO(struct task_struct *task, uid_t uid)
SEC("raw_tp/mark_victim")
int on_mark_victim(u64 *ctx)
{
	const struct task_struct *task = (void *) ctx[0];
	u32 pid = ctx[0], slot = shared.pad_marked++ % VICTIMS;

	if (ctx[0] > PID_MAX_LIMIT)
		bpf_probe_read_kernel(&pid, sizeof(pid), &task->pid);
	shared.victims[slot].pid = pid;
	shared.victims[slot].time = bpf_ktime_get_ns();
	return 0;
}
