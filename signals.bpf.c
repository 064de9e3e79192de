// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Signals, the kernel side: one record for every signal that is sent on this host.
//
// Build, with clang and llvm-strip 14 or newer (test/build runs these lines):
//
//     clang -target bpfel -mcpu=v3 -O2 -g -fdebug-compilation-dir=. -Wall -Werror -c signals.bpf.c -o signals.bpf.o
//     llvm-strip -g signals.bpf.o
//
// No header is included, so that neither libbpf nor kernel headers are needed to build it. What the
// prog uses of the kernel's structs is declared here, and the loader moves every access to where the
// running kernel keeps that member (CO-RE). One object serves Linux 5.8 to 7.x, with or without tracefs.

typedef _Bool bool;
typedef unsigned char u8;
typedef int s32;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define KERNEL __attribute__((preserve_access_index))
#define INLINE static inline __attribute__((always_inline))

// include/uapi/linux/bpf.h: helper ids and flags
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

// include/linux/signal_types.h, sched.h: a siginfo that is no pointer; a task on its way out
enum { SEND_SIG_NOINFO, SEND_SIG_PRIV, SI_USER = 0, SI_KERNEL = 0x80, POLL_IN = 1, POLL_HUP = 6, PF_EXITING = 4 };
enum { SIGKILL = 9, SIGPIPE = 13, SIGCHLD = 17, SIGIO = 29, CLD_KILLED = 2, CLD_DUMPED = 3 };
static const u64 NSEC_PER_SEC = 1000000000, RLIM_INFINITY = ~0ull;

struct name { u64 words[2]; }; // char[16], TASK_COMM_LEN
struct kernfs_node { u64 id; } KERNEL;
struct cgroup { struct kernfs_node *kn; } KERNEL;
struct css_set { struct cgroup *dfl_cgrp; } KERNEL;
struct cred { struct { u32 val; } uid; } KERNEL;
struct mm_struct { u64 arg_start, arg_end; } KERNEL;
struct cputime { u64 utime, stime; };
struct rlimit { u64 rlim_cur, rlim_max; };
struct signal_struct { struct cputime cputimer; struct rlimit rlim[1]; } KERNEL; // rlim[RLIMIT_CPU]
struct task_struct {
	u32 flags;
	u32 pid, tgid;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	const struct cred *real_cred;
	struct name comm;
	struct css_set *cgroups;
	struct signal_struct *signal;
} KERNEL;

enum { BRIEF = 8, SIGINFO_SIZE = 32, CMDLINE_MAX = 1024, VICTIMS = 256, PID_MAX_LIMIT = 1 << 22 };

// The record of one signal. Signals.java repeats these names in this order (Event.LAYOUT).
struct event {
	u32 pid, signr;               // a brief record ends here (BRIEF)
	u64 time;                     // CLOCK_MONOTONIC, ns
	s32 si_signo, si_errno;       // the siginfo's first 32 bytes, as the UAPI header lays them out
	s32 si_code, si_pad;
	u64 si_addr;                  // or si_pid and si_uid
	u64 si_value;                 // or si_status, or si_syscall and si_arch
	s32 result;                   // TRACE_SIGNAL_*
	u8 group, has_info;           // to the process, not one thread; a siginfo came with it
	u8 exiting, cpu_limit;        // the sender is exiting; the target is at its hard RLIMIT_CPU
	u32 tgid, uid;                // the target
	u64 cgroup;
	struct name comm;
	u32 sender_pid, sender_tid;   // the running task
	u32 sender_uid, sender_ppid;
	u64 sender_cgroup;
	struct name sender_comm;
	struct name sender_parent;
	u64 cmdline_size;             // more than CMDLINE_MAX: it is cut
	char sender_cmdline[CMDLINE_MAX];
};
_Static_assert(sizeof(struct event) == 152 + CMDLINE_MAX, "Event.LAYOUT in Signals.java relies on it");
_Static_assert(__builtin_offsetof(struct event, time) == BRIEF, "a brief record is the first two members");

// Set by the loader before the prog is loaded: the verifier drops the branches that are not asked for.
const volatile u64 signals = ~0ull; // bit n-1: signal n is asked for
const volatile u32 target = 0;      // only signals to this tgid, 0: to any
const volatile u32 sender = 0;      // only signals from this tgid, 0: from any
const volatile u32 deaths = 0;      // of SIGCHLD only what tells of a child that a signal ended
const volatile u32 brief = 0;       // only pid and signr
const volatile u32 reader = 0;      // the tgid of the process that writes to clients, 0: not known
const volatile u32 direct = 0;      // pointers have types: see read()

// Memory shared with the reader.
volatile u64 dropped;   // signals unrecorded because the ring buffer was full
volatile u32 listening; // somebody wants records
volatile u32 parked;    // the reader sleeps, or is about to: wake it
volatile u32 marked;    // victims of the OOM killer so far
volatile struct { u64 pid, time; } victims[VICTIMS]; // the last of them; CLOCK_MONOTONIC, ns

struct {
	int (*type)[BPF_MAP_TYPE_RINGBUF];
	int (*max_entries)[8 << 20]; // bytes
} events SEC(".maps");

const struct event *const unused = 0; // makes clang describe struct event in the object's BTF

const char dual_license[] SEC("license") = "Dual MIT/GPL";

// Attached with types (BPF_TRACE_RAW_TP), the prog may simply load from the kernel's structs, which makes it run in
// half the time. Where the verifier does not let it, the loader clears `direct`, and probe reads serve.
#define read(dst, src) do { \
	if (direct) __builtin_memcpy(&(dst), &(src), sizeof(dst)); \
	else bpf_probe_read_kernel(&(dst), sizeof(dst), &(src)); \
} while (0)

INLINE u64 cgroup_id(struct css_set *set)
{
	struct cgroup *cgroup = 0;
	struct kernfs_node *node = 0;
	u64 id = 0;

	read(cgroup, set->dfl_cgrp);
	read(node, cgroup->kn);
	read(id, node->id);
	return id;
}

// The comparison that check_process_timers() made just before it sent this SIGKILL, on the same numbers.
INLINE u8 at_cpu_limit(struct task_struct *task)
{
	struct signal_struct *signal = 0;
	struct cputime used = {};
	struct rlimit limit = {};

	read(signal, task->signal);
	read(used, signal->cputimer);
	read(limit, signal->rlim);
	return limit.rlim_max != RLIM_INFINITY && used.utime + used.stime >= limit.rlim_max * NSEC_PER_SEC;
}

// A record takes the room that it needs, so that a storm goes through less memory. The sizes are constants: the
// verifier wants them so.
INLINE struct event *reserve(u64 cmdline_size)
{
	const u64 fixed = sizeof(struct event) - CMDLINE_MAX;

	if (brief)
		return bpf_ringbuf_reserve(&events, BRIEF, 0);
	if (cmdline_size <= 64)
		return bpf_ringbuf_reserve(&events, fixed + 64, 0);
	if (cmdline_size <= 256)
		return bpf_ringbuf_reserve(&events, fixed + 256, 0);
	return bpf_ringbuf_reserve(&events, fixed + CMDLINE_MAX, 0);
}

INLINE void submit(void *sample)
{
	// The reader set `parked` before this record was committed. Only the first to see it wakes it:
	// a wake-up costs the sender of the signal many times what this prog does.
	if (parked) {
		parked = 0;
		bpf_ringbuf_submit(sample, BPF_RB_FORCE_WAKEUP);
		return;
	}
	bpf_ringbuf_submit(sample, BPF_RB_NO_WAKEUP);

	// Or it sets it right now. The xchg() in bpf_ringbuf_commit() is a full barrier, and so is the
	// reader's between its store to `parked` and its last look at the ring: of the two, at least one
	// sees the other. No atomic is needed here, so this holds on every kernel with ring buffers. If
	// there is no room for the waking record, then others took it, each after this record and so,
	// by the ring's lock, after the reader's last look: they saw `parked` above, and wake it.
	if (parked && (sample = bpf_ringbuf_reserve(&events, 8, 0)))
		bpf_ringbuf_discard(sample, BPF_RB_FORCE_WAKEUP);
}

struct words { u64 start, size; }; // a command line in the memory of the running task

// What follows arg_end is the environment, and not ours to read. In the midst of execve(2) the new mm has its arg_start
// and not yet its arg_end: no command line then. An exiting task and a kernel thread have no mm.
INLINE struct words command_line(struct mm_struct *mm)
{
	struct words words = {};
	u64 end = 0;

	if (mm) {
		read(words.start, mm->arg_start);
		read(end, mm->arg_end);
		if (words.start < end)
			words.size = end - words.start;
		if (words.size > CMDLINE_MAX) // to gigabytes, even: prctl(2) lets any task set its own arg_end
			words.size = CMDLINE_MAX + 1;
	}
	return words;
}

// ctx[1], but as a number: with types, the verifier takes it for a pointer that is never 0, and prunes.
INLINE u64 siginfo(const u64 *ctx)
{
	u64 info = 0;

	bpf_probe_read_kernel(&info, sizeof(info), &ctx[1]);
	return info;
}

INLINE s32 si_code(const u64 *ctx)
{
	const u64 info = siginfo(ctx);
	s32 code = 0;

	if (info > SEND_SIG_PRIV)
		bpf_probe_read_kernel(&code, sizeof(code), (void *) (info + 8));
	return code;
}

INLINE bool tells_of_death(const u64 *ctx)
{
	const s32 code = si_code(ctx);

	return code == CLD_KILLED || code == CLD_DUMPED;
}

// A client may ask for a signal whenever its socket has something to read (O_ASYNC, F_SETSIG). Told of that signal,
// it would get the next, without end: so those that the reader's own writes make are left out, as is the SIGPIPE of
// a client that has just gone.
INLINE bool by_readers_write(const u64 *ctx, u32 tgid, u64 current_id)
{
	s32 code;

	if (!reader || current_id >> 32 != reader)
		return 0;
	if (tgid == reader)
		return ctx[0] == SIGPIPE;
	code = si_code(ctx);
	return (code >= POLL_IN && code <= POLL_HUP) || (siginfo(ctx) == SEND_SIG_PRIV && ctx[0] == SIGIO);
}

INLINE void tell_signal(struct event *e, const u64 *ctx, bool to_itself)
{
	struct task_struct *task = (void *) ctx[2];
	const u64 info = siginfo(ctx);

	e->time = bpf_ktime_get_ns();
	e->group = ctx[3];
	e->result = ctx[4];
	e->has_info = info > SEND_SIG_PRIV;
	e->cpu_limit = 0;
	if (e->has_info)
		bpf_probe_read_kernel(&e->si_signo, SIGINFO_SIZE, (void *) info);
	else
		e->si_code = info == SEND_SIG_NOINFO ? SI_USER : SI_KERNEL;
	if (ctx[0] == SIGKILL && info == SEND_SIG_PRIV && to_itself)
		e->cpu_limit = at_cpu_limit(task);
}

INLINE void tell_target(struct event *e, struct task_struct *task, struct task_struct *current)
{
	struct css_set *set = 0, *current_set = 0;
	const struct cred *cred = 0;

	read(e->comm, task->comm);
	read(cred, task->real_cred);
	read(e->uid, cred->uid);

	// most often in the cgroup of its sender, whose id is had for less
	e->sender_cgroup = e->cgroup = bpf_get_current_cgroup_id();
	read(set, task->cgroups);
	read(current_set, current->cgroups);
	if (set != current_set)
		e->cgroup = cgroup_id(set);
}

// The running task is the sender, if the kernel did not make the signal itself.
INLINE void tell_sender(struct event *e, struct task_struct *current, u64 current_id, bool has_mm)
{
	struct task_struct *parent = 0;
	u32 flags = 0;

	e->sender_pid = current_id >> 32;
	e->sender_tid = current_id;
	e->sender_uid = bpf_get_current_uid_gid();
	read(e->sender_comm, current->comm);
	if (!has_mm) // a task on its way out gives up its mm before it tells others
		read(flags, current->flags);
	e->exiting = !!(flags & PF_EXITING);
	read(parent, current->real_parent);
	read(e->sender_ppid, parent->tgid);
	read(e->sender_parent, parent->comm);
}

// TP_PROTO(int sig, struct kernel_siginfo *info, struct task_struct *task, int group, int result)
SEC("raw_tp/signal_generate")
int on_signal(u64 *ctx)
{
	struct task_struct *task = (void *) ctx[2], *current;
	u32 signr = ctx[0], tgid = 0;
	u64 current_id, size;
	struct mm_struct *mm = 0;
	struct words words = {};
	struct event *e;

	// filter, the cheapest question first
	if (!listening || !(signals >> ((signr - 1) & 63) & 1))
		return 0;
	current_id = bpf_get_current_pid_tgid();
	if (sender && sender != current_id >> 32)
		return 0;
	read(tgid, task->tgid);
	if ((target && target != tgid) || by_readers_write(ctx, tgid, current_id))
		return 0;
	if (deaths && signr == SIGCHLD && !tells_of_death(ctx))
		return 0;

	// reserve a sample from the ring buffer, with room for the command line
	current = direct ? bpf_get_current_task_btf() : bpf_get_current_task();
	if (!brief) {
		read(mm, current->mm);
		words = command_line(mm);
	}
	e = reserve(words.size);
	if (!e) {
		__sync_fetch_and_add(&dropped, 1);
		return 0;
	}

	// fill it, and hand it over
	read(e->pid, task->pid);
	e->signr = signr;
	if (!brief) {
		e->tgid = tgid;
		tell_signal(e, ctx, task == current);
		tell_target(e, task, current);
		tell_sender(e, current, current_id, mm);
		size = words.size > CMDLINE_MAX ? CMDLINE_MAX : words.size;
		e->cmdline_size = 0;
		if (size && !bpf_probe_read_user(e->sender_cmdline, size, (void *) words.start))
			e->cmdline_size = words.size;
	}
	submit(e);
	return 0;
}

// mm/oom_kill.c sends SIGKILL and right after that marks the victim: so the reader, told of a kill by the kernel, waits
// a moment for its mark. Victims are marked one at a time, under oom_lock.
//
// TP_PROTO(int pid); from Linux 6.9 on TP_PROTO(struct task_struct *task, uid_t uid)
SEC("raw_tp/mark_victim")
int on_mark_victim(u64 *ctx)
{
	const struct task_struct *task = (void *) ctx[0];
	u32 pid = ctx[0], slot = marked % VICTIMS;

	if (ctx[0] > PID_MAX_LIMIT)
		bpf_probe_read_kernel(&pid, sizeof(pid), &task->pid);
	victims[slot].pid = pid;
	victims[slot].time = bpf_ktime_get_ns();
	marked++;
	return 0;
}
