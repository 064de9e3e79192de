// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Signals, the kernel side: a record in a ring buffer for each signal that is sent on this host, with what comes of it;
// and a small one for each process that begins or changes its program, so that names outlast processes.
//
// Build, with clang and llvm-strip 14 or newer (test/build runs these two lines):
//
//     clang -target bpfel -mcpu=v3 -O2 -g -fdebug-compilation-dir=. -Wall -Werror -c signals.bpf.c -o signals.bpf.o
//     llvm-strip -g -x -R .rel.BTF -R .rel.BTF.ext -R .llvm_addrsig signals.bpf.o
//
// It includes no headers, so it needs neither libbpf nor the kernel's. The structs declare only the members that are
// read, and Signals.java looks up where the running kernel keeps them (CO-RE): one object serves Linux 5.8 and newer.

typedef unsigned char u8;
typedef unsigned short u16;
typedef int s32;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define KERNEL __attribute__((preserve_access_index))
#define HAS(member) __builtin_preserve_field_info(member, 2) // BPF_FIELD_EXISTS: the loader puts 0 or 1 here
#define INLINE static inline __attribute__((always_inline))

// include/uapi/linux/bpf.h
static u64 (*const bpf_ktime_get_ns)(void) = (void *) 5;
static u64 (*const bpf_get_current_pid_tgid)(void) = (void *) 14;
static u64 (*const bpf_get_current_uid_gid)(void) = (void *) 15;
static void *(*const bpf_get_current_task)(void) = (void *) 35;
static u64 (*const bpf_get_current_cgroup_id)(void) = (void *) 80;
static long (*const bpf_probe_read_user)(void *dst, u32 size, const void *src) = (void *) 112;
static long (*const bpf_probe_read_kernel)(void *dst, u32 size, const void *src) = (void *) 113;
static long (*const bpf_probe_read_kernel_str)(void *dst, u32 size, const void *src) = (void *) 115;
static void *(*const bpf_ringbuf_reserve)(void *ringbuf, u64 size, u64 flags) = (void *) 131;
static void (*const bpf_ringbuf_submit)(void *sample, u64 flags) = (void *) 132;
static void (*const bpf_ringbuf_discard)(void *sample, u64 flags) = (void *) 133;
static u64 (*const bpf_ringbuf_query)(void *ringbuf, u64 flags) = (void *) 134;
static void *(*const bpf_get_current_task_btf)(void) = (void *) 158; // since Linux 5.11
enum { BPF_RB_AVAIL_DATA, BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP };

// include/linux/signal_types.h, sched.h, sched/signal.h, sched/jobctl.h; include/trace/events/signal.h
enum { SEND_SIG_NOINFO, SEND_SIG_PRIV, PF_EXITING = 4, JOBCTL_TRAP_FREEZE = 1 << 23 };
enum { SIGNAL_STOP_STOPPED = 1, SIGNAL_GROUP_EXIT = 4, SIGNAL_CLD_CONTINUED = 32, SIGNAL_UNKILLABLE = 64 };
enum { TRACE_SIGNAL_DELIVERED, TRACE_SIGNAL_IGNORED, TRACE_SIGNAL_ALREADY_PENDING, TRACE_SIGNAL_OVERFLOW_FAIL };

// include/uapi/asm-generic/signal.h, siginfo.h, resource.h; include/uapi/linux/sched.h
enum { SIGKILL = 9, SIGPIPE = 13, SIGCHLD = 17, SIGCONT = 18, SIGIO = 29, SIG_IGN = 1 };
enum { SI_USER, SI_KERNEL = 0x80, POLL_IN = 1, POLL_HUP = 6, CLD_KILLED = 2, CLD_DUMPED = 3 };
enum { TS_COMPAT = 2, PSR_MODE32_BIT = 0x10 }; // arch/x86: thread_info.h; arch/arm64: ptrace.h
enum { NSEC_PER_SEC = 1000000000 };

// kernel/signal.c: SIG_KERNEL_STOP_MASK, SIG_KERNEL_COREDUMP_MASK. Bit n-1: signal n.
static const u64 STOPPING = 7 << 19 | 1 << 18; // STOP, TSTP, TTIN, TTOU
static const u64 HARMLESS = 3 << 16 | 1 << 22 | 1 << 27; // CHLD, CONT, URG, WINCH
static const u64 DUMPING = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 10 | 3 << 23 | 1 << 30;

struct name { u64 words[2]; }; // char[TASK_COMM_LEN]
struct siginfo { s32 signo, errno, code, pad; u64 addr, value; }; // or si_pid and si_uid; or si_status
struct times { u64 utime, stime; };
struct rlimit { u64 rlim_cur, rlim_max; };
struct path { void *mnt; struct dentry *dentry; };
struct qstr { u64 hash_len; const char *name; };
struct dentry { struct qstr d_name; } KERNEL;
struct cgroup_subsys_state { struct cgroup *parent; } KERNEL; // a struct cgroup begins with its own
struct task_struct {
	u32 flags, pid, tgid, ptrace, policy, exit_signal, loginuid; // the last: with CONFIG_AUDIT
	u64 jobctl, blocked, real_blocked, start_boottime;
	struct name comm;
	struct task_struct *real_parent, *parent, *group_leader;
	struct cred { u32 uid; } *real_cred;
	struct css_set { struct cgroup { struct kernfs_node { u64 id; } *kn; } *dfl_cgrp; } *cgroups;
	struct mm_struct { u64 arg_start, arg_end; struct file { struct path f_path; } *exe_file; } *mm;
	struct pid { u32 level; void *numbers; } *thread_pid; // struct upid[], of 16 bytes: nr, and more
	struct sighand_struct { void *action; } *sighand;     // struct k_sigaction[], of 32 bytes: sa_handler, and more
	struct signal_struct {
		u32 flags, group_exit_code, leader, live;
		struct task_struct *curr_target;
		struct times cputimer;
		struct rlimit rlim;                           // RLIMIT_CPU is the first
	} *signal;
} KERNEL;
struct thread_info { u32 status; } KERNEL;                    // x86_64; a task_struct begins with it
struct pt_regs { u64 orig_ax, di, si, dx, bx, cx, syscallno, pstate, orig_x0, regs[3]; } KERNEL; // the last 4: aarch64

enum { CMDLINE_MAX = 1024, VICTIMS = 256, PID_MAX_LIMIT = 1 << 22, WANTED_MAX = 8, LEVELS_MAX = 32 };
enum effect { KILLS, CORE, STOPS, CONTINUES, HANDLER, BLOCKED, IGNORED, PROTECTED, STOPPED, FROZEN, TRACED, MERGED,
	      EXITING, OVERFLOW };

// A process, and one of its threads.
struct who {
	u32 tgid, tid, uid, loginuid; // the latter: -1 if nobody logged in
	u32 ppid, nspid;              // nspid: the process's id in its own pid namespace
	u64 start, cgroup;            // CLOCK_BOOTTIME, ns
	struct name comm, process, parent; // the thread's, its process's, the parent process's
};

// The record of one signal. Signals.java finds each member by its name, in this object's BTF.
struct event {
	u32 pid, signr;               // a brief record ends here; signr 0: this is a struct process
	u64 time;                     // CLOCK_MONOTONIC, ns
	u64 value, addr;              // of the siginfo
	s32 code, result;             // the code is SI_USER or SI_KERNEL if no siginfo came; TRACE_SIGNAL_*
	u8 group, has_info;           // sent to the process, not to one thread; a siginfo came with it
	u8 effect, traced;            // traced: by the running task, or it is that task
	u8 cpu_limit, exiting;        // the running task has used up its hard RLIMIT_CPU; it is exiting
	u8 leader, alive;             // it leads its session; threads of its process are left
	u32 policy;                   // its scheduling policy
	u16 exit_signal, certain;     // what its process sends when it ends; a death that no flood is made of
	struct who target, sender;    // sender: the running task
};
// A signal that could not be sent has result -errno, code says by which of these, and of the rest only sender is set.
enum { KILL, TKILL, SIGQUEUEINFO, PIDFD_SEND_SIGNAL, TGKILL, TGSIGQUEUEINFO, CALLS };

// The record of a process that begins, or begins another program.
struct process {
	u32 process_pid, pad_zero;
	u64 process_start, process_cgroup;
	u32 process_ppid;
	s32 cmdline_size;             // below zero: minus the process that it has it from; above CMDLINE_MAX: it is cut
	struct name process_comm;
	char process_cmdline[CMDLINE_MAX];
};
enum { NO_CMDLINE = __builtin_offsetof(struct process, process_cmdline) };
const union { struct event event; struct process process; enum effect effect; } *const in_btf = 0;

// Memory that Signals.java maps.
volatile struct shared {
	u64 signals;                  // set there: bit n-1: signal n is asked for
	u32 to_count, from_count;     // only signals to, or from: a process, a name, or a cgroup with all below; 0: any
	struct wanted { u64 pid, cgroup; struct name name; } to[WANTED_MAX], from[WANTED_MAX]; // two of three are 0
	u32 fatal, brief;             // of SIGCHLD, only reports of children that a signal ended; only pid and signr
	u32 reader;                   // the tgid that writes to the clients; -1: not known
	u32 listening;                // somebody wants records
	u32 parked;                   // the reader sleeps, or is about to: wake it
	u32 marked;                   // set here, for here: how many victims the OOM killer has chosen
	u32 calls[2][CALLS];          // set there: numbers of those system calls; of 32-bit callers
	u64 ring;                     // set there: the ring buffer's size, bytes
	u64 dropped;                  // signals without a record, as the ring buffer was full
	u64 suspect, votes;           // who sent most of them: uid << 32 | tgid << 8 | signr; see drop()
	struct { u64 pid, time; } victims[VICTIMS]; // the newest; CLOCK_MONOTONIC, ns
} shared;

int events SEC(".maps"); // a ring buffer: Signals.java makes it
const char dual_license[] SEC("license") = "Dual MIT/GPL";

// A member of one of the kernel's structs. With types, a prog just loads it, which takes half the time of a probe read.
// Not every kernel allows that (5.10 does not), so on_signal is there twice.
#define get(member) ({ \
	__typeof__(member) got; \
	typed ? (void) (got = (member)) : (void) probe(got, &(member)); \
	got; \
})
enum { typed = 0 }; // no types, except in functions with a parameter of this name

// For a computed address: the verifier allows no typed pointer to be moved by a number that it does not know.
#define probe(dst, address) bpf_probe_read_kernel(&(dst), sizeof(dst), address)

// Does this thread block it, or exit? sigtimedwait(2) takes what it waits for out of blocked; real_blocked keeps it.
INLINE u8 is_deaf(struct task_struct *task, u64 bit, const u8 typed)
{
	return ((get(task->blocked) | get(task->real_blocked)) & bit) || (get(task->flags) & PF_EXITING);
}

// What comes of a signal, by the target's state under its siglock: prepare_signal() and complete_signal(), which choose
// a thread for it, have run.
INLINE u8 effect_of(u32 signr, struct task_struct *task, u8 group, u32 result, const u8 typed)
{
	struct signal_struct *signal = get(task->signal);
	struct sighand_struct *sighand = 0;
	u32 index = (signr - 1) & 63, flags = get(signal->flags);
	u64 bit = 1ull << index, handler = 0;

	if (result == TRACE_SIGNAL_OVERFLOW_FAIL)
		return OVERFLOW;
	if (group ? !get(signal->live) : get(task->flags) & PF_EXITING) // asked first: 5.10 delivers to zombies
		return EXITING;
	if (flags & SIGNAL_GROUP_EXIT)
		return result == TRACE_SIGNAL_DELIVERED && get(signal->group_exit_code) == signr ? KILLS : EXITING;
	if (result == TRACE_SIGNAL_ALREADY_PENDING)
		return MERGED;
	if (signr == SIGCONT && (flags & SIGNAL_CLD_CONTINUED))
		return CONTINUES;
	probe(sighand, &task->sighand);
	probe(handler, (void *) &sighand->action + 32 * index);
	if (result == TRACE_SIGNAL_IGNORED)
		return !handler && (flags & SIGNAL_UNKILLABLE) && !(bit & HARMLESS) ? PROTECTED : IGNORED;
	if (signr != SIGKILL && (flags & SIGNAL_STOP_STOPPED))
		return STOPPED;
	if (signr != SIGKILL && (get(task->jobctl) & JOBCTL_TRAP_FREEZE))
		return FROZEN;
	if (is_deaf(task, bit, typed) && (!group || is_deaf(get(signal->curr_target), bit, typed)))
		return BLOCKED;
	if (signr != SIGKILL && get(task->ptrace))
		return TRACED;
	if (handler > SIG_IGN)
		return HANDLER;
	if (handler || (bit & HARMLESS)) // queued as the main thread blocks it; another thread will drop it
		return IGNORED;
	return bit & STOPPING ? STOPS : bit & DUMPING ? CORE : KILLS;
}

#define LOOP _Pragma("clang loop unroll(disable)")
#define EACH(i, count) LOOP for (u32 i = 0; i < WANTED_MAX && i < (count); i++)

INLINE u8 is_named(const struct name *a, const volatile struct name *b)
{
	return a->words[0] == b->words[0] && a->words[1] == b->words[1] && a->words[0];
}

// A process's name is what it calls itself, or that of the file that it runs.
INLINE u8 is_one_of(const volatile struct wanted *list, u32 count, struct task_struct *task)
{
	struct task_struct *leader = get(task->group_leader);
	struct file *file = get(get(leader->mm)->exe_file);
	struct name comm = {}, file_name = {};
	struct cgroup *cgroup;
	u32 tgid = get(task->tgid);
	u64 id;

	bpf_probe_read_kernel_str(&comm, sizeof(comm), &leader->comm);
	bpf_probe_read_kernel_str(&file_name, sizeof(file_name), get(get(file->f_path).dentry->d_name).name);
	EACH(i, count)
		if ((tgid && list[i].pid == tgid) || is_named(&comm, &list[i].name)
		    || is_named(&file_name, &list[i].name))
			return 1;
	cgroup = get(get(task->cgroups)->dfl_cgrp);
	LOOP for (u32 level = 0; level < LEVELS_MAX && cgroup; level++) {
		id = get(get(cgroup->kn)->id);
		EACH(i, count)
			if (list[i].cgroup == id)
				return 1;
		cgroup = get(((struct cgroup_subsys_state *) cgroup)->parent);
	}
	return 0;
}

// A client may ask for a signal when its socket has something to read (O_ASYNC, F_SETSIG). Reporting that signal would
// cause the next one, forever. So signals that the reader's writes cause are left out, as is its own SIGPIPE.
INLINE u8 is_own_echo(u32 signr, s32 code, u8 from_kernel, u32 tgid, u32 sender)
{
	return shared.reader == sender && (tgid == sender ? signr == SIGPIPE
		: (code >= POLL_IN && code <= POLL_HUP) || (from_kernel && signr == SIGIO));
}

// A flood must hide nobody: certain deaths may fill the whole ring buffer, other deaths and stops seven eighths of it,
// all else six. Nobody can flood with certain deaths. With stops anybody can, by SIGSTOP and SIGCONT in turns; and with
// real-time signals that kill, to a task that sleeps in vfork(2).
INLINE u8 is_fuller_than(u8 eighths)
{
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) * 8 > shared.ring * eighths;
}

// The suspect is found by a majority vote (Boyer and Moore): it is right if it sent more than half of what was dropped.
INLINE int drop(u32 signr)
{
	u64 suspect = bpf_get_current_uid_gid() << 32 | bpf_get_current_pid_tgid() >> 32 << 8 | (signr & 0xFF);
	u64 votes = shared.votes;

	__sync_fetch_and_add(&shared.dropped, 1);
	if (!votes)
		shared.suspect = suspect;
	shared.votes = shared.suspect == suspect ? votes + 1 : votes ? votes - 1 : 0;
	return 0;
}

// Wakes the reader if it sleeps: once, as a wake-up costs the sender of the signal ten times what this prog does.
INLINE void submit(void *sample, u8 urgent)
{
	u8 wakes = urgent && shared.parked;

	if (wakes)
		shared.parked = 0;
	bpf_ringbuf_submit(sample, wakes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);

	// The reader may set `parked` right now. The xchg() in bpf_ringbuf_commit() is a full barrier, as is the
	// reader's between that store and its last look at the ring: one of the two sees the other. If there is no
	// room for the record that wakes it, others took it since: they saw `parked`, by the ring's lock, and wake it.
	if (urgent && !wakes && shared.parked && (sample = bpf_ringbuf_reserve(&events, 8, 0)))
		bpf_ringbuf_discard(sample, BPF_RB_FORCE_WAKEUP);
}

INLINE void describe(struct who *who, struct task_struct *task, const u8 typed)
{
	struct task_struct *leader = get(task->group_leader), *parent = get(get(task->real_parent)->group_leader);
	struct pid *pid = get(leader->thread_pid);
	u64 level = get(pid->level);

	who->tgid = get(task->tgid);
	who->tid = get(task->pid);
	who->uid = get(get(task->real_cred)->uid);
	who->loginuid = HAS(task->loginuid) ? get(task->loginuid) : -1;
	who->ppid = get(parent->tgid);
	who->nspid = who->tgid;
	if (level) {
		probe(pid, &leader->thread_pid);
		probe(who->nspid, (void *) &pid->numbers + 16 * level);
	}
	who->start = get(leader->start_boottime);
	who->cgroup = get(get(get(get(task->cgroups)->dfl_cgrp)->kn)->id);
	who->comm = get(task->comm);
	who->process = get(leader->comm);
	who->parent = get(parent->comm);
}

// For README's CAUSES.
INLINE void add_proof(struct event *e, u32 signr, struct task_struct *task, struct task_struct *current, const u8 typed)
{
	struct signal_struct *signal = get(current->signal);

	e->traced = get(task->ptrace) && (get(task->parent) == current || task == current);
	// the test by which check_process_timers() has just decided; without a limit, the product is still huge
	e->cpu_limit = signr == SIGKILL && e->code == SI_KERNEL && task == current &&
		get(signal->cputimer).utime + get(signal->cputimer).stime >= get(signal->rlim).rlim_max * NSEC_PER_SEC;
	e->exiting = !!(get(current->flags) & PF_EXITING);
	e->leader = !!get(signal->leader);
	e->alive = !!get(signal->live);
	e->policy = get(current->policy);
	e->exit_signal = get(get(current->group_leader)->exit_signal);
}

INLINE int record(const u64 *ctx, struct task_struct *current, const u8 typed)
{
	struct task_struct *task = (void *) ctx[2];
	struct siginfo info = {};
	u32 signr = ctx[0], tgid, sender = bpf_get_current_pid_tgid() >> 32;
	u64 pointer = 0;
	struct event *e;
	u8 effect = 0, scarce, report, fatal, echo, certain;

	// filter, the cheapest question first
	if (!shared.listening || !(shared.signals >> ((signr - 1) & 63) & 1))
		return 0;
	// ctx[1] is read as a number: with types, the verifier takes it for a pointer that is never 0
	probe(pointer, &ctx[1]);
	if (pointer > SEND_SIG_PRIV)
		probe(info, (void *) pointer);
	else
		info.code = pointer == SEND_SIG_NOINFO ? SI_USER : SI_KERNEL;
	tgid = get(task->tgid);
	if ((shared.to_count && !is_one_of(shared.to, shared.to_count, task))
	    || (shared.from_count && !is_one_of(shared.from, shared.from_count, current)))
		return 0;
	scarce = is_fuller_than(6);
	echo = is_own_echo(signr, info.code, pointer == SEND_SIG_PRIV, tgid, sender);
	if (shared.fatal || !shared.brief || scarce || echo) // else nothing depends on it
		effect = effect_of(signr, task, ctx[3], ctx[4], typed);
	// a child's death; a report to the own process can be forged, with rt_sigqueueinfo(2)
	report = signr == SIGCHLD && (info.code == CLD_KILLED || info.code == CLD_DUMPED) && tgid != sender;
	fatal = report || effect == KILLS || effect == CORE;
	certain = report || effect == CORE // each such signal is pending just once
		|| (fatal && (task == current || (get(get(task->signal)->flags) & SIGNAL_GROUP_EXIT)));
	if (!fatal && (shared.fatal || echo))
		return 0;
	if (scarce && !certain && (!(fatal || effect == STOPS) || is_fuller_than(7)))
		return drop(signr);

	// reserve a sample, fill it, and hand it over; the verifier insists on constant sizes
	if (shared.brief) {
		e = bpf_ringbuf_reserve(&events, __builtin_offsetof(struct event, time), 0);
	} else if ((e = bpf_ringbuf_reserve(&events, sizeof(*e), 0))) {
		e->time = bpf_ktime_get_ns();
		e->value = info.value;
		e->addr = info.addr;
		e->code = info.code;
		e->result = ctx[4];
		e->group = ctx[3];
		e->has_info = pointer > SEND_SIG_PRIV;
		e->effect = effect;
		e->certain = certain;
		describe(&e->target, task, typed);
		describe(&e->sender, current, typed);
		add_proof(e, signr, task, current, typed);
	}
	if (!e)
		return drop(signr);
	e->pid = get(task->pid);
	e->signr = signr;
	submit(e, 1);
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
// TP_PROTO(int pid), and since Linux 6.9 TP_PROTO(struct task_struct *task, uid_t uid)
SEC("raw_tp/mark_victim")
int on_mark_victim(u64 *ctx)
{
	struct task_struct *task = (void *) ctx[0];
	u32 pid = ctx[0] > PID_MAX_LIMIT ? get(task->pid) : ctx[0], slot = shared.marked++ % VICTIMS;

	shared.victims[slot].pid = pid;
	shared.victims[slot].time = bpf_ktime_get_ns();
	return 0;
}

// The reader is not woken for a name, unless the ring buffer fills, or the program begins in another cgroup than its
// parent's: the reader must look up that cgroup's path while it exists.
INLINE int record_process(struct task_struct *task, const u8 execs)
{
	u64 start = 0, end, size = 0, read;
	struct task_struct *parent;
	struct mm_struct *mm;
	struct process *p;

	if (!shared.listening || shared.brief || (!execs && get(task->pid) != get(task->tgid)) || is_fuller_than(6))
		return 0;
	if (execs) {
		mm = get(task->mm);
		start = get(mm->arg_start);
		end = get(mm->arg_end); // what follows is the environment; any task may set its own, by prctl(2)
		size = start < end ? end - start : 0;
	}
	p = !size ? bpf_ringbuf_reserve(&events, NO_CMDLINE, 0) // most are short: they take up little room
		: size <= 64 ? bpf_ringbuf_reserve(&events, NO_CMDLINE + 64, 0)
		: size <= 256 ? bpf_ringbuf_reserve(&events, NO_CMDLINE + 256, 0)
		: bpf_ringbuf_reserve(&events, NO_CMDLINE + CMDLINE_MAX, 0);
	if (!p)
		return 0;
	read = size > CMDLINE_MAX ? CMDLINE_MAX : size;
	if (read && bpf_probe_read_user(p->process_cmdline, read, (void *) start))
		size = 0;
	parent = get(task->real_parent);
	p->process_pid = get(task->tgid);
	p->pad_zero = 0;
	p->process_start = get(task->start_boottime);
	p->process_cgroup = bpf_get_current_cgroup_id();
	p->process_ppid = get(parent->tgid);
	p->cmdline_size = !execs ? -(s32) (bpf_get_current_pid_tgid() >> 32)
		: size > CMDLINE_MAX ? CMDLINE_MAX + 1 : size;
	p->process_comm = get(task->comm);
	submit(p, (execs && get(task->cgroups) != get(parent->cgroups)) || is_fuller_than(2));
	return 0;
}

// TP_PROTO(struct task_struct *parent, struct task_struct *child)
SEC("raw_tp/sched_process_fork")
int on_fork(u64 *ctx)
{
	return record_process((void *) ctx[1], 0);
}

// TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
SEC("raw_tp/sched_process_exec")
int on_exec(u64 *ctx)
{
	return record_process((void *) ctx[0], 1);
}

// Which of those calls it is, and its arguments. On aarch64, regs[0] is the result by now.
INLINE u32 read_call(struct pt_regs *regs, struct thread_info *thread, u64 *arguments)
{
	u32 number = 0, kind = 0;
	u8 is_32_bit = 0;

	if (HAS(regs->orig_x0)) {
		number = get(regs->syscallno);
		is_32_bit = !!(get(regs->pstate) & PSR_MODE32_BIT);
		bpf_probe_read_kernel(arguments, sizeof(regs->regs), &regs->regs);
		arguments[0] = get(regs->orig_x0);
	} else if (HAS(thread->status)) {
		number = get(regs->orig_ax);
		is_32_bit = !!(get(thread->status) & TS_COMPAT);
		arguments[0] = is_32_bit ? get(regs->bx) : get(regs->di);
		arguments[1] = is_32_bit ? get(regs->cx) : get(regs->si);
		arguments[2] = get(regs->dx);
	}
	while (kind < CALLS && number != shared.calls[is_32_bit][kind])
		kind++;
	return kind;
}

// Signals that could not be sent; attached with --failed only, as it sees every system call.
// TP_PROTO(struct pt_regs *regs, long ret)
SEC("raw_tp/sys_exit")
int on_sys_exit(u64 *ctx)
{
	struct task_struct *current = bpf_get_current_task();
	u64 arguments[3] = {};
	struct event *e;
	u32 kind, signr;

	if ((long long) ctx[1] >= 0 || !shared.listening)
		return 0;
	kind = read_call((void *) ctx[0], (void *) current, arguments);
	signr = arguments[kind < TGKILL ? 1 : 2];
	if (kind == CALLS || !signr || (signr <= 64 ? !(shared.signals >> (signr - 1) & 1) : ~shared.signals)
	    || (shared.from_count && !is_one_of(shared.from, shared.from_count, current)))
		return 0;
	if (is_fuller_than(6) || !(e = bpf_ringbuf_reserve(&events, sizeof(*e), 0)))
		return drop(signr);
	__builtin_memset(e, 0, sizeof(*e));
	e->pid = arguments[kind < TGKILL ? 0 : 1];
	e->signr = signr;
	e->time = bpf_ktime_get_ns();
	e->code = kind;
	e->result = ctx[1];
	describe(&e->sender, current, 0);
	submit(e, 1);
	return 0;
}
