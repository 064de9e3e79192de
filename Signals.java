///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION Who sent which signal to whom, why, and what came of it: a line of JSON each, on a Unix socket
//DEPS com.kohlschutter.junixsocket:junixsocket-common:2.11.1
//DEPS com.kohlschutter.junixsocket:junixsocket-native-common:2.11.1
//DOCS README.md
//FILES signals.bpf.o
//COMPILE_OPTIONS -XDstringConcat=inline
//RUNTIME_OPTIONS --enable-native-access=ALL-UNNAMED -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmn8m
//MANIFEST Enable-Native-Access=ALL-UNNAMED

// Signals tells who sent which signal to whom, why, and what came of it.
//
// It loads small eBPF progs (signals.bpf.c). The kernel runs one whenever a signal is sent, and it leaves a record in a
// ring buffer; others do so when a process begins, so that names outlast processes. One thread here reads the records,
// turns each signal's into a line of JSON, and hands the line to every client of a Unix socket. Neither libbpf nor
// clang is needed: the loader below calls bpf(2) itself.
//
//     kill(2) ─▶ kernel: signal_generate ─▶ prog on_signal ─▶ ring buffer "events"          signals.bpf.c
//                                                                   │
//           epoll_wait(2) ◀── nothing left ── RingBuffer.fill ◀─────┘                       §1, §5
//                   │                               │ an Event                              §2
//                   │                          Json.encode (and Table.add for --print)      §3
//                   │                               │ a line
//                   └─▶ accept, read, drop    Block ─▶ Client.send ─▶ nc -U                 §4
//
// §1 the program; §2 an event and what it means; §3 the line and the table; §4 the socket and its clients; §5 the way
// into the kernel, and the ring buffer; §6 the object file and the kernel's types; §7 system calls.

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import module java.base;
import org.newsclub.net.unix.AFUNIXServerSocketChannel;
import org.newsclub.net.unix.AFUNIXSocketChannel;
import org.newsclub.net.unix.FileDescriptorCast;

// §1 ── The program ──────────────────────────────────────────────────────────────────────────────────────────────────
// main and its loop, the command line, what people read: log lines and errors.

public final class Signals {
    static final String VERSION = "0.2.0";

    // Woken so soon after it fell asleep, the reader polls the ring instead, while each poll finds so many records: a
    // wake-up costs the sender of a signal ten times what the prog does.
    private static final long SOON = 125_000; // ns
    private static final int LINGER = 1, HOT = 8; // ms between polls, the most that a line is delayed; records

    static volatile int status;   // the exit status
    private static Server server; // its file is to be removed at the end, however that comes

    public static void main(String... arguments) {
        try {
            Runtime.getRuntime().addShutdownHook(new Thread(Signals::end));
        } catch (IllegalStateException e) {
            return; // a signal that ends the JVM was faster
        }
        try {
            Options options = new Options(arguments);
            if (options.answer == null) new Signals(options).serve();
            else Output.OUT.print(options.answer);
        } catch (Throwable e) {
            Failure.tell(e);
        }
        System.exit(status);
    }

    /** The shutdown hook. The kernel frees all but the socket's file. Without halt(), a signal would set the status. */
    private static synchronized void end() { // a start that is under way finishes its socket first, or makes none
        if (server != null) {
            server.place.remove();
            Log.info("stopped");
        }
        Output.OUT.finish();
        Output.ERR.finish();
        Runtime.getRuntime().halt(status);
    }

    private final Options options;
    private final Tracer tracer;
    private final Json json;
    private final Table table; // null without --print

    private Signals(Options options) {
        this.options = options;
        var library = CompletableFuture.runAsync(Place::loadLibrary); // takes as long as attaching: 80 ms
        Log.info("loading and attaching to the ebpf program");
        tracer = new Tracer(options);
        library.join();
        synchronized (Signals.class) {
            server = new Server(options);
        }
        server.watch(tracer.ring.fd);
        json = new Json(options.brief, tracer.processes, server);
        Log.info("unix socket listening on " + options.socket);
        Log.info("awaiting for new connections");
        table = options.print ? new Table(tracer.processes) : null; // below these, where both go to one terminal
    }

    /** Tells what there is, then sleeps until there is more. */
    private void serve() {
        boolean hot = false, lingered = false;
        while (true) {
            tracer.listen(table != null || server.hasClients());
            boolean more = tracer.fill();
            int records = tell();
            if (lingered) hot = records >= HOT;
            lingered = hot && !more;
            if (more || hot) {
                server.poll(more ? 0 : LINGER);
                continue;
            }
            long asleep = System.nanoTime();
            server.poll(tracer.park() ? Server.FOREVER : 0);
            tracer.unpark();
            hot = System.nanoTime() - asleep < SOON;
        }
    }

    /** A line to everybody for each of the records copied last; returns how many they were. */
    private int tell() {
        int records = 0;
        for (Event event; (event = tracer.next()) != null; records++) tell(event);
        Flood flood = tracer.flood();
        if (flood != null) json.encode(flood);
        if (flood != null && table != null) table.add(flood);
        server.flush();
        return records;
    }

    private void tell(Event event) {
        if (!isWanted(event)) return;
        if (server.hasClients()) json.encode(event);
        if (table != null) table.add(event);
    }

    /** What the prog cannot tell: whether the running task sent it, and who was meant by one that could not be sent. */
    private boolean isWanted(Event event) {
        if (!options.from.isEmpty() && !event.cause.sent) return false;
        if (!event.failed || options.to.isEmpty()) return true;
        Party target = tracer.processes.target(event);
        return options.to.stream().anyMatch(who -> who.pid() == target.pid && target.pid != 0
            || !who.name().isEmpty() && who.name().equals(target.comm));
    }
}

/** The command line: {@code -p 1}, {@code -p1}, {@code -vp1}, {@code --pid 1} or {@code --pid=1}. */
final class Options {
    private static final String USAGE = """
            Usage: signals [OPTION]...
            Tell who sends which signal to whom: one JSON object a line, to every client
            of a Unix socket.

              -s, --signal LIST   only these: names or numbers, comma-separated; ^LIST all
                                  but these
              -t, --to WHO        only signals sent to these: PIDs, names, or cgroups' paths
                                  such as /system.slice; comma-separated
              -p, --pid PID       the same as --to PID
              -f, --from WHO      only signals sent by these
                  --fatal         only what ends a process, and the report of a child so
                                  ended
                  --failed        also signals that could not be sent
                  --print         also show them here, as a table
                  --socket PATH   default /var/run/signals
                  --group NAME    let this group connect
                  --short         write only pid and signr
                  --ring SIZE     ring buffer size in bytes, a power of two; default 8M
              -v, --verbose       log connections and the loader's steps
              -h, --help
              -V, --version

            Exit status: 0 stopped, 1 could not start or run, 2 usage
            """;

    long signals = ~0L, ring = 8 << 20; // bit n-1: signal n is asked for; bytes
    final List<Who> to = new ArrayList<>(), from = new ArrayList<>(); // none: anybody
    Path socket = Path.of("/var/run/signals");
    String group, answer; // null: none; what to print instead of running, or null
    boolean brief, print, fatal, failed;
    private final Deque<String> words;
    private final Set<String> given = new HashSet<>(); // options that have got their value
    private String attached; // what follows the option in its word: its value, or more short options

    Options(String... arguments) {
        words = new ArrayDeque<>(List.of(arguments));
        for (String option; (option = next()) != null;) {
            switch (option) {
                case "-s", "--signal" -> signals = Signal.mask(value("--signal"));
                case "-t", "--to" -> add(to, "--to");
                case "-p", "--pid" -> add(to, "--pid");
                case "-f", "--from" -> add(from, "--from");
                case "--fatal" -> fatal = true;
                case "--failed" -> failed = true;
                case "--print" -> print = true;
                case "--socket" -> socket = Path.of(value("--socket"));
                case "--group" -> group = value("--group");
                case "--short" -> brief = true;
                case "--ring" -> ring = size("--ring");
                case "-v", "--verbose" -> Log.verbose = true;
                case "-h", "--help" -> answer = USAGE;
                case "-V", "--version" -> answer = "signals " + Signals.VERSION + "\n";
                default -> throw Failure.usage(option, "no such option; --help lists them");
            }
            if (attached != null && option.startsWith("--"))
                throw Failure.usage(option + "=" + attached, "it takes no value");
        }
        if (fatal) signals &= Signal.FATAL | Signal.bit(Signal.SIGCHLD);
        if (signals == 0) throw Failure.usage("--signal", fatal ? "none of these is --fatal" : "this leaves none");
    }

    private String next() {
        String word = attached != null ? "-" + attached : words.poll();
        if (word == null) return null;
        if (!word.startsWith("-")) throw Failure.usage(word, "only options are expected; --help lists them");
        boolean isLong = word.startsWith("--");
        int end = isLong ? (word + "=").indexOf('=') : Math.min(2, word.length());
        attached = end == word.length() ? null : word.substring(isLong ? end + 1 : end);
        return word.substring(0, end);
    }

    private String value(String option) {
        String value = attached != null ? attached : words.poll();
        attached = null;
        if (value == null || value.isEmpty()) throw Failure.usage(option, "it needs a value; --help tells which");
        if (!given.add(option)) throw Failure.usage(option + " " + value, "it can be given only once");
        return value;
    }

    private void add(List<Who> list, String option) {
        for (String word : value(option).split(",", -1)) list.add(Who.of(word, option));
        if (list.size() > Who.MOST) throw Failure.usage(option, "at most " + Who.MOST + " are possible");
    }

    private long size(String option) {
        String value = value(option), digits = value.replaceFirst("[KMG]$", "");
        int unit = "KMG".indexOf(value.charAt(value.length() - 1)) + 1;
        long size = digits.matches("[0-9]{1,10}") ? Long.parseLong(digits) << 10 * unit : 0;
        if (size >= Kernel.PAGE_SIZE && size <= 1 << 30 && Long.bitCount(size) == 1) return size;
        throw Failure.usage(option + " " + value, "a power of two is expected, from a page to 1G, such as 8M");
    }
}

/** Whom --to or --from asks for: a process, all in a cgroup and below it, or all of a name; the others are 0 or "". */
record Who(long pid, long cgroup, String name) {
    static final int MOST = 8, PID_MAX_LIMIT = 4_194_304; // WANTED_MAX in signals.bpf.c; include/linux/threads.h

    static Who of(String word, String option) {
        long pid = word.matches("[0-9]{1,7}") ? Long.parseLong(word) : 0;
        if (pid > 0 && pid <= PID_MAX_LIMIT) return new Who(pid, 0, "");
        if (word.matches("[0-9]*") || option.equals("--pid"))
            throw Failure.usage(option + " " + word, "a process id is expected");
        return word.startsWith("/") ? new Who(0, Cgroups.id(word, option + " " + word), "") : new Who(0, 0, word);
    }
}

/** What could not be done, on what, errno's name, a hint: one line, and the exit status. */
final class Failure extends RuntimeException {
    private static final int USAGE = 2;

    /** Of java.io's exceptions, by strerror(3)'s words, or by the class where it leaves them out. */
    private static final Map<String, String> ERRNO = Map.of("NoSuchFileException", "ENOENT",
        "AccessDeniedException", "EACCES", "Not a directory", "ENOTDIR", "Operation not permitted", "EPERM",
        "Read-only file system", "EROFS");

    private final int status;

    Failure(String what, String errno, String hint) { this(1, what, errno, hint); }

    private Failure(int status, String what, String errno, String hint) {
        super(what + ": " + errno + (hint.isEmpty() ? "" : "; " + hint));
        this.status = status;
    }

    static Failure usage(String what, String hint) { return new Failure(USAGE, what, "EINVAL", hint); }

    static Failure of(String what, IOException e, String hint) {
        String reason = e instanceof FileSystemException f ? f.getReason() : e.getMessage();
        String words = reason != null ? reason : e.getClass().getSimpleName();
        return new Failure(what, ERRNO.getOrDefault(words, words), hint);
    }

    /** Prints why the program ends, and sets its exit status. What is not foreseen gets a stack trace. */
    static void tell(Throwable e) {
        if (e.getCause() instanceof Failure) e = e.getCause(); // of a class that could not be initialized
        if (e instanceof OutOfMemoryError)
            e = new Failure("the JVM's memory", "ENOMEM", "give it more: java -Xmx32m is enough");
        if (e instanceof InvalidPathException path)
            e = usage("--socket " + path.getInput(), "no path in this locale's character set, see locale(1)");
        Signals.status = e instanceof Failure failure ? failure.status : 1;
        if (!(e instanceof Failure)) e.printStackTrace();
        else if (Signals.status == USAGE) Output.ERR.print("signals: " + e.getMessage() + "\n");
        else Log.error(e.getMessage());
    }
}

/** Lines on standard error: {@code [2026-11-22T19:54:02Z INFO  signals] awaiting for new connections}. */
final class Log {
    static boolean verbose;

    static void error(String line) { write("ERROR", line); }
    static void warn(String line) { write("WARN ", line); }
    static void info(String line) { write("INFO ", line); }
    static void debug(String line) { if (verbose) write("DEBUG", line); }

    private static void write(String level, String line) {
        Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
        Output.ERR.print("[" + now + " " + level + " signals] " + line.replace('\n', ' ') + "\n");
    }
}

/** Standard output or error, and the thread that writes to it: one that nobody reads must not hold up the rest. */
final class Output {
    static final Charset CHARSET = Charset.forName(System.getProperty("native.encoding", "UTF-8"));
    static final int STDOUT = 1, STDERR = 2;
    static final Output OUT = new Output(STDOUT), ERR = new Output(STDERR);

    private final int fd;
    private final AtomicLong missing = new AtomicLong(); // lines dropped as the queue was full, not yet told
    private final ThreadPoolExecutor writer = new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS,
        new ArrayBlockingQueue<>(1024), (_, _) -> missing.incrementAndGet());
    private volatile boolean broken;

    private Output(int fd) { this.fd = fd; }

    void print(String line) { writer.execute(() -> write(line)); }

    /** If the queue is full: then the line counts as missing. */
    boolean dropsLine() { return writer.getQueue().remainingCapacity() == 0 && missing.incrementAndGet() > 0; }

    private void write(String line) {
        long more = missing.getAndSet(0);
        if (more > 0) line += "-- " + more + " lines are missing: this output is read too slowly\n";
        for (byte[] left = line.getBytes(CHARSET); left.length > 0;) {
            byte[] some = Arrays.copyOf(left, Math.min(left.length, Kernel.PATH_MAX)); // a call's memory is bounded
            long result = Kernel.call(Kernel.WRITE, fd, some, some.length);
            if (result >= 0) left = Arrays.copyOfRange(left, (int) result, left.length);
            else if (result == -Kernel.EAGAIN) LockSupport.parkNanos(1_000_000); // somebody made it non-blocking
            else if (fd == STDOUT) exit((int) -result);
            else return;
        }
    }

    /** A reader that has seen enough, as head(1) has, is no error. */
    private void exit(int errno) {
        if (errno != Kernel.EPIPE) Failure.tell(new Failure("standard output", Kernel.errnoName(errno), ""));
        broken = true; // finish() must not wait for this thread
        System.exit(Signals.status);
    }

    /** Waits for the queue to empty, up to 2 s. */
    void finish() {
        writer.shutdown();
        for (int ms = 0; ms < 2000 && !broken && !writer.isTerminated(); ms++) LockSupport.parkNanos(1_000_000);
    }
}

// §2 ── An event and what it means ───────────────────────────────────────────────────────────────────────────────────
// Where a record has its members, why the signal was sent, what its numbers are called, and who everybody is.

/** One signal: a struct event of signals.bpf.c, read where it stands among the records copied last. */
final class Event {
    // Each member's place, from the object's own BTF: so the struct is written down once, in C.
    static final int PID = at("pid"), SIGNR = at("signr"), TIME = at("time"), ADDR = at("addr"), CODE = at("code");
    static final int RESULT = at("result"), GROUP = at("group"), HAS_INFO = at("has_info"), EFFECT = at("effect");
    static final int TRACED = at("traced"), CPU_LIMIT = at("cpu_limit"), EXITING = at("exiting"), ALIVE = at("alive");
    static final int LEADER = at("leader"), POLICY = at("policy"), EXIT_SIGNAL = at("exit_signal");
    static final int CERTAIN = at("certain"), TARGET = at("target"), SENDER = at("sender");
    static final int SIZE = BpfObject.SIGNALS.types.size("event");

    // the members of struct who, in TARGET or SENDER
    static final int TGID = who("tgid"), TID = who("tid"), UID = who("uid"), LOGINUID = who("loginuid");
    static final int PPID = who("ppid"), NSPID = who("nspid"), START = who("start"), CGROUP = who("cgroup");
    static final int COMM = who("comm"), PROCESS = who("process"), PARENT = who("parent");

    // what the siginfo has in the place of a value, or of an address
    static final int VALUE = at("value"), STATUS = VALUE, SYSCALL = VALUE, ARCH = VALUE + 4;
    static final int SI_PID = ADDR, SI_UID = ADDR + 4;

    private static final int SCHED_FIFO = 1, SCHED_RR = 2, SCHED_DEADLINE = 6; // include/uapi/linux/sched.h

    static final int BY_PIDFD = 3; // of the system calls that can fail, as signals.bpf.c counts them
    private static final List<Cause> CALLS =
        List.of(Cause.KILL, Cause.TKILL, Cause.QUEUE, Cause.KILL, Cause.TKILL, Cause.QUEUE);

    private static int at(String member) { return BpfObject.SIGNALS.types.offset("event", member); }
    private static int who(String member) { return BpfObject.SIGNALS.types.offset("who", member); }

    final byte[] bytes; // of records, one after the other
    private final ByteBuffer fields; // the same
    int at;      // where this one stands
    long time;   // CLOCK_REALTIME, ns
    int signr, code; // of a whole one, as are the following
    boolean hasValue; // the code says that a union sigval came with it
    long value;
    Cause cause;
    boolean failed; // it could not be sent: result is an errno, negated, and only who asked for what is known
    private boolean killsHaveInfo; // kill(2) comes with a siginfo, as before Linux 7.3

    Event(ByteBuffer records) {
        fields = records;
        bytes = records.array();
    }

    /** Reads it, and clears what differs with each signal, time and value, so that a Memo can compare the rest. */
    void read(long clock) {
        time = i64(TIME) + clock;
        fields.putLong(at + TIME, 0);
        signr = i32(SIGNR);
        code = i32(CODE);
        failed = i32(RESULT) < 0;
        cause = failed ? CALLS.get(code) : flag(HAS_INFO) ? causeByCode()
            : code == Signal.SI_USER ? causeWithoutInfo() : causeByKernel();
        hasValue = !failed && code <= Signal.SI_QUEUE && code >= Signal.SI_ASYNCIO;
        if (!hasValue) return;
        value = i64(VALUE);
        fields.putLong(at + VALUE, 0);
        if (value >>> 32 == 0) value = (int) value; // a sigval is an int or a pointer
    }

    int i32(int member) { return fields.getInt(at + member); }
    long i64(int member) { return fields.getLong(at + member); }
    boolean flag(int member) { return bytes[at + member] != 0; }
    String name(int member) { return Kernel.string(bytes, at + member); } // the kernel ends each comm with a 0

    // Why it was sent, as far as the record proves it: README's CAUSES says what each answer rests on.

    /** Codes of zero and below come from kill(2), tkill(2), rt_sigqueueinfo(2), or from timers and I/O. */
    private Cause causeByCode() {
        if (code > 0) return causeByKernelsCode();
        // a tracee puts a signal that it blocks back into the queue, as its tracer's
        if (flag(TRACED) && isForRunningThread() && i32(SI_PID) != i32(SENDER + NSPID)) return Cause.PTRACE;
        boolean kill = code == Signal.SI_USER && flag(GROUP) && !flag(EXITING);
        killsHaveInfo |= kill;
        return switch (code) {
            case Signal.SI_USER -> kill ? Cause.KILL : Cause.KERNEL;
            case Signal.SI_TKILL -> Cause.TKILL;
            case Signal.SI_TIMER -> Cause.TIMER;
            case Signal.SI_SIGIO, Signal.SI_ASYNCIO, Signal.SI_MESGQ -> Cause.IO;
            default -> Cause.QUEUE; // the kernel makes no others
        };
    }

    /** Codes above zero mean something else with each signal. */
    private Cause causeByKernelsCode() {
        boolean report = flag(EXITING) && bytes[at + EXIT_SIGNAL] == signr; // clone(2) may choose another than SIGCHLD
        if (signr == Signal.SIGCHLD || report) return code <= Signal.CLD_CONTINUED ? Cause.CHILD : Cause.KERNEL;
        if (signr == Signal.SIGSYS && isForRunningThread())
            return code == Signal.SYS_SECCOMP ? Cause.SECCOMP : Cause.DISPATCH;
        if (signr == Signal.SIGTRAP && code == Signal.TRAP_PERF) return Cause.PERF;
        if (Signal.isIn(signr, Signal.FAULTS)) return isForRunningThread() ? Cause.FAULT : Cause.KERNEL;
        return code <= Signal.POLL_HUP ? Cause.IO : Cause.KERNEL; // F_SETSIG may choose any signal
    }

    /** SEND_SIG_NOINFO: on behalf of the running task. */
    private Cause causeWithoutInfo() {
        if (flag(GROUP) && flag(EXITING)) return Cause.PDEATH;
        boolean noTty = flag(LEADER) && (signr == Signal.SIGHUP || signr == Signal.SIGCONT); // ioctl TIOCNOTTY
        if (flag(GROUP)) return noTty && killsHaveInfo ? Cause.TTY : Cause.KILL; // kill(2) since Linux 7.3
        if (flag(TRACED) && (signr == Signal.SIGKILL || signr == Signal.SIGTRAP)) return Cause.PTRACE;
        if (signr == Signal.SIGKILL) return Cause.CGROUP;
        if (!isForRunningThread()) return Cause.KERNEL;
        return signr == Signal.SIGPIPE ? Cause.PIPE : signr == Signal.SIGXFSZ ? Cause.RLIMIT : Cause.KERNEL;
    }

    /** SEND_SIG_PRIV: the kernel's own. Terminals, timers and limits address processes. OOM is a guess: see Tracer. */
    private Cause causeByKernel() {
        if (!flag(GROUP)) return flag(TRACED) ? Cause.PTRACE : isNamespaceInit(TARGET)
            && signr == Signal.SIGKILL ? Cause.REBOOT : signr == Signal.SIGIO ? Cause.IO : Cause.KERNEL;
        if (signr == Signal.SIGKILL && flag(EXITING)) return isNamespaceInit(SENDER) ? Cause.NAMESPACE : Cause.KERNEL;
        if (flag(CPU_LIMIT)) return Cause.RLIMIT;
        if (signr == Signal.SIGKILL) return Cause.OOM;
        if (signr == Signal.SIGXCPU) return i32(POLICY) == SCHED_DEADLINE ? Cause.DEADLINE : Cause.RLIMIT;
        if (Signal.isIn(signr, Signal.TIMERS)) return Cause.TIMER;
        if (Signal.isIn(signr, Signal.TERMINALS)) return flag(EXITING) && !flag(LEADER) ? Cause.JOBCONTROL : Cause.TTY;
        return signr == Signal.SIGIO || signr == Signal.SIGURG ? Cause.IO : Cause.KERNEL;
    }

    private boolean isNamespaceInit(int who) { return i32(who + NSPID) == 1 && i32(who + TGID) != 1; }
    boolean isForRunningThread() { return !flag(GROUP) && i32(PID) == i32(SENDER + TID); }

    /** Not the OOM killer's, so RLIMIT_RTTIME's if it is for a real-time thread's own process. */
    Cause withoutVictim() {
        boolean realTime = i32(POLICY) == SCHED_FIFO || i32(POLICY) == SCHED_RR;
        return realTime && i32(TARGET + TGID) == i32(SENDER + TGID) ? Cause.RLIMIT : Cause.KERNEL;
    }

    Effect effect() { return Effect.ALL[bytes[at + EFFECT]]; }

    /** A signal ends a process: this one, or that of a child, of which it is the report. */
    boolean isFatal() {
        return isReport() ? code == Signal.CLD_KILLED || code == Signal.CLD_DUMPED
            : !failed && (effect() == Effect.KILLS || effect() == Effect.CORE);
    }

    /** Of a child. One to the sender's own process is forged, with rt_sigqueueinfo(2). */
    private boolean isReport() { return cause == Cause.CHILD && i32(TARGET + TGID) != i32(SENDER + TGID); }

    /** The child that a report is about, if another task runs: its tracer, or its parent that exits. Else 0. */
    int reportedPid() {
        if (!isReport() || i32(SI_PID) == i32(SENDER + TGID) || i32(SI_PID) == i32(SENDER + TID)) return 0;
        return i32(TARGET + NSPID) == i32(TARGET + TGID) ? i32(SI_PID) : 0; // else it is an id in another namespace
    }
}

/** Signals that are without a record, as the ring buffer was full, and who sent most of them. */
record Flood(long signals, int pid, String comm, long uid, int signr) { }

/** {@code sent}: by the running task, the line's "sender"; else by the kernel, and that task is just its "context". */
enum Cause {
    KILL("kill"), TKILL("tgkill"), QUEUE("sigqueue"), CHILD("child"), CGROUP("cgroup.kill"), PDEATH("its parent died"),
    PTRACE("ptrace"), REBOOT("reboot"),
    TIMER("timer"), FAULT("fault"), SECCOMP("seccomp"), DISPATCH("dispatch"), IO("input or output"), TTY("terminal"),
    JOBCONTROL("job control"), PIPE("broken pipe"), RLIMIT("CPU time limit"), DEADLINE("deadline"), PERF("perf event"),
    NAMESPACE("end of its pid namespace"), OOM("out of memory"), KERNEL("kernel");

    final boolean sent = ordinal() < 8;
    final String word = name().toLowerCase(Locale.ROOT), shown; // in a line, in the table

    Cause(String shown) { this.shown = shown; }
}

/** What comes of it: enum effect in signals.bpf.c, and its function effect_of() says which. */
enum Effect {
    KILLS, CORE, STOPS, CONTINUES, HANDLER, BLOCKED, IGNORED, PROTECTED, STOPPED, FROZEN, TRACED, MERGED, EXITING,
    OVERFLOW;

    static final Effect[] ALL = values();
    final String word = name().toLowerCase(Locale.ROOT);
}

/** Signals, their codes and their results, by number. */
final class Signal {
    // include/uapi/asm-generic/signal.h: the same on x86_64 and aarch64
    static final int SIGHUP = 1, SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9, SIGSEGV = 11;
    static final int SIGPIPE = 13, SIGCHLD = 17, SIGCONT = 18, SIGURG = 23, SIGXCPU = 24, SIGXFSZ = 25, SIGIO = 29;
    static final int SIGSYS = 31, SIGRTMIN = 34, SIGRTMAX = 64; // the latter two as glibc counts

    // include/uapi/asm-generic/siginfo.h
    static final int SI_USER = 0, SI_KERNEL = 0x80, SI_QUEUE = -1, SI_TIMER = -2, SI_MESGQ = -3, SI_ASYNCIO = -4;
    static final int SI_SIGIO = -5, SI_TKILL = -6, POLL_HUP = 6, SYS_SECCOMP = 1, TRAP_PERF = 6;
    static final int CLD_EXITED = 1, CLD_KILLED = 2, CLD_DUMPED = 3, CLD_CONTINUED = 6;

    private static final String[] NAMES = list("SIG", "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE "
        + "ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS");
    static final String[] RESULTS = "delivered ignored pending overflow lose_info".split(" ");
    private static final String[] SENDERS_CODES = list("SI_", "USER QUEUE TIMER MESGQ ASYNCIO SIGIO TKILL DETHREAD");
    private static final String[] POLL_CODES = list("POLL_", "IN OUT MSG ERR PRI HUP");
    private static final Map<Integer, String[]> KERNELS_CODES = Map.of(
        SIGILL, list("ILL_", "ILLOPC ILLOPN ILLADR ILLTRP PRVOPC PRVREG COPROC BADSTK BADIADDR"),
        SIGFPE, list("FPE_", "INTDIV INTOVF FLTDIV FLTOVF FLTUND FLTRES FLTINV FLTSUB"),
        SIGSEGV, list("SEGV_", "MAPERR ACCERR BNDERR PKUERR ACCADI ADIDERR ADIPERR MTEAERR MTESERR CPERR"),
        SIGBUS, list("BUS_", "ADRALN ADRERR OBJERR MCEERR_AR MCEERR_AO"),
        SIGTRAP, list("TRAP_", "BRKPT TRACE BRANCH HWBKPT UNK PERF"),
        SIGCHLD, list("CLD_", "EXITED KILLED DUMPED TRAPPED STOPPED CONTINUED"),
        SIGSYS, list("SYS_", "SECCOMP USER_DISPATCH"));

    private static final Map<Integer, String> ARCHES = // include/uapi/linux/audit.h: AUDIT_ARCH_*
        Map.of(0xC000003E, "x86_64", 0x40000003, "i386", 0xC00000B7, "aarch64", 0x40000028, "arm");

    static final long FAULTS = mask("SEGV,BUS,FPE,ILL,TRAP"), TIMERS = mask("ALRM,VTALRM,PROF");
    static final long TERMINALS = mask("HUP,INT,QUIT,TSTP,TTIN,TTOU,CONT,WINCH");
    static final long FATAL = mask("^CHLD,CONT,STOP,TSTP,TTIN,TTOU,URG,WINCH"); // they end a process, unless handled

    /** Such as SIGKILL, or, as kill -l of bash, SIGRTMIN+1 and SIGRTMAX-1; null for a number that has no name. */
    static String name(int signr) {
        if (signr < 32 || signr > SIGRTMAX) return at(NAMES, signr - 1);
        int more = signr < 50 ? signr - SIGRTMIN : signr - SIGRTMAX; // 32 and 33 are glibc's own
        return (signr < 50 ? "SIGRTMIN" : "SIGRTMAX") + (more == 0 ? "" : "%+d".formatted(more));
    }

    /** Such as KILL; a number that has no name stays one. */
    static String shortName(int signr) { return name(signr) != null ? name(signr).substring(3) : "" + signr; }

    static String code(int signr, int code, Cause cause) {
        if (code == SI_KERNEL) return "SI_KERNEL";
        if (code <= 0) return at(SENDERS_CODES, -code);
        String[] codes = cause == Cause.IO ? POLL_CODES : KERNELS_CODES.get(cause == Cause.CHILD ? SIGCHLD : signr);
        return codes == null ? null : at(codes, code - 1);
    }

    static String arch(int arch) { return ARCHES.getOrDefault(arch, Json.hex(Integer.toUnsignedLong(arch))); }

    /** Bit n-1 for each signal n of a list such as {@code TERM,9,SIGRTMIN+1}; {@code ^LIST}: for all others. */
    static long mask(String list) {
        boolean others = list.startsWith("^");
        long mask = 0;
        for (String name : list.substring(others ? 1 : 0).split(",", -1)) mask |= bit(number(name, list));
        return others ? ~mask : mask;
    }

    static long bit(int signr) { return 1L << signr - 1; }
    static boolean isIn(int signr, long mask) { return (mask & bit(signr)) != 0; }

    private static int number(String name, String list) {
        String wanted = "SIG" + name.toUpperCase(Locale.ROOT).replaceFirst("^SIG", "");
        for (int n = 1; n <= SIGRTMAX; n++) // RTMIN+16 is RTMAX-14
            if (name.equals("" + n) || wanted.equals(name(n)) || wanted.equals("SIGRTMIN+" + (n - SIGRTMIN))) return n;
        throw Failure.usage("--signal " + list, "'" + name + "' is no signal; kill -l lists names and numbers");
    }

    private static String[] list(String prefix, String names) {
        return (prefix + names.replace(" ", " " + prefix)).split(" ");
    }

    static String at(String[] list, int i) { return i >= 0 && i < list.length ? list[i] : null; }
}

/** Names that outlast their processes: from records of fork(2) and execve(2), or from /proc while a process lives. */
final class Processes {
    private static final int MOST = 8 << 20;     // characters, in names and command lines: the newest stay
    static final int CMDLINE_MAX = 1024;         // bytes
    private static final long TICK = 10_000_000; // ns: USER_HZ, by which /proc tells a start
    static final long FRESH = 1_000_000_000;     // ns: no process is looked up in /proc more often
    static final int DEPTH = 16;                 // of ancestors
    static final int ANCESTOR_MAX = 128;         // characters: a name, a script's first 64, a process id

    // struct process in signals.bpf.c
    private static final int PID = at("process_pid"), START = at("process_start"), PPID = at("process_ppid");
    private static final int SIZE = at("cmdline_size"), COMM = at("process_comm"), CMDLINE = at("process_cmdline");
    private static final int CGROUP = at("process_cgroup");

    private static int at(String member) { return BpfObject.SIGNALS.types.offset("process", member); }

    /** The file that an interpreter runs, which says more than the interpreter's name. */
    private static final Pattern SCRIPT =
        Pattern.compile("^\\S*(?:sh|python[0-9.]*|perl|ruby|node|php)(?: -\\S+)* (?:\\S*/)?([^-/ ]\\S{0,63})");

    /** Unique by id and start, in ticks since boot. Null: not known. It was looked up in /proc at that time, ns. */
    record Process(int pid, int ppid, long start, String name, String cmdline, AtomicLong seen) {
        int size() { return 200 + (name == null ? 0 : name.length()) + (cmdline == null ? 0 : cmdline.length()); }
        boolean began(long nanoseconds) { return nanoseconds < 0 || nanoseconds / TICK == start; }

        /** {@code cron[812]}, {@code sh nightly.sh[811]} */
        @Override public String toString() {
            Matcher script = SCRIPT.matcher(cmdline == null ? "" : cmdline);
            boolean tells = script.find() && !script.group(1).equals(name); // it may be named for its script
            return (tells ? name + " " + script.group(1) : name) + "[" + pid + "]";
        }
    }

    final Cgroups cgroups = new Cgroups();
    int changes; // counts new programs and titles: a Memo made before may be out of date
    private final Map<Integer, Process> known = new LinkedHashMap<>(1024, 0.75f, true); // the oldest use first
    /** In the initial pid namespace, PROC_PID_INIT_INO: elsewhere /proc has other ids, or other processes. */
    final boolean hasProc = Kernel.link("/proc/self/ns/pid").equals("pid:[4026531836]");
    private long size;

    private Process put(int pid, int ppid, long start, String name, String cmdline) {
        Process process = new Process(pid, ppid, start, name, cmdline, new AtomicLong(System.nanoTime()));
        Process old = known.put(pid, process);
        size += process.size() - (old == null ? 0 : old.size());
        for (var oldest = known.values().iterator(); size > MOST; oldest.remove()) size -= oldest.next().size();
        return process;
    }

    /** From a struct process, at the event's place. */
    void add(Event record) {
        int ppid = record.i32(PPID), cmdlineSize = record.i32(SIZE);
        Process origin = known.get(-cmdlineSize);
        String cmdline = cmdlineSize >= 0 ? cmdline(record.bytes, record.at + CMDLINE, cmdlineSize)
            : origin != null ? origin.cmdline : null;
        put(record.i32(PID), ppid, record.i64(START) / TICK, record.name(COMM), cmdline);
        if (cmdlineSize < 0) return;
        changes++;
        cgroups.path(record.i64(CGROUP)); // while there is one
    }

    /** With a space between arguments and an ellipsis where it was cut; null if there is none. */
    private static String cmdline(byte[] bytes, int start, int size) {
        int end = start + Math.min(size, CMDLINE_MAX);
        boolean cut = size > CMDLINE_MAX && bytes[end - 1] != 0; // else a short title over a long argv
        while (end > start && bytes[end - 1] == 0) end--;
        String text = new String(bytes, start, end - start, UTF_8).replace('\0', ' ');
        return text.isEmpty() ? null : cut ? text + "…" : text;
    }

    /** All that there are, when somebody begins to listen. */
    void scan() {
        cgroups.scan();
        if (hasProc) ProcessHandle.allProcesses().forEach(process -> look((int) process.pid(), -1));
    }

    /** The process of that id and start, CLOCK_BOOTTIME in ns; below zero: the one that has that id now. */
    Process of(int pid, long start) {
        Process process = known.get(pid);
        boolean fresh = process != null && process.began(start) && System.nanoTime() - process.seen.get() <= FRESH;
        if (!fresh) process = look(pid, start);
        return process != null && process.began(start) ? process : unknown(pid, start / TICK);
    }

    private static Process unknown(int pid, long start) { return new Process(pid, 0, start, null, null, null); }

    Party target(Event event) {
        return event.failed ? new Party(asked(event), null, this) : new Party(event, Event.TARGET, this);
    }

    /** Whose signal it is, or whose end it tells of; or else the task that was running. */
    Party sender(Event event) {
        int pid = event.reportedPid();
        if (pid == 0) return new Party(event, Event.SENDER, this);
        return new Party(of(pid, -1), Integer.toUnsignedLong(event.i32(Event.SI_UID)), this);
    }

    /** For whom a signal was that could not be sent, by the id that its sender used. */
    private Process asked(Event event) {
        int pid = event.i32(Event.PID), sender = event.i32(Event.SENDER + Event.TGID);
        if (event.code == Event.BY_PIDFD) {
            String path = "/proc/" + sender + "/fdinfo/" + pid; // any file descriptor: it may have megabytes
            String info = hasProc ? new String(Kernel.bytes(path, 4096), ISO_8859_1) : "";
            pid = info.lines().filter(line -> line.matches("Pid:\t[0-9]{1,7}"))
                .mapToInt(line -> Integer.parseInt(line.substring(5))).findAny().orElse(-1);
        }
        boolean isOurs = pid > 0 && event.i32(Event.SENDER + Event.NSPID) == sender; // else it means another process
        return isOurs ? of(pid, -1) : unknown(pid, 0);
    }

    /** Reads /proc, if it still has the process of that start (below zero: any); what is known of it, or null. */
    private Process look(int pid, long start) {
        String stat = hasProc ? Kernel.text("/proc/" + pid + "/stat") : "";
        String[] fields = stat.substring(stat.lastIndexOf(')') + 1).split(" "); // "", state, ppid, … starttime
        Process old = known.get(pid);
        if (old != null) old.seen.set(System.nanoTime());
        if (fields.length < 21) return old;
        long began = Long.parseLong(fields[20]);
        if (start >= 0 && began != start / TICK) return old;
        byte[] bytes = Kernel.bytes("/proc/" + pid + "/cmdline", CMDLINE_MAX + 1); // it may claim gigabytes
        String cmdline = cmdline(bytes, 0, bytes.length);
        boolean same = cmdline == null || old != null && cmdline.equals(old.cmdline); // a zombie has none
        if (same && old != null && old.start == began) return old;
        changes++;
        String name = stat.substring(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
        return put(pid, Integer.parseInt(fields[2]), began, name, cmdline);
    }

    /** From the parent of that id up, if any: each is older than its child, else it is a later process of that id. */
    List<Process> above(Integer ppid, Process child) {
        List<Process> above = new ArrayList<>();
        Process each = known.get(ppid);
        while (each != null && each.start <= child.start && above.size() <= DEPTH) {
            above.add(each);
            child = each;
            each = known.get(each.ppid);
        }
        return above;
    }
}

/** One side of a signal: the target, or the sender. What is not known, or says nothing new, is null. */
final class Party {
    final Processes.Process is;
    final int pid;
    final String comm;                  // of the thread
    String process, parentName, cgroup; // the process's name, if it is another than the thread's
    Integer tid, ppid, nspid;
    Long uid, loginuid;

    /** As the record has it, in TARGET or SENDER. */
    Party(Event event, int who, Processes processes) {
        pid = event.i32(who + Event.TGID);
        is = processes.of(pid, event.i64(who + Event.START));
        comm = event.name(who + Event.COMM);
        process = event.name(who + Event.PROCESS);
        if (process.equals(comm)) process = null;
        cgroup = processes.cgroups.path(event.i64(who + Event.CGROUP));
        tid = event.i32(who + Event.TID);
        uid = Integer.toUnsignedLong(event.i32(who + Event.UID));
        if (event.i32(who + Event.LOGINUID) != -1) loginuid = Integer.toUnsignedLong(event.i32(who + Event.LOGINUID));
        if (event.i32(who + Event.NSPID) != pid) nspid = event.i32(who + Event.NSPID);
        if (pid <= (who == Event.TARGET ? 1 : 0)) return; // the kernel's own is the parent
        ppid = event.i32(who + Event.PPID);
        parentName = event.name(who + Event.PARENT);
    }

    /** One of whom the record has just the id. */
    Party(Processes.Process process, Long uid, Processes processes) {
        is = process;
        pid = is.pid();
        comm = is.name();
        this.uid = uid;
        List<Processes.Process> above = processes.above(is.ppid(), is);
        if (above.isEmpty()) return;
        ppid = is.ppid();
        parentName = above.getFirst().name();
    }
}

// §3 ── The line and the table ───────────────────────────────────────────────────────────────────────────────────────
// From events to lines of JSON, strict whatever a process calls itself, and to rows for a person.

/** Lines of JSON. Hot path: no locks, no logging, no allocation while target and sender are the same, as in a storm. */
final class Json {
    // The longest line: two cgroups' paths, three command lines, all ancestors, and each letter an escape of six bytes.
    static final int LINE_MAX =
        6 * (2 * Kernel.PATH_MAX + 3 * Processes.CMDLINE_MAX + Processes.DEPTH * Processes.ANCESTOR_MAX) + 4096;

    private static final int MEMOS = 64; // a power of two: texts that are kept, for either side
    private static final byte[] PID = ascii("{\"pid\":"), SIGNR = ascii(",\"signr\":"), VALUE = ascii(",\"value\":");
    private static final byte[] END = ascii("}\n");
    static final String NANOSECONDS = "000000000Z"; // the end of a time in RFC 3339: each line has its own digits here

    private final boolean brief;
    private final StringBuilder draft = new StringBuilder();
    private final Processes processes;
    private final Server server;
    private Block block; // where the line goes
    private final Memo[] targets = new Memo[MEMOS], senders = new Memo[MEMOS]; // each thread has its place, by its id
    private final Memo report = new Memo(Event.SENDER, Event.SIZE); // of reportedPid(), never used again

    Json(boolean brief, Processes processes, Server server) {
        this.brief = brief;
        this.processes = processes;
        this.server = server;
        Arrays.setAll(targets, i -> new Memo(0, Event.SENDER));
        Arrays.setAll(senders, i -> new Memo(Event.SENDER, Event.SIZE));
    }

    /** Writes the line that tells of signals unrecorded: {@code {"dropped":9,"most":{"pid":671,…}}}. */
    void encode(Flood flood) {
        draft.append("{\"dropped\":").append(flood.signals()).append(",\"most\":{");
        key("pid", flood.pid()).key("comm", flood.comm()).key("uid", flood.uid()).key("signr", flood.signr());
        block = server.roomForLine();
        put(draft.append('}').toString().getBytes(UTF_8)).end();
        draft.setLength(0);
    }

    /** Writes the event's line. */
    void encode(Event event) {
        block = server.roomForLine();
        if (brief && !event.failed) {
            put(PID).number(event.i32(Event.PID)).put(SIGNR).number(event.i32(Event.SIGNR)).end();
            return;
        }
        Memo target = targets[event.i32(Event.PID) + 5 * event.signr & MEMOS - 1];
        Memo sender = event.reportedPid() != 0 ? report : senders[event.i32(Event.SENDER + Event.TID) & MEMOS - 1];
        if (event.failed || target.differs(event, processes)) target(event, target);
        if (sender == report || sender.differs(event, processes)) sender(event, sender);
        int start = block.size;
        if (target.vital) block.vital.add(new Vital(start, event.flag(Event.CERTAIN)));
        put(target.text).digits(start + target.timeEnd, (int) (event.time - target.second), 9);
        if (event.hasValue) put(VALUE).number(event.value);
        put(sender.text).end();
    }

    private void target(Event event, Memo memo) {
        Party target = processes.target(event);
        int signr = event.signr, code = event.code, result = event.i32(Event.RESULT);
        String time = Instant.ofEpochSecond(event.time / Memo.SECOND).toString().replace("Z", "." + NANOSECONDS);
        boolean sys = event.cause == Cause.SECCOMP || event.cause == Cause.DISPATCH;
        draft.append('{');
        key("pid", event.failed ? target.pid : target.tid);
        key("signr", signr).key("signal", Signal.name(signr), signr).key("time", time);
        if (event.failed) {
            key("process", target.comm).key("cause", event.cause.word).key("result", Kernel.errnoName(-result));
        } else {
            key("comm", target.comm).key("tgid", target.pid).key("process", target.process);
            key("cmdline", target.is.cmdline()).key("uid", target.uid).key("ppid", target.ppid);
            key("parent", target.parentName).key("nspid", target.nspid).key("cgroup", target.cgroup);
            key("cause", event.cause.word).key("code", Signal.code(signr, code, event.cause), code);
            key("result", Signal.at(Signal.RESULTS, result), result).key("effect", event.effect().word);
            key("group", event.flag(Event.GROUP));
        }
        if (event.cause == Cause.PDEATH && event.flag(Event.ALIVE)) key("thread", true);
        if (event.cause == Cause.CHILD) key("status", event.i32(Event.STATUS));
        if (event.cause == Cause.FAULT && code != Signal.SI_KERNEL) key("addr", hex(event.i64(Event.ADDR)));
        if (sys) key("syscall", event.i32(Event.SYSCALL)).key("arch", Signal.arch(event.i32(Event.ARCH)));
        memo.vital = event.isFatal() || event.effect() == Effect.STOPS;
        memo.keep(event, processes, draft);
    }

    /** Who sent it, whom a report is about, or who was running. */
    private void sender(Event event, Memo memo) {
        Party sender = processes.sender(event);
        List<Processes.Process> above = processes.above(sender.ppid, sender.is);
        draft.append(event.cause.sent ? ",\"sender\":{" : ",\"context\":{");
        key("pid", sender.pid).key("tid", sender.tid).key("uid", sender.uid).key("loginuid", sender.loginuid);
        key("comm", sender.comm).key("process", sender.process).key("cmdline", sender.is.cmdline());
        key("ppid", sender.ppid).key("parent", sender.parentName);
        if (!above.isEmpty()) key("parent_cmdline", above.removeFirst().cmdline());
        key("ancestors", above); // the rest of them
        key("nspid", sender.nspid).key("cgroup", sender.cgroup);
        draft.append('}');
        memo.keep(event, processes, draft);
    }

    private Json key(String key, Object name, Object number) { return key(key, name != null ? name : number); }

    private Json key(String key, Object value) {
        if (value == null || value instanceof List<?> list && list.isEmpty()) return this;
        draft.append(draft.charAt(draft.length() - 1) == '{' ? "\"" : ",\"").append(key).append("\":");
        if (value instanceof String text) draft.append(quote(text));
        else if (value instanceof List<?> list) draft.append(list.stream().map(Json::quote)
            .collect(Collectors.joining(",", "[", "]")));
        else draft.append(value);
        return this;
    }

    private static String quote(Object text) {
        return '"' + Text.harmless(text.toString().replace("\\", "\\\\").replace("\"", "\\\"")) + '"';
    }

    /** As a string: to many readers, JSON's numbers are doubles. */
    static String hex(long address) { return "0x" + Long.toHexString(address); }

    static byte[] ascii(String text) { return text.getBytes(ISO_8859_1); }

    private Json put(byte[] bytes) {
        System.arraycopy(bytes, 0, block.text, block.size, bytes.length);
        block.size += bytes.length;
        return this;
    }

    private void end() {
        put(END);
        block.lines++;
    }

    private Json number(long n) {
        if (n < 0 || n > Integer.MAX_VALUE) return put(ascii(Long.toString(n)));
        int length = 1;
        for (long limit = 10; n >= limit; limit *= 10) length++;
        digits(block.size += length, (int) n, length);
        return this;
    }

    /** Writes so many digits, up to that place: two at a time, multiplying, as C1 divides slowly. */
    private void digits(int end, int n, int length) {
        byte[] text = block.text;
        for (int at = end - 2; at >= end - length; at -= 2) {
            int hundreds = (int) (n * 0x51EB851FL >>> 37); // n / 100
            int two = n - 100 * hundreds, tens = two * 103 >> 10; // two / 10
            text[at] = (byte) ('0' + tens);
            text[at + 1] = (byte) ('0' + two - 10 * tens);
            n = hundreds;
        }
        if (length % 2 == 1) text[end - length] = (byte) ('0' + n);
    }
}

/** The text of a part of the record. It is used again while that part stays the same, as it does in a storm. */
final class Memo {
    static final long SECOND = 1_000_000_000;

    private final int from; // the part's place
    private final byte[] part;
    private Cause cause;
    private int changes;
    long second;            // the one that the text has, ns since the epoch
    byte[] text;
    boolean vital;          // of a target's: its line must survive a flood
    int timeEnd;            // where the nanoseconds end in it

    Memo(int from, int to) {
        this.from = from;
        part = new byte[to - from];
    }

    boolean differs(Event event, Processes processes) {
        return event.cause != cause || processes.changes != changes || event.time - second < 0
            || event.time - second >= SECOND || !Arrays.equals(event.bytes, event.at + from,
            event.at + from + part.length, part, 0, part.length);
    }

    void keep(Event event, Processes processes, StringBuilder draft) {
        cause = event.cause;
        changes = processes.changes;
        second = event.time - event.time % SECOND;
        System.arraycopy(event.bytes, event.at + from, part, 0, part.length);
        timeEnd = draft.indexOf(Json.NANOSECONDS) + Json.NANOSECONDS.length() - 1;
        text = draft.toString().getBytes(UTF_8);
        draft.setLength(0);
    }
}

/** What other processes call themselves, made harmless, and how much room it takes on a terminal. */
final class Text {
    private static final String ELLIPSIS = Output.CHARSET.newEncoder().canEncode('…') ? "…" : "~";

    /** Where wide letters begin and end, in turns. */
    private static final int[] WIDE = {0x1100, 0x1160, 0x2E80, 0xA4D0, 0xAC00, 0xD7A4, 0xF900, 0xFB00, 0xFE30, 0xFE70,
        0xFF00, 0xFF61, 0xFFE0, 0xFFE7, 0x1F300, 0x1FB00, 0x20000, 0x3FFFE};

    /** Controls, formats, what is unassigned, spaces; and what Unicode counts as visible, though it shows nothing. */
    private static final Pattern UNSEEN = Pattern.compile("[[^ -~]&&[\\p{C}\\p{Z}"
        + "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]]");

    /** As in a JSON string: what would move a cursor, turn text around or stay unseen becomes \\uXXXX. */
    static String harmless(String text) {
        return UNSEEN.matcher(text).replaceAll(unseen -> unseen.group().chars()
            .mapToObj(unit -> "\\\\u" + HexFormat.of().toHexDigits((char) unit)).collect(Collectors.joining()));
    }

    /** East Asia's letters and emoji take two, accents none. */
    static int columns(String text) { return text.codePoints().map(Text::columns).sum(); }

    private static int columns(int c) {
        int type = Character.getType(c), i = 0;
        if (type == Character.NON_SPACING_MARK || type == Character.ENCLOSING_MARK) return 0;
        while (i < WIDE.length && c >= WIDE[i]) i++;
        return i % 2 == 1 || Character.isEmojiPresentation(c) ? 2 : 1;
    }

    /** So much of it as fits into that many columns, with an ellipsis where it was cut. */
    static String cut(String text, int room) {
        if (columns(text) <= room) return text;
        if (room <= 0) return ""; // not even the ellipsis
        int end = 0;
        for (int left = room - 1; end < text.length() && (left -= columns(text.codePointAt(end))) >= 0;)
            end = text.offsetByCodePoints(end, 1);
        return text.substring(0, end) + ELLIPSIS;
    }
}

/** Paths of cgroups by their ids. An id is the inode number of the cgroup's folder, and is never used again. */
final class Cgroups {
    private static final long MOST = 8192, FILEID_KERNFS = 0xFE; // include/linux/exportfs.h

    /** Where cgroup v2 is: /sys/fs/cgroup, or beside v1 at a place such as /sys/fs/cgroup/unified; or nowhere. */
    private static final String MOUNT = Kernel.text("/proc/self/mountinfo").lines()
        .filter(line -> line.contains(" - cgroup2 ")).map(line -> line.split(" ")[4]).findFirst().orElse("");

    private final Map<Long, String> paths = new HashMap<>();
    private final int mountFd = Kernel.open(MOUNT);

    /** Such as {@code /system.slice/cron.service}; null where it cannot be told. */
    String path(long id) {
        if (paths.size() >= MOST) paths.clear(); // a scan may find more
        return paths.computeIfAbsent(id, this::resolve);
    }

    /** Of the cgroup at that path, which may begin with where they are mounted. */
    static long id(String path, String what) {
        long id = MOUNT.isEmpty() ? 0 : id(new File(path.startsWith(MOUNT) ? path : MOUNT + path));
        if (id == 0) throw new Failure(what, "ENOENT", "there is no such cgroup; systemd-cgls lists them");
        return id;
    }

    private static long id(File folder) {
        try {
            return folder.isDirectory() ? (long) Files.getAttribute(folder.toPath(), "unix:ino") : 0;
        } catch (IOException | InvalidPathException e) {
            return 0; // it has gone since, or is no path in this locale
        }
    }

    /** Learns all that exist: when most signals are told of, their cgroup is gone. */
    void scan() {
        if (!MOUNT.isEmpty()) scan(new File(MOUNT)); // as a path, that would be the current folder
    }

    private void scan(File folder) {
        long id = id(folder);
        if (id == 0) return; // a file, or it has gone
        paths.put(id, name("" + folder));
        File[] below = folder.listFiles();
        if (below != null) for (File each : below) scan(each);
    }

    private String name(String folder) {
        return folder.equals(MOUNT) ? "/" : folder.startsWith(MOUNT) ? folder.substring(MOUNT.length()) : null;
    }

    /** By the file handle that the id is: one look-up, where a walk would read every folder. */
    private String resolve(long id) {
        long[] handle = {8 | FILEID_KERNFS << 32, id}; // struct file_handle: its size, its type, and so many bytes
        long fd = Kernel.call(Kernel.OPEN_BY_HANDLE_AT, mountFd, handle, 0);
        if (fd < 0) return null; // ESTALE: it is gone; EPERM: we lack CAP_DAC_READ_SEARCH
        String folder = Kernel.link("/proc/self/fd/" + fd);
        Kernel.close((int) fd);
        return name(folder);
    }
}

/** The same for a person, in columns. On a terminal, names are cut to fit, and process ids never. */
final class Table {
    private static final String RED = "\u001b[1;31m", BOLD = "\u001b[1m", PLAIN = "\u001b[0m";

    private static final int WIDE = 160, ANCESTORS = 4, CLAIMS = 2; // columns; names, command lines at most
    private static final boolean ARROWS = Output.CHARSET.newEncoder().canEncode("→←");
    private static final String TO = ARROWS ? " → " : " -> ", FROM = ARROWS ? " ← " : " <- ";

    private static final String[] REPORTS = // CLD_EXITED and the following
        {" exited ", " killed by ", " dumped core, ", " trapped by ", " stopped by ", " continued by "};

    private final boolean terminal = Kernel.columns() > 0;
    private final boolean colour = terminal && System.getenv().getOrDefault("NO_COLOR", "").isEmpty()
        && !"dumb".equals(System.getenv("TERM"));
    private final DateTimeFormatter clock = DateTimeFormatter.ofPattern("HH:mm:ss.SSS").withZone(ZoneOffset.UTC);
    private final Map<String, String> users = Kernel.text("/etc/passwd").lines().map(line -> line.split(":"))
        .filter(user -> user.length > 2).collect(Collectors.toMap(user -> user[2], user -> user[0], (name, _) -> name));
    private final Processes processes;

    Table(Processes processes) {
        this.processes = processes;
        row(BOLD, "", "TIME", "", "SIGNAL", "TARGET", "CAUSE", "SENDER");
    }

    void add(Flood flood) {
        Output.OUT.print("-- " + flood.signals() + " signals are missing: the ring buffer was full, most of it with "
            + Signal.shortName(flood.signr()) + " from " + name(flood.comm()) + "[" + flood.pid() + "]\n");
    }

    void add(Event event) {
        if (Output.OUT.dropsLine()) return;
        Party target = processes.target(event), sender = processes.sender(event);
        boolean sent = event.cause.sent, fatal = event.isFatal();
        String thread = target.tid == null || target.tid == target.pid ? "" : "/" + target.tid;
        row(fatal ? RED : "", origin(sender) + (sent ? "" : ")"), clock.format(Instant.ofEpochSecond(0, event.time)),
            fatal ? "!!" : "", Signal.shortName(event.signr),
            name(target) + "[" + target.pid + thread + "]" + unit(target.cgroup),
            why(event), (sent ? "" : "(") + name(sender) + "[" + sender.pid + "]");
    }

    /** {@code root < sh[9033] < cron[812]: kill -9 9205 ← sh nightly.sh}, as what anybody may claim stands last. */
    private String origin(Party sender) {
        var origin = new StringBuilder(" " + users.getOrDefault("" + sender.uid, "" + sender.uid));
        List<Processes.Process> above = processes.above(sender.ppid, sender.is);
        if (above.isEmpty() && sender.ppid != null && sender.ppid > 0)
            origin.append(" < " + name(sender.parentName) + "[" + sender.ppid + "]");
        above.removeIf(each -> each.pid() == 1 && each != above.getFirst()); // everybody's
        int most = columns() < WIDE ? 1 : terminal ? 2 : ANCESTORS; // the command lines want some room, too
        for (var each : above.subList(0, Math.min(most, above.size())))
            origin.append(" < " + name(each.name()) + "[" + each.pid() + "]");
        String before = sender.is.cmdline();
        if (before != null) origin.append(": " + Text.harmless(before));
        for (var each : above.subList(0, Math.min(CLAIMS, above.size()))) {
            String claim = each.cmdline();
            if (claim != null && !claim.equals(before)) origin.append(FROM + Text.harmless(claim));
            before = claim;
        }
        return origin.toString();
    }

    /** {@code nginx: worker:log}: its process's, where its thread has another. */
    private static String name(Party party) {
        return (party.process == null ? "" : name(party.process) + ":") + name(party.comm);
    }

    /** Without brackets of its own, which would pass for those around a process id. */
    private static String name(String name) {
        return name == null ? "" : Text.harmless(name).replace("[", "\\u005b").replace("]", "\\u005d");
    }

    /** {@code @nginx.service}, or the first twelve digits of a container's name; nothing in the root cgroup. */
    private static String unit(String cgroup) {
        if (cgroup == null || cgroup.equals("/")) return "";
        return "@" + name(cgroup.replaceFirst(".*/", "").replaceFirst("([0-9a-f]{12})[0-9a-f]{52}", "$1"));
    }

    private static String why(Event event) {
        int code = event.code, status = event.i32(Event.STATUS);
        String shown = event.cause.shown;
        return switch (event.cause) {
            case TKILL -> event.isForRunningThread() ? "raise" : shown;
            case QUEUE -> event.hasValue ? shown + " " + event.value : shown;
            case CHILD -> shown + REPORTS[code - 1]
                + (code == Signal.CLD_EXITED ? "" + status : Signal.shortName(status));
            case FAULT -> code == Signal.SI_KERNEL ? shown : shown + " at " + Json.hex(event.i64(Event.ADDR));
            case SECCOMP -> shown + ", system call " + event.i32(Event.SYSCALL);
            case RLIMIT -> event.signr == Signal.SIGXFSZ ? "file size limit" : shown;
            default -> shown;
        } + (event.cause == Cause.CHILD ? "" : TO
            + (event.failed ? Kernel.errnoName(-event.i32(Event.RESULT)) : event.effect().word));
    }

    private void row(String style, String rest, String... cells) {
        for (int i = 0; i < cells.length; i++) cells[i] = shown(cells[i]);
        int columns = columns();
        int less = Math.clamp((80 - columns) / 2, 0, 10), more = columns < 100 ? 0 : columns < WIDE ? 4 : 8;
        int[] widths = {12, 2, 8, 16 + more - less / 2, 20 + more - less};
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            String cell = terminal ? fit(cells[i], widths[i]) : cells[i];
            line.append(cell).repeat(' ', 1 + Math.max(0, widths[i] - Text.columns(cell)));
        }
        int room = columns - Text.columns(line.toString());
        String sender = fit(cells[widths.length], room);
        line.append(sender).append(Text.cut(shown(rest), Math.max(0, room - Text.columns(sender))));
        Output.OUT.print(colour && !style.isEmpty() ? style + line + PLAIN + "\n" : line + "\n");
    }

    private int columns() { return terminal ? Kernel.columns() : Integer.MAX_VALUE; }

    /** What the character set lacks becomes a question mark, one column wide. */
    private static String shown(String text) { return new String(text.getBytes(Output.CHARSET), Output.CHARSET); }

    /** First drops what follows the last id, then cuts the name; never an id. */
    private static String fit(String cell, int room) {
        if (cell.contains("]") && Text.columns(cell) > room) cell = cell.substring(0, cell.lastIndexOf(']') + 1);
        int ids = cell.endsWith("]") ? cell.lastIndexOf('[') : cell.length();
        return Text.cut(cell.substring(0, ids), Math.max(1, room - cell.length() + ids)) + cell.substring(ids);
    }
}

// §4 ── The socket ───────────────────────────────────────────────────────────────────────────────────────────────────
// Every line is written once, into the backlog; each client walks through the backlog at its own pace. One that falls
// too far behind misses whole lines, and reads how many.

/** Where a line begins that no flood may hide: of a certain death; or of another death, or a stop. */
record Vital(int at, boolean certain) { }

/** Some of the newest lines, in a ring of blocks. */
final class Block {
    private static final int SIZE = 512 << 10;

    /** 16 MiB in all, or a quarter of what the JVM may use. */
    static final long MOST = Math.clamp(Runtime.getRuntime().maxMemory() / 4 / SIZE, 2, 32);

    final byte[] text = new byte[SIZE]; // whole lines
    final List<Vital> vital = new ArrayList<>();
    int size, lines;
    Block next = this;

    boolean hasRoom() { return SIZE - size >= Json.LINE_MAX; }

    /** The end of the line that this byte belongs to. */
    int lineEnd(int at) {
        while (text[at] != '\n') at++;
        return at + 1;
    }

    /** Copies of the vital lines, for all clients that have not read them. */
    List<byte[]> vitalLines() {
        return vital.stream().map(line -> Arrays.copyOfRange(text, line.at(), lineEnd(line.at()))).toList();
    }

    void clear() {
        size = lines = 0;
        vital.clear();
    }
}

/** One connection: where it stands in the backlog, and what it has missed. */
final class Client {
    private static final int KEPT_MAX = 1 << 20;

    final int fd;
    boolean full;            // its socket takes no more for now
    Block block;             // the next byte to send is in this block,
    int offset;              // at this place
    private long lost;       // lines overwritten before they were sent, not yet told
    private final Deque<ByteBuffer> kept = new ArrayDeque<>(); // goes first: lines of blocks overwritten, {"lost":n}
    private int keptSize;    // bytes, about KEPT_MAX at most
    final AFUNIXSocketChannel channel;

    Client(AFUNIXSocketChannel channel, Block newest) throws IOException {
        this.channel = channel;
        channel.configureBlocking(false);
        fd = FileDescriptorCast.using(channel.getFileDescriptor()).as(Integer.class);
        block = newest;
        offset = newest.size;
    }

    /** Sends all there is, or as much as the socket takes. */
    void send(Block newest) throws IOException {
        for (full = false; !full && !hasAll(newest);) {
            if (!kept.isEmpty()) {
                keptSize -= channel.write(kept.peek());
                full = kept.peek().hasRemaining();
                if (!full) kept.poll();
            } else if (lost > 0) {
                keep(Json.ascii("{\"lost\":" + lost + "}\n"));
                lost = 0;
            } else if (offset < block.size) {
                offset += channel.write(ByteBuffer.wrap(block.text, offset, block.size - offset));
                full = offset < block.size;
            } else {
                block = block.next;
                offset = 0;
            }
        }
    }

    boolean hasAll(Block newest) {
        return block == newest && offset == block.size && lost == 0 && kept.isEmpty();
    }

    /** Before a block is overwritten. Of what is kept, lines that anybody can flood with, such as stops, get half. */
    void leave(Block old, List<byte[]> vital) {
        if (block != old) return;
        int start = offset == 0 ? 0 : old.lineEnd(offset - 1);
        if (start > offset) keep(Arrays.copyOfRange(old.text, offset, start)); // the rest of a line begun
        if (start == 0) lost += old.lines;
        else for (int at = start; at < old.size; at = old.lineEnd(at)) lost++;
        for (int i = 0; i < vital.size(); i++) {
            Vital line = old.vital.get(i);
            if (line.at() < start || keptSize > (line.certain() ? KEPT_MAX : KEPT_MAX / 2)) continue;
            keep(vital.get(i));
            lost--;
        }
        block = old.next;
        offset = 0;
    }

    private void keep(byte[] lines) {
        kept.add(ByteBuffer.wrap(lines));
        keptSize += lines.length;
    }

    void close() {
        try {
            channel.close();
        } catch (IOException e) {
            Log.warn("closing client " + fd + ": " + e.getMessage());
        }
    }
}

/** The listening socket, its clients, the backlog of their lines, and the place where this program sleeps. */
final class Server {
    static final int FOREVER = -1;

    // include/uapi/linux/eventpoll.h
    private static final int EPOLL_CTL_ADD = 1, EPOLL_CTL_MOD = 3;
    private static final int EPOLLIN = 1, EPOLLOUT = 4, EPOLLERR = 8, EPOLLHUP = 16, EPOLLET = 1 << 31;
    private static final int EPOLL_EVENT_SIZE = Kernel.AARCH64 ? 16 : 12, EPOLL_DATA = 8, EVENTS_MAX = 64; // at once

    final Place place;
    private Block newest = new Block(); // in a ring that grows while a client needs it: then the oldest is overwritten
    private int blocks = 1;
    private final List<Client> clients = new ArrayList<>();
    private final ByteBuffer scratch = ByteBuffer.allocateDirect(64 << 10);
    private final MemorySegment events = Arena.global().allocate(EVENTS_MAX * EPOLL_EVENT_SIZE, 8);
    private final int epoll = (int) Kernel.check("epoll_create1", Kernel.call(Kernel.EPOLL_CREATE1, 0));
    private boolean pending; // somebody may wait to be accepted
    private long warned = System.nanoTime() - Memo.SECOND; // when that failed last

    Server(Options options) {
        place = new Place(options.socket, options.group);
        watch(place.fd);
    }

    boolean hasClients() { return !clients.isEmpty(); }

    /** The block where the next line goes. */
    Block roomForLine() {
        if (!newest.hasRoom()) flush();
        if (!newest.hasRoom()) advance();
        return newest;
    }

    /** Begins another block: a free one, a new one, or else the oldest, which its clients must leave. */
    private void advance() {
        boolean needed = false;
        for (Client client : clients) needed |= client.block == newest.next;
        if (needed && blocks < Block.MOST) {
            Block more = new Block();
            more.next = newest.next;
            newest.next = more;
            blocks++;
        } else if (needed) {
            List<byte[]> vital = newest.next.vitalLines();
            for (Client client : clients) client.leave(newest.next, vital);
        }
        newest = newest.next;
        newest.clear();
    }

    /** Sends as much as the clients' sockets take. Once all have all, the same block serves again: it is warm. */
    void flush() {
        boolean delivered = true;
        for (int i = clients.size() - 1; i >= 0; i--) {
            Client client = clients.get(i);
            if (!client.full) attend(client, EPOLLOUT);
            delivered &= client.hasAll(newest);
        }
        if (!delivered) return;
        newest.clear();
        for (int i = 0; i < clients.size(); i++) clients.get(i).offset = 0;
    }

    /** Sleeps until there are records, a client comes, goes or takes more, or for so many milliseconds. */
    void poll(int milliseconds) {
        long count = Kernel.call(Kernel.EPOLL_PWAIT, epoll, events, EVENTS_MAX, pending ? 0 : milliseconds, 0);
        if (count != -Kernel.EINTR) Kernel.check("epoll_pwait", count); // the JVM handles its signals by itself
        for (long at = 0; at < count * EPOLL_EVENT_SIZE; at += EPOLL_EVENT_SIZE) {
            int fd = events.get(JAVA_INT, at + EPOLL_DATA), ready = events.get(JAVA_INT, at);
            pending |= fd == place.fd;
            for (int i = clients.size() - 1; i >= 0; i--) if (clients.get(i).fd == fd) attend(clients.get(i), ready);
        }
        if (pending) accept();
    }

    void watch(int fd) { control(EPOLL_CTL_ADD, fd, EPOLLIN); }

    /** EPOLLET: only what is new, so a client of which there is nothing new costs nothing. */
    private void control(int operation, int fd, int wanted) {
        long[] event = {Integer.toUnsignedLong(EPOLLET | wanted), fd}; // on x86_64 data is at 4: the fd, its upper half
        Kernel.check("epoll_ctl", Kernel.call(Kernel.EPOLL_CTL, epoll, operation, fd, event));
    }

    private void attend(Client client, int ready) {
        boolean wasFull = client.full;
        try {
            if ((ready & (EPOLLHUP | EPOLLERR)) != 0) throw new EOFException("closed by the client");
            if ((ready & EPOLLIN) != 0) client.channel.read(scratch.clear()); // ignored, as is its end (nc -N)
            if ((ready & EPOLLOUT) != 0) client.send(newest);
            // to one that has room, EPOLLOUT would be news with each line that it reads
            if (client.full != wasFull) control(EPOLL_CTL_MOD, client.fd, client.full ? EPOLLIN | EPOLLOUT : EPOLLIN);
        } catch (IOException e) {
            Log.debug("client " + client.fd + " disconnected: " + e.getMessage());
            clients.remove(client);
            client.close();
            pending = true; // a file descriptor is free
        }
    }

    /** One in a round: who connects in a loop must not keep the others waiting. */
    private void accept() {
        try {
            AFUNIXSocketChannel channel = place.listening.accept();
            pending = channel != null;
            if (!pending) return;
            clients.add(new Client(channel, newest));
            watch(clients.getLast().fd);
            Log.debug("client " + clients.getLast().fd + " connected");
        } catch (IOException e) {
            pending = false; // until another comes or goes
            if (System.nanoTime() - warned < Memo.SECOND) return;
            Log.warn("accepting a client: " + e.getMessage() + "; new ones wait until others have gone");
            warned = System.nanoTime();
        }
    }
}

// The socket and its path. Only root and this user can change what stands there, and nobody can connect before
// listen(2): by then mode and group are set. junixsocket's own bind() deletes files and sets mode 0666.
final class Place {
    private static final int S_IFMT = 0170000, S_IFSOCK = 0140000, S_ISVTX = 01000, S_IWGRP_IWOTH = 022;
    private static final int AF_UNIX = 1, SOCK_STREAM_NONBLOCK = 1 | 04000, SUN_PATH_SIZE = 108, QUEUE = 128;
    private static final int LOCK_EX_NB = 2 | 4;
    private static final long PAUSE = 20_000_000, TRIES = 500; // ns: 10 s in all

    final int fd = (int) Kernel.check("socket", Kernel.call(Kernel.SOCKET, AF_UNIX, SOCK_STREAM_NONBLOCK, 0));
    final AFUNIXServerSocketChannel listening; // the same socket
    private final String what;
    private final Path path;
    private Object inode; // of the socket at path

    /** junixsocket's native library, loaded from memory: so no file of it ever stands where somebody could swap it. */
    static void loadLibrary() {
        String name = "/lib/" + System.getProperty("os.arch") + "-Linux-clang/jni/libjunixsocket-native-2.11.1.so";
        String path = "/proc/self/fd/" + Kernel.check("memfd_create", Kernel.call(Kernel.MEMFD_CREATE, "", 0));
        try {
            Files.write(Path.of(path), Kernel.resource(name));
            System.setProperty("org.newsclub.net.unix.library.override", path);
            System.setProperty("org.newsclub.net.unix.library.override.force", "true");
            AFUNIXServerSocketChannel.open().close();
        } catch (IOException | LinkageError e) {
            throw new Failure("junixsocket's native library", "" + e, "is vm.memfd_noexec 2?");
        }
    }

    Place(Path socket, String group) {
        what = "unix socket " + socket;
        try {
            Path name = socket.getFileName();
            if (name == null) throw new Failure(what, "EISDIR", "give a --socket PATH in a folder");
            Path folder = socket.toAbsolutePath().getParent().toRealPath();
            path = folder.resolve(name);
            checkOwners(folder, "--socket /run/" + name + " is safe");
            var owners = path.getFileSystem().getUserPrincipalLookupService();
            if (group != null && group.startsWith("-")) throw new UserPrincipalNotFoundException(group); // Java: a gid
            GroupPrincipal members = group == null ? null : owners.lookupPrincipalByGroupName(group);
            int lock = lock(folder);
            bind();
            inode = stat(path, "fileKey");
            if (group != null) Files.setAttribute(path, "posix:group", members);
            Files.setAttribute(path, "unix:mode", group == null ? 0600 : 0660);
            Kernel.check("listen", Kernel.call(Kernel.LISTEN, fd, QUEUE));
            Kernel.close(lock);
            listening = FileDescriptorCast.unsafeUsing(fd).as(AFUNIXServerSocketChannel.class);
            listening.configureBlocking(false);
        } catch (IOException e) {
            if (inode != null) remove();
            if (e instanceof UserPrincipalNotFoundException)
                throw new Failure(what, "ENOENT", "there is no group " + group + "; getent group lists them");
            throw Failure.of(what, e, (e instanceof NoSuchFileException ? "that folder does not exist"
                : "can this process write in that folder?") + "; --socket PATH chooses another");
        }
    }

    /** Only root and this user may rename what is in the folder or above it: else they could swap the socket. */
    private void checkOwners(Path folder, String hint) throws IOException {
        List<Object> we = List.of(0, Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
        for (Path each = folder; each != null; each = each.getParent()) {
            boolean trusted = we.contains(stat(each, "uid"));
            int mode = (int) stat(each, "mode");
            if (!trusted || (mode & S_IWGRP_IWOTH) != 0 && (mode & S_ISVTX) == 0)
                throw new Failure(what, "EPERM", (trusted ? "other users" : Files.getOwner(each).getName())
                    + " can swap what is in " + each + "; " + hint);
        }
    }

    /** Of several starts at once, only one finds the path free. Any user may hold the lock: then it is done without. */
    private static int lock(Path folder) {
        int lock = Kernel.open(folder + "/.");
        for (int i = 0; Kernel.call(Kernel.FLOCK, lock, LOCK_EX_NB) == -Kernel.EAGAIN && i < TRIES; i++)
            LockSupport.parkNanos(PAUSE);
        return lock;
    }

    /** Takes the place of a socket at which nobody listens any more. Whatever else stands there is not touched. */
    private void bind() throws IOException {
        byte[] name = ("" + path).getBytes(Output.CHARSET);
        if (name.length >= SUN_PATH_SIZE) throw new Failure(what, "ENAMETOOLONG", "a shorter path is needed");
        byte[] address = new byte[2 + SUN_PATH_SIZE]; // struct sockaddr_un
        Kernel.buffer(address).putShort((short) AF_UNIX).put(name);
        if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            if (((int) stat(path, "mode") & S_IFMT) != S_IFSOCK) throw new Failure(what, "EEXIST",
                "what stands there is no socket: move it, or give another --socket PATH");
            long errno = -Kernel.call(Kernel.CONNECT, fd, address, address.length);
            if (errno == Kernel.EACCES) throw new Failure(what, "EACCES",
                "another user's socket stands there: run as root, or give another --socket PATH");
            String other = errno != 0 ? "another program" : "process " + FileDescriptorCast.unsafeUsing(fd)
                .as(AFUNIXSocketChannel.class).getPeerCredentials().getPid();
            if (errno != Kernel.ECONNREFUSED) // EAGAIN: its queue is full
                throw new Failure(what, "EADDRINUSE", other + " listens there: stop it, or give another --socket PATH");
            Files.delete(path);
            Log.debug("removed the stale socket " + path);
        }
        int errno = (int) -Kernel.call(Kernel.BIND, fd, address, address.length); // which follows and replaces nothing
        if (errno != 0) throw new FileSystemException("" + path, null, Kernel.errnoName(errno));
    }

    /** Not what others may have put there since. */
    void remove() {
        try {
            if (inode.equals(stat(path, "fileKey"))) Files.delete(path);
        } catch (IOException e) {
            Log.warn("removing unix socket " + path + ": " + e); // somebody else may have removed it
        }
    }

    private static Object stat(Path path, String attribute) throws IOException {
        return Files.getAttribute(path, "unix:" + attribute, LinkOption.NOFOLLOW_LINKS);
    }
}

// §5 ── The way into the kernel, and the ring buffer ─────────────────────────────────────────────────────────────────

/** Loads and attaches the progs, as libbpf would do, and shares memory with them. They end with this process. */
final class Tracer {
    // struct shared in signals.bpf.c
    private static final long LISTENING = at("listening"), PARKED = at("parked"), DROPPED = at("dropped");
    private static final long SUSPECT = at("suspect"), VOTES = at("votes");
    private static final long VICTIMS = at("victims"), VICTIM_SIZE = 16, VICTIM_TIME = 8;
    private static final long SIZE = BpfObject.SIGNALS.types.size("shared");
    /** kill, tkill, rt_sigqueueinfo, pidfd_send_signal, tgkill and rt_tgsigqueueinfo; those of 32-bit callers. */
    private static final int[] CALLS = Kernel.AARCH64
        ? new int[] {129, 130, 138, 424, 131, 240, 37, 238, 178, 424, 268, 363}
        : new int[] {62, 200, 129, 424, 234, 297, 37, 238, 178, 424, 270, 335};
    private static final VarHandle WORD = JAVA_INT.varHandle(), COUNTER = JAVA_LONG.varHandle();

    private static final long MARKED_WITHIN = 20_000_000; // ns: the OOM killer takes microseconds on its way

    final RingBuffer ring;
    final Processes processes = new Processes();
    private final Event event;
    private final MemorySegment shared;
    private final boolean brief; // records of just pid and signr
    private long clock; // CLOCK_REALTIME - CLOCK_MONOTONIC, ns

    Tracer(Options options) {
        Kernel.prepare();
        int events = Bpf.createMap("events", Bpf.BPF_MAP_TYPE_RINGBUF, 0, 0, (int) options.ring, 0);
        int bss = Bpf.createMap(".bss", Bpf.BPF_MAP_TYPE_ARRAY, 4, (int) SIZE, 1, Bpf.BPF_F_MMAPABLE);
        shared = Kernel.mmap(bss, 0, SIZE, true);
        brief = options.brief && options.from.isEmpty() && !options.print && !options.failed; // they need whole ones
        shared.set(JAVA_LONG, at("signals"), options.signals);
        shared.set(JAVA_LONG, at("ring"), options.ring);
        MemorySegment.copy(CALLS, 0, shared, JAVA_INT, at("calls"), CALLS.length);
        ask(at("to_count"), at("to"), options.to);
        ask(at("from_count"), at("from"), options.from);
        shared.set(JAVA_INT, at("fatal"), options.fatal ? 1 : 0);
        shared.set(JAVA_INT, at("brief"), brief ? 1 : 0);
        shared.set(JAVA_INT, at("reader"), processes.hasProc ? (int) ProcessHandle.current().pid() : -1);

        Btf kernel = Btf.ofKernel();
        Map<String, Integer> maps = Map.of(".maps", events, ".bss", bss);
        int types = kernel.typedef("btf_trace_signal_generate");
        if (types == Bpf.UNTYPED || !attach("on_signal", "signal_generate", types, kernel, maps))
            attach("on_signal", "signal_generate", Bpf.UNTYPED, kernel, maps);
        attach("on_mark_victim", "mark_victim", Bpf.UNTYPED, kernel, maps);
        attach("on_fork", "sched_process_fork", Bpf.UNTYPED, kernel, maps);
        attach("on_exec", "sched_process_exec", Bpf.UNTYPED, kernel, maps);
        if (options.failed) attach("on_sys_exit", "sys_exit", Bpf.UNTYPED, kernel, maps);
        ring = new RingBuffer(events, options.ring);
        event = new Event(ring.records);
    }

    private static long at(String member) { return BpfObject.SIGNALS.types.offset("shared", member); }

    private void ask(long count, long list, List<Who> wanted) {
        shared.set(JAVA_INT, count, wanted.size());
        ByteBuffer structs = shared.asSlice(list).asByteBuffer().order(ByteOrder.nativeOrder()); // struct wanted
        for (Who who : wanted) {
            byte[] name = Arrays.copyOf(who.name().getBytes(UTF_8), 15); // TASK_COMM_LEN - 1: what the kernel keeps
            structs.putLong(who.pid()).putLong(who.cgroup()).put(name).put((byte) 0);
        }
    }

    /** With types, a prog loads from the kernel's structs directly, twice as fast. False where the kernel refuses. */
    private static boolean attach(String name, String tracepoint, int types, Btf kernel, Map<String, Integer> maps) {
        String section = (types == Bpf.UNTYPED ? "raw_tp/" : "tp_btf/") + tracepoint;
        int prog = Bpf.load(name, BpfObject.SIGNALS.relocate(section, maps, kernel), types);
        if (prog >= 0) Bpf.openRawTracepoint(tracepoint, prog, types);
        return prog >= 0;
    }

    /** Copies records out of the ring buffer; true if there were more than it copies at once. */
    boolean fill() {
        long before = System.nanoTime(), offset = ChronoUnit.NANOS.between(Instant.EPOCH, Instant.now()) - before;
        boolean precise = System.nanoTime() - before < 100_000 || clock == 0; // else this thread was interrupted
        if (precise && Math.abs(offset - clock) > 1_000_000) clock = offset; // the wall clock was set
        return ring.fill();
    }

    /** The next of the records copied last; null after the last. */
    Event next() {
        while ((event.at = ring.next()) >= 0 && event.i32(Event.SIGNR) == 0) processes.add(event);
        if (event.at < 0) return null;
        if (brief) return event;
        event.read(clock);
        if (event.cause == Cause.OOM && !isVictim(event)) event.cause = event.withoutVictim();
        return event;
    }

    /** The OOM killer sends first and marks its victim right after: it may be about to do so, and is waited for. */
    private boolean isVictim(Event killed) {
        long sent = killed.time - clock, pid = killed.i32(Event.PID);
        long until = Math.min(sent, System.nanoTime()) + MARKED_WITHIN; // in a time namespace, sent may be far ahead
        while (true) {
            boolean late = System.nanoTime() > until;
            for (long at = VICTIMS; at < SIZE; at += VICTIM_SIZE) {
                long after = (long) COUNTER.getAcquire(shared, at + VICTIM_TIME) - sent;
                if ((long) COUNTER.getAcquire(shared, at) == pid && after >= 0 && after <= MARKED_WITHIN) return true;
            }
            if (late) return false;
            LockSupport.parkNanos(MARKED_WITHIN / 100);
        }
    }

    /** While nobody listens, the prog records nothing. */
    void listen(boolean wanted) {
        if ((int) WORD.getAcquire(shared, LISTENING) == (wanted ? 1 : 0)) return;
        WORD.setRelease(shared, LISTENING, wanted ? 1 : 0);
        if (wanted && !brief) processes.scan();
        Log.debug(wanted ? "recording" : "recording nothing, as nobody listens");
    }

    // Asks for a wake-up with the next record; false: there is one. Pairs with xchg() in bpf_ringbuf_commit(), as
    // submit() in signals.bpf.c says: either the prog sees this store, or the look that follows it sees the record.
    boolean park() {
        WORD.setRelease(shared, PARKED, 1);
        VarHandle.fullFence();
        return ring.isEmpty();
    }

    void unpark() { WORD.setRelease(shared, PARKED, 0); }

    /** What went unrecorded since the last call; null for nothing. Then the vote on who sent it begins anew. */
    Flood flood() {
        if ((long) COUNTER.getAcquire(shared, DROPPED) == 0) return null;
        long signals = (long) COUNTER.getAndSet(shared, DROPPED, 0L);
        long suspect = (long) COUNTER.getAcquire(shared, SUSPECT);
        COUNTER.setRelease(shared, VOTES, 0L);
        int pid = (int) suspect >>> 8;
        return new Flood(signals, pid, processes.of(pid, -1).name(), suspect >>> 32, (int) suspect & 0xFF);
    }
}

// kernel/bpf/ringbuf.c maps a page with consumer_pos, which is ours to write; one with producer_pos; the data; and the
// data again, which is not touched here: that halves what is resident. A record is a header of 8 bytes and a sample.
final class RingBuffer {
    // include/uapi/linux/bpf.h
    private static final int BPF_RINGBUF_BUSY_BIT = 1 << 31, BPF_RINGBUF_DISCARD_BIT = 1 << 30, BPF_RINGBUF_HDR_SZ = 8;
    private static final VarHandle POSITION = JAVA_LONG.varHandle(), HEADER = JAVA_INT.varHandle();
    private static final int RECORDS_SIZE = 32 << 10;

    final int fd;
    private final MemorySegment consumerPage, producerPage, data;
    private final long size;
    private long consumer; // everything before it has been copied

    /** Those copied last. One copy of many costs a fraction of many copies, and their room is free at once. */
    final ByteBuffer records = Kernel.buffer(new byte[RECORDS_SIZE]);
    private int next, end;

    RingBuffer(int fd, long size) {
        this.fd = fd;
        this.size = size;
        consumerPage = Kernel.mmap(fd, 0, Kernel.PAGE_SIZE, true);
        producerPage = Kernel.mmap(fd, Kernel.PAGE_SIZE, Kernel.PAGE_SIZE + size, false);
        data = producerPage.asSlice(Kernel.PAGE_SIZE);
    }

    /** Copies records out, up to one that is reserved and not yet submitted; true if there were more than fit. */
    boolean fill() {
        next = end = 0;
        boolean fits = true;
        for (long left = left(); end < left && fits;) {
            int header = header(consumer + end & size - 1);
            if ((header & BPF_RINGBUF_BUSY_BIT) != 0) break;
            fits = end + recordSize(header) <= RECORDS_SIZE;
            if (fits) end += recordSize(header);
        }
        long start = consumer & size - 1;
        int unwrapped = (int) Math.min(end, size - start);
        MemorySegment.copy(data, JAVA_BYTE, start, records.array(), 0, unwrapped);
        MemorySegment.copy(data, JAVA_BYTE, 0, records.array(), unwrapped, end - unwrapped);
        consumer += end;
        POSITION.setRelease(consumerPage, 0L, consumer); // pairs with smp_load_acquire(&rb->consumer_pos)
        return !fits;
    }

    boolean isEmpty() { return left() == 0; }

    // Pairs with smp_store_release(&rb->producer_pos) in __bpf_ringbuf_reserve().
    private long left() { return (long) POSITION.getAcquire(producerPage, 0L) - consumer; }

    // Pairs with xchg(&hdr->len) in bpf_ringbuf_commit().
    private int header(long at) { return (int) HEADER.getAcquire(data, at); }

    /** Where the next of the records copied has its sample; -1 after the last. */
    int next() {
        while (next < end) {
            int at = next, header = records.getInt(at);
            next += recordSize(header);
            if ((header & BPF_RINGBUF_DISCARD_BIT) == 0) return at + BPF_RINGBUF_HDR_SZ; // else it was just a wake-up
        }
        return -1;
    }

    private static int recordSize(int header) {
        return BPF_RINGBUF_HDR_SZ + (header & ~BPF_RINGBUF_DISCARD_BIT) + 7 & ~7;
    }
}

/** bpf(2): the commands in use, each with the members of its union bpf_attr in the header's order. */
final class Bpf {
    // include/uapi/linux/bpf.h
    private static final int BPF_MAP_CREATE = 0, BPF_PROG_LOAD = 5, BPF_RAW_TRACEPOINT_OPEN = 17;
    static final int BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_RINGBUF = 27, BPF_F_MMAPABLE = 1 << 10;
    private static final int BPF_PROG_TYPE_RAW_TRACEPOINT = 17, BPF_PROG_TYPE_TRACING = 26, BPF_TRACE_RAW_TP = 23;
    private static final int INSN_SIZE = 8, ATTR_SIZE = 128, LOG_SIZE = 1 << 16;
    private static final int BPF_LOG_STATS = 4; // include/linux/bpf_verifier.h: also errors, but not each instruction

    static final int UNTYPED = 0; // in place of a BTF id: a tracepoint whose arguments are mere numbers to the prog

    static int createMap(String name, int type, int keySize, int valueSize, int entries, int flags) {
        int map = call(BPF_MAP_CREATE, type, keySize, valueSize, entries, flags, 0, 0, name); // inner_map_fd, numa_node
        return check("BPF_MAP_CREATE " + name, map);
    }

    // A prog for the raw tracepoint whose arguments have the types of this BTF id: below zero if it is refused. One
    // without types is to be accepted: after a refusal, the verifier's log is printed.
    static int load(String name, byte[] insns, int types) {
        boolean typed = types != UNTYPED;
        String what = "BPF_PROG_LOAD " + name + (typed ? " with types" : "");
        MemorySegment log = Arena.ofAuto().allocate(LOG_SIZE);
        int prog = call(BPF_PROG_LOAD, typed ? BPF_PROG_TYPE_TRACING : BPF_PROG_TYPE_RAW_TRACEPOINT,
            insns.length / INSN_SIZE, insns, BpfObject.SIGNALS.section("license"), BPF_LOG_STATS, LOG_SIZE, log,
            0, 0, name, 0, typed ? BPF_TRACE_RAW_TP : 0, // kern_version, prog_flags; prog_ifindex
            0, 0, 0L, 0, 0, 0L, 0, types); // prog_btf_fd to line_info_cnt
        if (prog < 0 && typed) Log.debug(what + ": " + Kernel.errnoName(-prog) + "; " + log.getString(0));
        else if (prog < 0) Output.ERR.print(log.getString(0)); // in one piece: it must not crowd out the error
        return prog < 0 && typed ? prog : check(what, prog);
    }

    /** The types, if any, name the tracepoint already. The link, which holds the prog, ends with this process. */
    static void openRawTracepoint(String name, int prog, int types) {
        Object tracepoint = types == UNTYPED ? (name + '\0').getBytes(ISO_8859_1) : MemorySegment.NULL;
        check("BPF_RAW_TRACEPOINT_OPEN " + name, call(BPF_RAW_TRACEPOINT_OPEN, tracepoint, prog));
        Kernel.close(prog);
    }

    /** An Integer is a __u32, a Long a __u64, bytes and memory are a pointer to them, a String is a char[16]. */
    private static int call(int command, Object... members) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attr = arena.allocate(ATTR_SIZE, 8);
            ByteBuffer buffer = attr.asByteBuffer().order(ByteOrder.nativeOrder());
            for (Object member : members) {
                if (member instanceof Integer number) buffer.putInt(number);
                if (member instanceof Long number) buffer.putLong(number);
                if (member instanceof MemorySegment memory) buffer.putLong(memory.address());
                if (member instanceof byte[] bytes) buffer.putLong(arena.allocateFrom(JAVA_BYTE, bytes).address());
                if (member instanceof String name) buffer.put(Arrays.copyOf(name.getBytes(ISO_8859_1), 16));
            }
            return (int) Kernel.call(Kernel.BPF, command, attr, attr.byteSize());
        }
    }

    private static int check(String what, int result) {
        if (result >= 0) Log.debug(what);
        else throw new Failure(what, Kernel.errnoName(-result), switch (-result) {
            case Kernel.EPERM -> "run as root (sudo), or with CAP_BPF and CAP_PERFMON; before Linux 5.11 maps also "
                + "need ulimit -l unlimited";
            case Kernel.ENOSYS -> "this kernel lacks CONFIG_BPF_SYSCALL";
            case Kernel.ENOMEM -> "a smaller --ring needs less memory";
            default -> "Linux 5.8 or newer is needed";
        });
        return result;
    }
}

// §6 ── The object file and the kernel's types ───────────────────────────────────────────────────────────────────────

/** signals.bpf.o as clang wrote it. Its CRC says that it belongs to this source, so nothing else is checked. */
final class BpfObject {
    private static final int CRC = 0x9e6f1873; // of its bytes: test/build sets it
    private static final int SHDR_SIZE = 64, SYM_SIZE = 24; // linux/elf.h
    private static final int BPF_PSEUDO_MAP_FD = 1, BPF_PSEUDO_MAP_VALUE = 2, BPF_CLASS = 7, BPF_LDX = 1;
    private static final int BPF_CORE_FIELD_EXISTS = 2;

    static final BpfObject SIGNALS = new BpfObject("signals.bpf.o");

    private final Map<String, byte[]> sections = new LinkedHashMap<>(); // in their order
    final Btf types;

    private BpfObject(String name) { // struct elf64_hdr, a struct elf64_shdr for each section
        byte[] bytes = Kernel.resource("/" + name);
        CRC32 crc = new CRC32();
        crc.update(bytes);
        String hint = "it is damaged, or of another version: test/build, or jbang cache clear";
        if ((int) crc.getValue() != CRC) throw new Failure(name, "EBADMSG", hint);
        ByteBuffer file = Kernel.buffer(bytes);
        int headers = (int) file.getLong(40), count = file.getShort(60);
        byte[] names = section(file, headers + file.getShort(62) * SHDR_SIZE);
        for (int at = headers; at < headers + count * SHDR_SIZE; at += SHDR_SIZE)
            sections.put(Kernel.string(names, file.getInt(at)), section(file, at));
        types = new Btf(section(".BTF"));
    }

    private static byte[] section(ByteBuffer file, int header) {
        int start = (int) file.getLong(header + 24), size = (int) file.getLong(header + 32);
        return Arrays.copyOfRange(file.array(), start, start + size);
    }

    byte[] section(String name) { return sections.get(name); }

    /** A prog's instructions, with the file descriptors of these maps and the kernel's offsets of members. */
    byte[] relocate(String prog, Map<String, Integer> maps, Btf kernel) {
        ByteBuffer insns = Kernel.buffer(section(prog).clone());
        relocateMaps(Kernel.buffer(section(".rel" + prog)), insns, maps);
        relocateMembers(prog, insns, kernel);
        return insns.array();
    }

    /** Each struct elf64_rel names an instruction that loads the address of a map, or of the memory in one. */
    private void relocateMaps(ByteBuffer relocations, ByteBuffer insns, Map<String, Integer> maps) {
        List<String> names = List.copyOf(sections.keySet());
        ByteBuffer symbols = Kernel.buffer(section(".symtab"));
        while (relocations.hasRemaining()) {
            int insn = (int) relocations.getLong(), symbol = (int) (relocations.getLong() >>> 32) * SYM_SIZE;
            String section = names.get(symbols.getShort(symbol + 6));
            int kind = section.equals(".maps") ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
            insns.put(insn + 1, (byte) (insns.get(insn + 1) | kind << 4));
            insns.putInt(insn + 12, insns.getInt(insn + 4)); // the offset in that memory
            insns.putInt(insn + 4, maps.get(section));
        }
    }

    /** CO-RE: each struct bpf_core_relo names an instruction that loads a member of a struct, or steps to it. */
    private void relocateMembers(String prog, ByteBuffer insns, Btf kernel) {
        ByteBuffer ext = Kernel.buffer(section(".BTF.ext")); // struct btf_ext_header: core_relo_off, core_relo_len
        int start = ext.getInt(4) + ext.getInt(24), end = start + ext.getInt(28);
        Set<String> optional = new HashSet<>(); // what the prog asks about before it reads it
        for (ext.position(start + 4); ext.position() < end;) { // struct btf_ext_info_sec: sec_name_off, num_info
            boolean its = types.string(ext.getInt()).equals(prog);
            for (int left = ext.getInt(); left > 0; left--) {
                int insn = ext.getInt(), type = ext.getInt();
                String struct = types.name(type), path = types.string(ext.getInt()); // such as "0:6"
                String member = types.memberName(type, Integer.parseInt(path.substring(2)));
                boolean asks = ext.getInt() == BPF_CORE_FIELD_EXISTS;
                if (!its) continue;
                if (asks) optional.add(member);
                int offset = kernel.offset(struct, member);
                boolean may = optional.contains(member) || struct.equals("pt_regs"); // each machine has its own
                if (offset < 0 && !may)
                    throw new Failure(struct + "'s member " + member, "ENOENT", "this kernel's BTF lacks it");
                if (asks) insns.putInt(insn + 4, offset < 0 ? 0 : 1);
                else if ((insns.get(insn) & BPF_CLASS) == BPF_LDX) insns.putShort(insn + 2, (short) offset);
                else insns.putInt(insn + 4, offset);
            }
        }
    }
}

/** BTF, the types of an object or of the running kernel: include/uapi/linux/btf.h. */
final class Btf {
    private static final int KIND_STRUCT = 4, KIND_UNION = 5, KIND_TYPEDEF = 8;

    /** By kind: bytes that follow struct btf_type's twelve, and bytes for each of its vlen. */
    private static final int[] MORE = {0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0};
    private static final int[] MORE_EACH = {0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12};

    private final byte[] all;
    private final ByteBuffer types;
    private final int strings; // where they begin
    private int[] starts = new int[1 << 12]; // of the types known so far, by number; number 0 is void
    private int known, next;

    Btf(byte[] all) { // struct btf_header: hdr_len, type_off, type_len, str_off, str_len
        ByteBuffer header = Kernel.buffer(all);
        int start = header.getInt(4);
        types = header.slice(start + header.getInt(8), header.getInt(12)).order(header.order());
        this.all = all;
        strings = start + header.getInt(16);
    }

    static Btf ofKernel() {
        String path = "/sys/kernel/btf/vmlinux";
        try {
            return new Btf(Files.readAllBytes(Path.of(path)));
        } catch (IOException e) {
            throw Failure.of(path, e, "needed: a kernel with CONFIG_DEBUG_INFO_BTF, a user who can read it");
        }
    }

    /** Is there a type of this number? Looks no further than that: to look at all would take 60 ms more. */
    private boolean exists(int id) {
        while (known < id && next < types.limit()) {
            if (++known == starts.length) starts = Arrays.copyOf(starts, 2 * known);
            starts[known] = next;
            if (kind(known) >= MORE.length) throw new Failure("BTF kind " + kind(known), "EOPNOTSUPP", "it is too new");
            next += 12 + MORE[kind(known)] + MORE_EACH[kind(known)] * vlen(known);
        }
        return id <= known;
    }

    // struct btf_type: name_off, info (vlen: bits 0-15, kind: 24-28, kind_flag: 31), type or size
    private int word(int id, int at) { return types.getInt(starts[id] + at); }
    private int kind(int id) { return word(id, 4) >>> 24 & 31; }
    private int vlen(int id) { return word(id, 4) & 0xFFFF; }
    String name(int id) { return exists(id) ? string(word(id, 0)) : ""; }

    // struct btf_member: name_off, type, offset in bits (in 24 of them, if there are bit-fields)
    String memberName(int id, int index) { return string(word(id, 12 + 12 * index)); }
    private int memberOffset(int id, int index) { return (word(id, 20 + 12 * index) & 0xFFFFFF) / 8; }

    String string(int offset) { return Kernel.string(all, strings + offset); }

    /** The number of the first type of that name from there on; 0 if there is none. */
    private int find(int kind, String name, int from) {
        for (int id = from; exists(id); id++) if (kind(id) == kind && name(id).equals(name)) return id;
        return 0;
    }

    int typedef(String name) { return find(KIND_TYPEDEF, name, 1); }
    int size(String struct) { return word(find(KIND_STRUCT, struct, 1), 8); }

    /** Where a member is in a struct, in bytes; -1 where it is not. A kernel can have several structs of one name. */
    int offset(String struct, String member) {
        int offset = -1;
        for (int id = 0; offset < 0 && (id = find(KIND_STRUCT, struct, id + 1)) != 0;) offset = offset(id, member);
        return offset;
    }

    /** Enters anonymous structs and unions, as C does. */
    private int offset(int id, String member) {
        for (int i = 0; i < vlen(id); i++) {
            String name = memberName(id, i);
            int type = word(id, 16 + 12 * i);
            if (name.equals(member)) return memberOffset(id, i);
            if (!name.isEmpty() || !exists(type) || kind(type) != KIND_STRUCT && kind(type) != KIND_UNION) continue;
            int offset = offset(type, member);
            if (offset >= 0) return memberOffset(id, i) + offset;
        }
        return -1;
    }
}

// §7 ── System calls ─────────────────────────────────────────────────────────────────────────────────────────────────

/** The only place that calls libc. A result below zero is an errno, negated, as the kernel itself returns it. */
final class Kernel {
    static final boolean AARCH64 = System.getProperty("os.arch").equals("aarch64");

    // arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h
    static final int BIND = nr(49, 200), BPF = nr(321, 280), CONNECT = nr(42, 203), EPOLL_CREATE1 = nr(291, 20);
    static final int EPOLL_CTL = nr(233, 21), EPOLL_PWAIT = nr(281, 22), FLOCK = nr(73, 32);
    static final int LISTEN = nr(50, 201), MEMFD_CREATE = nr(319, 279), OPEN_BY_HANDLE_AT = nr(304, 265);
    static final int SOCKET = nr(41, 198), WRITE = nr(1, 64);
    private static final int CLOSE = nr(3, 57), IOCTL = nr(16, 29), MMAP = nr(9, 222), MPROTECT = nr(10, 226);
    private static final int OPENAT = nr(257, 56), PRLIMIT64 = nr(302, 261);

    private static int nr(int x86_64, int aarch64) { return AARCH64 ? aarch64 : x86_64; }

    // include/uapi/asm-generic/errno-base.h, errno.h: 1 to 38
    static final int EPERM = 1, EINTR = 4, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EPIPE = 32, ENOSYS = 38;
    static final int EADDRINUSE = 98, ECONNREFUSED = 111;
    private static final String[] ERRNO = ("EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN "
        + "ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY "
        + "EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS").split(" ");

    // include/uapi: fcntl.h, mman.h, resource.h, ioctls.h
    private static final int AT_FDCWD = -100, PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1, RLIMIT_MEMLOCK = 8;
    private static final int TIOCGWINSZ = 0x5413;
    static final int PATH_MAX = 4096; // include/uapi/linux/limits.h

    private static final MethodHandle SYSCALL = Linker.nativeLinker().downcallHandle(
        Linker.nativeLinker().defaultLookup().findOrThrow("syscall"),
        FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
        Linker.Option.captureCallState("errno"));

    /** For what an argument points to, one in a call: paths are the longest. */
    private static final ThreadLocal<SegmentAllocator> POINTED = ThreadLocal.withInitial(
        () -> SegmentAllocator.prefixAllocator(Arena.ofAuto().allocate(2 * PATH_MAX, 8)));
    private static final ThreadLocal<MemorySegment> ERRNO_OF_CALL = ThreadLocal.withInitial(
        () -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout())); // which has just that

    static final long PAGE_SIZE = pageSize();

    /** A String, bytes or a struct of longs are passed by a pointer to them, which lasts as long as the call. */
    static long call(int number, Object... arguments) {
        long[] a = new long[6];
        MemorySegment errno = ERRNO_OF_CALL.get();
        SegmentAllocator pointed = POINTED.get();
        for (int i = 0; i < arguments.length; i++) {
            if (arguments[i] instanceof Number value) a[i] = value.longValue();
            if (arguments[i] instanceof MemorySegment memory) a[i] = memory.address();
            if (arguments[i] instanceof String string) a[i] = pointed.allocateFrom(string).address();
            if (arguments[i] instanceof byte[] bytes) a[i] = pointed.allocateFrom(JAVA_BYTE, bytes).address();
            if (arguments[i] instanceof long[] struct) a[i] = pointed.allocateFrom(JAVA_LONG, struct).address();
        }
        try {
            long result = (long) SYSCALL.invokeExact(errno, (long) number, a[0], a[1], a[2], a[3], a[4], a[5]);
            return result == -1 ? -errno.get(JAVA_INT, 0) : result;
        } catch (Throwable t) {
            throw new AssertionError("syscall(2) throws nothing", t);
        }
    }

    static long check(String what, long result) {
        if (result < 0) throw new Failure(what, errnoName((int) -result), "");
        return result;
    }

    static String errnoName(int errno) {
        return errno <= ERRNO.length ? ERRNO[errno - 1] : errno == EADDRINUSE ? "EADDRINUSE" : "errno " + errno;
    }

    /** Both kinds of machine have the byte order of the object. */
    static ByteBuffer buffer(byte[] bytes) { return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN); }

    /** As in C: up to a byte of 0. */
    static String string(byte[] bytes, int start) {
        int end = start;
        while (bytes[end] != 0) end++;
        return new String(bytes, start, end - start, UTF_8);
    }

    static void close(int fd) { call(CLOSE, fd); }

    static MemorySegment mmap(int fd, long offset, long size, boolean writable) {
        long address = call(MMAP, 0, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, offset);
        return MemorySegment.ofAddress(check("mmap of a map", address)).reinterpret(size);
    }

    static int open(String path) { return (int) call(OPENAT, AT_FDCWD, path, 0); }

    /** The width of the terminal that standard output is; 0 if it has none, or is none. */
    static int columns() {
        MemorySegment size = Arena.ofAuto().allocate(8, 8); // struct winsize { unsigned short ws_row, ws_col, … }
        call(IOCTL, Output.STDOUT, TIOCGWINSZ, size);
        return size.get(JAVA_INT, 0) >>> 16;
    }

    /** Refuses what the kernel would forbid without saying why, or crash on. */
    static void prepare() {
        String lockdown = "/sys/kernel/security/lockdown", jit = "/proc/sys/net/core/bpf_jit_enable";
        if (text(lockdown).contains("[confidentiality]"))
            throw new Failure("bpf(2)", "EPERM", lockdown + ", confidentiality, forbids tracing");
        // On aarch64 the verifier leaves the calls of some helpers to the JIT, even where there is none. Seen on 6.12.
        if (AARCH64 && text(jit).equals("0\n")) throw new Failure(jit, "EOPNOTSUPP",
            "aarch64 kernels crash when they interpret bpf_get_current_task(): sysctl net.core.bpf_jit_enable=1");
        // Before Linux 5.11 maps are locked memory. Where this is refused, creating a map will tell.
        call(PRLIMIT64, 0, RLIMIT_MEMLOCK, new long[] {-1, -1}); // struct rlimit64
    }

    /** What is in a file; nothing where there is none, or where only root may know. */
    static String text(String path) { return new String(bytes(path, Integer.MAX_VALUE), UTF_8); }

    static byte[] bytes(String path, int most) {
        try (InputStream in = Files.newInputStream(Path.of(path))) {
            return in.readNBytes(most);
        } catch (IOException e) {
            return new byte[0];
        }
    }

    /** What was packed into the jar, or into one that it needs. */
    static byte[] resource(String name) {
        try (InputStream in = Signals.class.getResourceAsStream(name)) {
            if (in == null) throw new Failure(name, "ENOENT", "it comes with the jar that jbang builds: run jbang");
            return in.readAllBytes();
        } catch (IOException e) {
            throw Failure.of(name, e, "");
        }
    }

    /** Where a symbolic link leads; nowhere if there is none. */
    static String link(String path) {
        try {
            return Files.readSymbolicLink(Path.of(path)).toString();
        } catch (IOException e) {
            return "";
        }
    }

    /** Changes the protection of nothing: then only an address that begins no page is an error. */
    private static long pageSize() {
        long size = 4096;
        while (call(MPROTECT, size, 0, 0) < 0) size *= 2;
        return size;
    }
}
