///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION Who sent which signal to whom, why, and what came of it: a line of JSON each, on a Unix socket
//DEPS com.kohlschutter.junixsocket:junixsocket-common:2.11.1
//DEPS com.kohlschutter.junixsocket:junixsocket-native-common:2.11.1
//FILES signals.bpf.o
//COMPILE_OPTIONS -XDstringConcat=inline
//RUNTIME_OPTIONS --enable-native-access=ALL-UNNAMED -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmn8m
//MANIFEST Enable-Native-Access=ALL-UNNAMED

// Signals tells who sent which signal to whom, why, and what came of it.
//
// It loads a small eBPF prog (signals.bpf.c) that the kernel runs whenever a signal is sent. The prog leaves a record
// in a ring buffer; one thread turns each record into a line of JSON and hands the line to every client of a Unix
// socket. A second prog notes whom the OOM killer chooses. The host needs a JDK and JBang, and neither libbpf nor
// clang: the loader below speaks bpf(2) by itself.
//
//     kill(2) ─▶ kernel: signal_generate ─▶ prog on_signal ─▶ ring buffer "events"          signals.bpf.c
//                                                                   │
//                 ppoll(2) ◀── nothing left ── RingBuffer.next ◀────┘                       §1, §4
//                    │                               │ an Event                             §2
//                    │                          Json.encode (Table.add for --print)         §5
//                    │                               │ a line
//                    └─▶ accept, read, drop   Backlog.append ─▶ Client.send ─▶ nc -U        §6
//
// To read it: §1 the program, its options and its end; §2 what a signal tells; §3 how the prog gets into the kernel;
// §4 to §6 the way of an event; §7 and §8 the cellar: object file and kernel types, system calls.
//
// It refuses to be a daemon, to write files, and to need anything but JBang and junixsocket.

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import module java.base;
import org.newsclub.net.unix.AFUNIXServerSocketChannel;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.newsclub.net.unix.AFUNIXSocketChannel;
import org.newsclub.net.unix.ConnectionRefusedSocketException;
import org.newsclub.net.unix.FileDescriptorCast;

// §1 ── The front door ───────────────────────────────────────────────────────────────────────────────────────────────
// main and its loop, the command line, log lines, and how it all ends.

public final class Signals {
    static final String VERSION = "0.1.0";

    /**
     * Woken again within this time, ns, the reader takes it for a storm and looks this often by itself instead: a
     * wake-up costs the sender some ten times what the prog does, and this is the most that it delays a line.
     */
    private static final long LINGER = 500_000;

    /** Records such a look must bring for another: below that, a wake-up per record is cheaper, and prompt. */
    private static final int HOT = 4;

    public static void main(String... arguments) {
        Listener.preload();
        Stop stop = new Stop();
        int status = 1;
        try {
            status = status(stop, arguments);
        } finally {
            stop.end(status);
        }
        if (status != 0) System.exit(status);
    }

    private static int status(Stop stop, String... arguments) {
        try {
            Options options = new Options(arguments);
            if (options.answer == null) run(options, stop);
            else System.out.print(options.answer);
            return 0;
        } catch (Failure e) {
            return e.tell();
        } catch (ExceptionInInitializerError e) {
            if (e.getCause() instanceof Failure failure) return failure.tell();
            throw e;
        }
    }

    private static void run(Options options, Stop stop) {
        Log.threshold = options.log;
        Log.banner();
        stop.arm();
        Log.info("loading and attaching to the ebpf program");
        try (Tracer tracer = Tracer.attach(options); Server server = new Server(Listener.open(options));
                Table table = options.print ? new Table(stop) : null) {
            Log.info("unix socket listening on " + options.socket);
            Log.info("awaiting for new connections");
            new Signals(tracer, server, table, options).serve(stop);
        }
        Log.info("stopped");
    }

    private final Tracer tracer;
    private final Server server;
    private final Table table; // null without --print
    private final Json json;
    private final boolean sentOnly;
    private final Event event = new Event();

    private Signals(Tracer tracer, Server server, Table table, Options options) {
        this.tracer = tracer;
        this.server = server;
        this.table = table;
        json = new Json(options.brief);
        sentOnly = options.sender != 0;
    }

    /** Tells what there is, then sleeps until there is more. */
    private void serve(Stop stop) {
        boolean storm = false, linger = false;
        while (!stop.requested) {
            tracer.listen(table != null || server.hasClients());
            boolean more = tracer.ring.fill();
            int records = tell();
            if (linger) storm = records >= HOT;
            linger = storm && !more;
            if (more) {
                server.poll(0, stop.fd, Server.NO_RING);
            } else if (linger) {
                server.poll(LINGER, stop.fd, Server.NO_RING);
            } else {
                long asleep = System.nanoTime();
                tracer.park(true); // ppoll(2) looks at the ring once more before it sleeps
                server.poll(Server.FOREVER, stop.fd, tracer.ring.fd);
                tracer.park(false);
                storm = System.nanoTime() - asleep < LINGER;
            }
        }
    }

    /** A line to everybody for each of the records copied last; returns how many they were. */
    private int tell() {
        int records = 0;
        for (json.setClock(); tracer.next(event); records++) {
            if (sentOnly && !event.cause().sent) continue;
            if (!json.hasRoom()) server.broadcast(json);
            json.encode(event);
            if (table != null) table.add(event, json.time(event));
        }
        long dropped = tracer.newlyDropped();
        if (dropped > 0) json.encodeDropped(dropped);
        if (dropped > 0 && table != null) table.addDropped(dropped);
        server.broadcast(json);
        server.flush();
        return records;
    }
}

/** The command line: {@code -p 1}, {@code -p1}, {@code -vp1}, {@code --pid 1} or {@code --pid=1}. */
final class Options {
    static final String USAGE = """
            Usage: sudo jbang Signals.java [OPTION]...
            Tell who sends which signal to whom: one JSON object a line, to every client of a Unix socket.

              -s, --signal LIST   only these: names or numbers, comma-separated; ^LIST all but these
              -p, --pid PID       only signals sent to this process, to whichever of its threads
              -f, --from PID      only signals sent by this process: lines with a "sender"
                  --fatal         only what can end a process, and the report of a child so ended
                  --print         also show them here, as a table, on standard output
                  --socket PATH   default /var/run/signals
                  --group NAME    let this group connect
                  --short         write only pid and signr
                  --ring SIZE     ring buffer size in bytes, a power of two; default 8M
              -v, --verbose       log connections and the loader's steps
              -h, --help
              -V, --version

            Environment: SIGNALS_LOG=error|warn|info|debug, what to log on standard error
            Exit status: 0 stopped, 1 could not start or run, 2 usage
            """;

    private static final long PID_MAX_LIMIT = 4_194_304; // include/linux/threads.h

    long signals = ~0L; // bit n-1: signal n is asked for
    int target, sender; // 0: any
    Path socket = Path.of("/var/run/signals");
    String group;       // null: none
    boolean brief, print;
    boolean fatal;      // "signals" is narrowed already; of SIGCHLD, only the report of a child that a signal ended
    long ring = 8 << 20; // bytes
    Log.Level log = Log.Level.of(System.getenv().getOrDefault("SIGNALS_LOG", "info"));
    String answer;      // to print instead of running, or null

    private final String[] words;
    private int at;      // the next word
    private String rest; // of the word that the option stands in: its value, or more short options

    Options(String... words) {
        this.words = words;
        for (String option; (option = next()) != null; rest = unused(option)) {
            switch (option) {
                case "-s", "--signal" -> signals = Signal.mask(value(option));
                case "-p", "--pid" -> target = (int) number(option, "", 1, PID_MAX_LIMIT);
                case "-f", "--from" -> sender = (int) number(option, "", 1, PID_MAX_LIMIT);
                case "--fatal" -> fatal = true;
                case "--print" -> print = true;
                case "--socket" -> socket = path(option);
                case "--group" -> group = value(option);
                case "--short" -> brief = true;
                case "--ring" -> ring = number(option, "KMG", Kernel.PAGE_SIZE, 1 << 30);
                case "-v", "--verbose" -> log = Log.Level.DEBUG;
                case "-h", "--help" -> answer = USAGE;
                case "-V", "--version" -> answer = "signals " + Signals.VERSION + "\n";
                default -> throw Failure.usage(option, "no such option; --help lists them");
            }
        }
        if (fatal) signals &= Signal.FATAL | Signal.bit(Signal.SIGCHLD);
        if (signals == 0) throw Failure.usage("--signal", fatal ? "none of these is --fatal" : "this leaves none");
        if (Long.bitCount(ring) > 1) throw Failure.usage("--ring " + ring, "a power of two is expected, such as 8M");
    }

    private String next() {
        String word = rest != null ? "-" + rest : at < words.length ? words[at++] : null;
        if (word == null) return null;
        if (!word.startsWith("-")) throw Failure.usage(word, "only options are expected; --help lists them");
        boolean isLong = word.startsWith("--");
        int end = isLong ? (word + "=").indexOf('=') : Math.min(2, word.length());
        rest = end == word.length() ? null : word.substring(isLong ? end + 1 : end);
        return word.substring(0, end);
    }

    private String unused(String option) {
        if (rest != null && option.startsWith("--")) throw Failure.usage(option + "=" + rest, "it takes no value");
        return rest;
    }

    private String value(String option) {
        if (rest == null && at == words.length) throw Failure.usage(option, "it needs a value; --help tells which");
        String value = rest != null ? rest : words[at++];
        rest = null;
        return value;
    }

    private Path path(String option) {
        String value = value(option);
        try {
            if (!value.isEmpty()) return Path.of(value);
        } catch (InvalidPathException e) {
            throw Failure.usage(option + " " + value, "no path in this locale's character set, see locale(1)");
        }
        throw Failure.usage(option + " ''", "a path is expected");
    }

    /** A number, with one of those units for the powers of 1024. */
    private long number(String option, String units, long least, long most) {
        String value = value(option);
        int unit = 1 + (value.isEmpty() ? -1 : units.indexOf(value.charAt(value.length() - 1)));
        String digits = unit == 0 ? value : value.substring(0, value.length() - 1);
        long number = digits.matches("[0-9]{1,10}") ? Long.parseLong(digits) << 10 * unit : -1;
        if (number < least || number > most)
            throw Failure.usage(option + " " + value, "a number from " + least + " to " + most + " is expected"
                + (units.isEmpty() ? "" : ", such as 1M"));
        return number;
    }
}

/** What could not be done, on what, errno's name, a hint: all of it in one line. */
final class Failure extends RuntimeException {
    private static final int USAGE = 2;
    private final int status;

    Failure(String what, String errno, String hint) { this(1, what, errno, hint); }

    private Failure(int status, String what, String errno, String hint) {
        super(what + ": " + errno + (hint.isEmpty() ? "" : "; " + hint));
        this.status = status;
    }

    /** Prints the line; returns the exit status. */
    int tell() {
        if (status == USAGE) System.err.println("signals: " + getMessage());
        else Log.error(getMessage());
        return status;
    }

    /** Words that cannot be understood. */
    static Failure usage(String what, String hint) { return new Failure(USAGE, what, "EINVAL", hint); }

    /** java.nio tells what errno was by the type of its exception or in strerror(3)'s words. */
    static Failure of(String what, IOException e, String hint) {
        String reason = e instanceof FileSystemException f ? f.getReason() : null;
        String words = reason != null ? reason : "" + e.getMessage();
        String errno = e instanceof NoSuchFileException ? "ENOENT"
            : e instanceof FileAlreadyExistsException ? "EEXIST"
            : e instanceof AccessDeniedException ? "EACCES"
            : words.startsWith("Operation not permitted") ? "EPERM"
            : words.startsWith("Not a directory") ? "ENOTDIR"
            : words.startsWith("Too many levels") ? "ELOOP"
            : words.startsWith("Too many open files") ? "EMFILE"
            : words.startsWith("Read-only") ? "EROFS"
            : words.startsWith("No space") ? "ENOSPC" : words;
        return new Failure(what, errno, hint);
    }
}

/** Lines on standard error: {@code [2026-11-22T19:54:02Z INFO  signals] awaiting for new connections}. */
final class Log {
    enum Level {
        ERROR, WARN, INFO, DEBUG;

        static Level of(String name) {
            for (Level level : values()) if (level.name().equalsIgnoreCase(name)) return level;
            throw Failure.usage("SIGNALS_LOG=" + name, "one of error, warn, info, debug is expected");
        }
    }

    static Level threshold = Level.INFO;

    static void error(String line) { write(Level.ERROR, line); }
    static void warn(String line) { write(Level.WARN, line); }
    static void info(String line) { write(Level.INFO, line); }
    static void debug(String line) { write(Level.DEBUG, line); }

    private static void write(Level level, String line) {
        if (level.compareTo(threshold) > 0) return;
        String time = Json.utc(System.currentTimeMillis() / 1000), padded = (level + " ").substring(0, 5);
        System.err.println("[" + time + "Z " + padded + " signals] " + line.replace('\n', ' '));
    }

    static void banner() {
        if (threshold.compareTo(Level.INFO) >= 0 && Kernel.isTerminal(2)) System.err.print("""
                 ┌─┐┬┌─┐┌┐┌┌─┐┬  ┌─┐
                 └─┐││ ┬│││├─┤│  └─┐   who sent which signal to whom, and why
                 └─┘┴└─┘┘└┘┴ ┴┴─┘└─┘   VERSION
                """.replace("VERSION", Signals.VERSION));
    }
}

/**
 * SIGTERM, SIGINT and SIGHUP wake the loop, which ends and runs the same close() calls as any other end does.
 * The exit status is then main's, where the JVM would make it 128 and the signal.
 */
final class Stop extends Thread {
    volatile boolean requested;
    volatile int fd = -1; // readable from then on
    private volatile int status;
    private final CountDownLatch ended = new CountDownLatch(1);

    Stop() {
        try {
            Runtime.getRuntime().addShutdownHook(this);
        } catch (IllegalStateException e) {
            requested = true; // the signal was faster
        }
    }

    /** Apart from the hook, which is to be in place before anything that takes time. */
    void arm() { fd = Kernel.eventfd(); }

    void request() {
        requested = true;
        if (fd >= 0) Kernel.wake(fd);
    }

    @Override public void run() {
        request();
        try {
            ended.await();
        } catch (InterruptedException e) {
            throw new AssertionError("nobody interrupts a shutdown hook", e);
        }
        Runtime.getRuntime().halt(status);
    }

    void end(int status) {
        this.status = status;
        ended.countDown();
    }
}

// §2 ── What a signal tells ──────────────────────────────────────────────────────────────────────────────────────────
// The record's layout, the names of signals, codes and results as kill -l and the manual pages have them, and the
// cause: the one word that this program exists for.

/** One decoded sample: a copy of struct event in signals.bpf.c, valid until the next one is read into it. */
final class Event {
    static final int CMDLINE_MAX = 1024;

    /** struct event: its members' names in its order. A test compares both through the object's BTF. */
    private static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_INT.withName("pid"), JAVA_INT.withName("signr"),
            JAVA_LONG.withName("time"),
            JAVA_INT.withName("si_signo"), JAVA_INT.withName("si_errno"),
            JAVA_INT.withName("si_code"), JAVA_INT.withName("si_pad"),
            JAVA_LONG.withName("si_addr"),
            JAVA_LONG.withName("si_value"),
            JAVA_INT.withName("result"), JAVA_BYTE.withName("group"), JAVA_BYTE.withName("has_info"),
            JAVA_BYTE.withName("exiting"), JAVA_BYTE.withName("cpu_limit"),
            JAVA_INT.withName("tgid"), JAVA_INT.withName("uid"),
            JAVA_LONG.withName("cgroup"),
            chars(16).withName("comm"),
            JAVA_INT.withName("sender_pid"), JAVA_INT.withName("sender_tid"),
            JAVA_INT.withName("sender_uid"), JAVA_INT.withName("sender_ppid"),
            JAVA_LONG.withName("sender_cgroup"),
            chars(16).withName("sender_comm"),
            chars(16).withName("sender_parent"),
            JAVA_LONG.withName("cmdline_size"),
            chars(CMDLINE_MAX).withName("sender_cmdline"));

    static final int PID = offset("pid"), SIGNR = offset("signr"), TIME = offset("time");
    static final int SI_CODE = offset("si_code"), SI_ADDR = offset("si_addr"), SI_VALUE = offset("si_value");
    static final int RESULT = offset("result"), GROUP = offset("group"), HAS_INFO = offset("has_info");
    static final int EXITING = offset("exiting"), CPU_LIMIT = offset("cpu_limit");
    static final int TGID = offset("tgid"), UID = offset("uid"), CGROUP = offset("cgroup"), COMM = offset("comm");
    static final int SENDER_PID = offset("sender_pid"), SENDER_TID = offset("sender_tid");
    static final int SENDER_UID = offset("sender_uid"), SENDER_PPID = offset("sender_ppid");
    static final int SENDER_CGROUP = offset("sender_cgroup"), SENDER_COMM = offset("sender_comm");
    static final int SENDER_PARENT = offset("sender_parent"), CMDLINE_SIZE = offset("cmdline_size");
    static final int SENDER_CMDLINE = offset("sender_cmdline");

    /** The siginfo's second word where it is two: si_status or si_syscall at SI_VALUE, si_arch after it. */
    static final int SI_STATUS = SI_VALUE, SI_SYSCALL = SI_VALUE, SI_ARCH = SI_VALUE + 4;

    static final int SIZE = (int) LAYOUT.byteSize(), COMM_SIZE = 16;

    final byte[] sample = new byte[SIZE];
    boolean oomVictim; // no part of the sample: see Tracer.next()
    private final ByteBuffer fields = ByteBuffer.wrap(sample).order(ByteOrder.nativeOrder());

    void read(byte[] records, int at, int size) { System.arraycopy(records, at, sample, 0, size); }

    int u32(int offset) { return fields.getInt(offset); }
    long u64(int offset) { return fields.getLong(offset); }
    boolean flag(int offset) { return sample[offset] != 0; }

    /** Where the name that starts there ends: at a NUL, if it does not fill its 16 bytes. */
    int nameEnd(int from) {
        int end = from;
        while (end < from + COMM_SIZE && sample[end] != 0) end++;
        return end;
    }

    int cmdlineSize() { return (int) Math.min(u64(CMDLINE_SIZE), CMDLINE_MAX); }

    /** Where the command line ends, without the NUL of its last argument; SENDER_CMDLINE if there is none. */
    int cmdlineEnd() {
        int end = SENDER_CMDLINE + cmdlineSize();
        while (end > SENDER_CMDLINE && sample[end - 1] == 0) end--;
        return end;
    }

    private static SequenceLayout chars(int size) { return MemoryLayout.sequenceLayout(size, JAVA_BYTE); }
    private static int offset(String member) {
        return (int) LAYOUT.byteOffset(MemoryLayout.PathElement.groupElement(member));
    }

    /** Why this signal was sent, where the evidence decides it; what each rests on is in README's CAUSES. */
    Cause cause() {
        int signr = u32(SIGNR), code = u32(SI_CODE);
        if (flag(HAS_INFO)) return code > 0 ? causeOfKernelsCode(signr, code) : causeOfSendersCode(code);
        return code == Signal.SI_USER ? causeWithoutInfo(signr) : causeOfKernel(signr);
    }

    /** Codes of zero and below come from kill(2), tkill(2), rt_sigqueueinfo(2), or from timers and I/O. */
    private Cause causeOfSendersCode(int code) {
        return switch (code) {
            case Signal.SI_USER -> flag(GROUP) && !flag(EXITING) ? Cause.KILL : Cause.KERNEL;
            case Signal.SI_TKILL -> Cause.TKILL;
            case Signal.SI_QUEUE -> Cause.QUEUE;
            case Signal.SI_TIMER -> Cause.TIMER;
            case Signal.SI_SIGIO, Signal.SI_ASYNCIO, Signal.SI_MESGQ -> Cause.IO;
            default -> Cause.KERNEL;
        };
    }

    /** Codes above zero mean something else with each signal. */
    private Cause causeOfKernelsCode(int signr, int code) {
        return switch (signr) {
            case Signal.SIGCHLD -> code <= Signal.CLD_CONTINUED ? Cause.CHILD : Cause.KERNEL;
            case Signal.SIGSYS -> code == Signal.SYS_SECCOMP ? Cause.SECCOMP : Cause.KERNEL;
            case Signal.SIGIO -> code <= Signal.POLL_HUP ? Cause.IO : Cause.KERNEL;
            case Signal.SIGSEGV, Signal.SIGBUS, Signal.SIGFPE, Signal.SIGILL, Signal.SIGTRAP ->
                forRunningThread() ? Cause.FAULT : Cause.KERNEL;
            // F_SETSIG's choice, with POLL_*; from a task on its way out it may as well be what clone(2)'s caller chose
            default -> code <= Signal.POLL_HUP && !flag(EXITING) ? Cause.IO : Cause.KERNEL;
        };
    }

    /** SEND_SIG_NOINFO: on behalf of the running task. */
    private Cause causeWithoutInfo(int signr) {
        if (flag(GROUP)) return flag(EXITING) ? Cause.PDEATH : Cause.KILL; // kill(2) from Linux 7.3
        return switch (signr) {
            case Signal.SIGPIPE -> forRunningThread() ? Cause.PIPE : Cause.KERNEL;
            case Signal.SIGXFSZ -> forRunningThread() ? Cause.RLIMIT : Cause.KERNEL;
            case Signal.SIGKILL -> Cause.CGROUP;
            default -> Cause.KERNEL;
        };
    }

    boolean forRunningThread() { return !flag(GROUP) && u32(PID) == u32(SENDER_TID); }

    /** SEND_SIG_PRIV: the kernel's own. */
    private Cause causeOfKernel(int signr) {
        return switch (signr) {
            case Signal.SIGALRM, Signal.SIGVTALRM, Signal.SIGPROF -> Cause.TIMER;
            case Signal.SIGHUP, Signal.SIGINT, Signal.SIGQUIT, Signal.SIGTSTP, Signal.SIGTTIN, Signal.SIGTTOU,
                Signal.SIGCONT, Signal.SIGWINCH -> Cause.TTY;
            case Signal.SIGIO, Signal.SIGURG -> Cause.IO;
            case Signal.SIGXCPU -> Cause.RLIMIT;
            case Signal.SIGKILL -> flag(CPU_LIMIT) ? Cause.RLIMIT : oomVictim ? Cause.OOM : Cause.KERNEL;
            default -> Cause.KERNEL;
        };
    }

    /** SIGKILL to a process from the kernel itself; but not a pid namespace's end, whose sender is exiting. */
    boolean mayBeOom() {
        return u32(SIGNR) == Signal.SIGKILL && !flag(HAS_INFO) && u32(SI_CODE) == Signal.SI_KERNEL && flag(GROUP)
            && !flag(CPU_LIMIT) && !flag(EXITING);
    }
}

/** {@code sent}: by the running task, the line's "sender"; else by the kernel, and that task is just its "context". */
enum Cause {
    KILL(true), TKILL(true), QUEUE(true), CHILD(true), CGROUP(true), PDEATH(true),
    TIMER(false), FAULT(false), SECCOMP(false), IO(false), TTY(false), PIPE(false), RLIMIT(false), OOM(false),
    KERNEL(false);

    final boolean sent;
    final byte[] json = ("\"" + name().toLowerCase(Locale.ROOT) + "\"").getBytes(ISO_8859_1);

    Cause(boolean sent) { this.sent = sent; }
}

/** Signals, their codes and their results, by number. */
final class Signal {
    // include/uapi/asm-generic/signal.h: the same on x86_64 and aarch64
    static final int SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9;
    static final int SIGSEGV = 11, SIGPIPE = 13, SIGALRM = 14, SIGCHLD = 17, SIGCONT = 18, SIGTSTP = 20, SIGTTIN = 21;
    static final int SIGTTOU = 22, SIGURG = 23, SIGXCPU = 24, SIGXFSZ = 25, SIGVTALRM = 26, SIGPROF = 27;
    static final int SIGWINCH = 28, SIGIO = 29, SIGSYS = 31, SIGRTMIN = 34, SIGRTMAX = 64; // as glibc counts

    // include/uapi/asm-generic/siginfo.h
    static final int SI_USER = 0, SI_KERNEL = 0x80, SI_QUEUE = -1, SI_TIMER = -2, SI_MESGQ = -3, SI_ASYNCIO = -4;
    static final int SI_SIGIO = -5, SI_TKILL = -6, POLL_HUP = 6, SYS_SECCOMP = 1;
    static final int CLD_EXITED = 1, CLD_KILLED = 2, CLD_DUMPED = 3, CLD_TRAPPED = 4, CLD_STOPPED = 5;
    static final int CLD_CONTINUED = 6;

    // include/trace/events/signal.h
    static final int TRACE_SIGNAL_DELIVERED = 0, TRACE_SIGNAL_IGNORED = 1, TRACE_SIGNAL_ALREADY_PENDING = 2;
    static final int TRACE_SIGNAL_OVERFLOW_FAIL = 3, TRACE_SIGNAL_LOSE_INFO = 4;

    private static final String[] STANDARD = ("HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM "
            + "STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS").split(" ");

    /** Bit n-1 for each signal n that ends a process, or dumps its core, unless it is handled: all but these. */
    static final long FATAL = ~mask("CHLD,CONT,STOP,TSTP,TTIN,TTOU,URG,WINCH");

    private static final byte[][] NAMES = new byte[SIGRTMAX + 1][];
    static {
        for (int n = 1; n <= SIGRTMAX; n++) NAMES[n] = json(text(n));
    }
    private static final byte[][] CODES_BELOW = list("SI_", "USER QUEUE TIMER MESGQ ASYNCIO SIGIO TKILL DETHREAD");
    private static final byte[][] POLL_CODES = list("POLL_", "IN OUT MSG ERR PRI HUP");
    private static final byte[][][] CODES = new byte[SIGRTMAX + 1][][];
    static {
        CODES[SIGILL] = list("ILL_", "ILLOPC ILLOPN ILLADR ILLTRP PRVOPC PRVREG COPROC BADSTK BADIADDR");
        CODES[SIGFPE] = list("FPE_", "INTDIV INTOVF FLTDIV FLTOVF FLTUND FLTRES FLTINV FLTSUB");
        CODES[SIGSEGV] = list("SEGV_", "MAPERR ACCERR BNDERR PKUERR ACCADI ADIDERR ADIPERR MTEAERR MTESERR CPERR");
        CODES[SIGBUS] = list("BUS_", "ADRALN ADRERR OBJERR MCEERR_AR MCEERR_AO");
        CODES[SIGTRAP] = list("TRAP_", "BRKPT TRACE BRANCH HWBKPT UNK PERF");
        CODES[SIGCHLD] = list("CLD_", "EXITED KILLED DUMPED TRAPPED STOPPED CONTINUED");
        CODES[SIGSYS] = list("SYS_", "SECCOMP USER_DISPATCH");
    }
    private static final byte[][] RESULTS = list("", "delivered ignored pending overflow lose_info");
    private static final byte[] KERNEL = json("SI_KERNEL");

    /** Such as {@code KILL}; a number that has no name stays one. */
    static String shortName(int n) { return n > 0 && n <= SIGRTMAX ? text(n).substring(3) : String.valueOf(n); }

    /** The name as a JSON string, or null for a number that has none. */
    static byte[] name(int signr) { return at(NAMES, signr); }
    static byte[] result(int result) { return at(RESULTS, result); }

    static byte[] code(int signr, int code, Cause cause) {
        if (code == SI_KERNEL) return KERNEL;
        if (code <= 0) return at(CODES_BELOW, -code);
        byte[][] codes = cause == Cause.IO ? POLL_CODES : at(CODES, signr);
        return codes == null ? null : at(codes, code - 1);
    }

    /** Codes that come with a union sigval. */
    static boolean hasValue(int code) { return code == SI_QUEUE || code == SI_TIMER || code == SI_MESGQ; }

    /** A sigval is an int or a pointer: an int leaves the upper half zero, or whatever was there before. */
    static long value(long sigval) { return sigval >>> 32 == 0 ? (int) sigval : sigval; }

    /** include/uapi/linux/audit.h: AUDIT_ARCH_* */
    static byte[] arch(int arch) {
        return json(switch (arch) {
            case 0xC000003E -> "x86_64";
            case 0x40000003 -> "i386";
            case 0xC00000B7 -> "aarch64";
            case 0x40000028 -> "arm";
            default -> "0x" + Integer.toHexString(arch);
        });
    }

    /** Bit n-1 for each signal n of a list such as {@code TERM,9,SIGRTMIN+1}; {@code ^LIST}: for all others. */
    static long mask(String list) {
        boolean others = list.startsWith("^");
        long mask = 0;
        for (String name : list.substring(others ? 1 : 0).split(",", -1)) mask |= bit(number(name, list));
        return others ? ~mask : mask;
    }

    static long bit(int signr) { return 1L << signr - 1; }

    private static int number(String name, String list) {
        String wanted = name.toUpperCase(Locale.ROOT);
        if (!wanted.startsWith("SIG")) wanted = "SIG" + wanted;
        for (int n = 1; n <= SIGRTMAX; n++) {
            if (name.equals(String.valueOf(n)) || wanted.equals(text(n))) return n;
            if (n >= SIGRTMIN && wanted.equals(realtime(n))) return n; // SIGRTMIN+16 is SIGRTMAX-14
        }
        throw Failure.usage("--signal " + list, "'" + name + "' is no signal; kill -l lists names and numbers");
    }

    /** As bash's kill -l: the upper half counts down from SIGRTMAX; 32 and 33 are glibc's own. */
    private static String text(int n) {
        if (n < 32) return "SIG" + STANDARD[n - 1];
        if (n > 49) return n == SIGRTMAX ? "SIGRTMAX" : "SIGRTMAX" + (n - SIGRTMAX);
        return realtime(n);
    }

    private static String realtime(int n) {
        return n == SIGRTMIN ? "SIGRTMIN" : "SIGRTMIN" + (n > SIGRTMIN ? "+" : "") + (n - SIGRTMIN);
    }

    private static byte[][] list(String prefix, String names) {
        String[] words = names.split(" ");
        byte[][] list = new byte[words.length][];
        for (int i = 0; i < list.length; i++) list[i] = json(prefix + words[i]);
        return list;
    }

    private static byte[] json(String name) { return ("\"" + name + "\"").getBytes(ISO_8859_1); }
    private static <T> T at(T[] list, int i) { return i >= 0 && i < list.length ? list[i] : null; }
}

// §3 ── The way into the kernel ──────────────────────────────────────────────────────────────────────────────────────
// Open the object, create its maps, relocate, load the prog, attach: what libbpf would do, for just this object.

/** The progs, attached; the ring buffer that one fills; the memory that they share with this process. */
final class Tracer implements AutoCloseable {
    final RingBuffer ring;
    private final int link, oomLink; // -1: cannot watch the OOM killer
    private final MemorySegment shared; // the object's .bss
    private final long listening, parked, dropped, victims; // where in it
    private final boolean tellsOom;
    private boolean recording;
    private long droppedBefore;

    private static final String SIGNAL_GENERATE = "signal_generate", MARK_VICTIM = "mark_victim";
    private static final int VICTIMS = 256, VICTIM_SIZE = 16, VICTIM_TIME = 8; // signals.bpf.c
    private static final VarHandle WORD = JAVA_INT.varHandle(), COUNTER = JAVA_LONG.varHandle();

    /** How long after its SIGKILL the OOM killer may take to mark the victim, ns. It takes microseconds on its way. */
    private static final long MARKED_WITHIN = 20_000_000;

    private Tracer(RingBuffer ring, int link, int oomLink, MemorySegment shared, BpfObject object, boolean sentOnly) {
        this.ring = ring;
        this.link = link;
        this.oomLink = oomLink;
        this.shared = shared;
        this.listening = object.symbol("listening").value();
        this.parked = object.symbol("parked").value();
        this.dropped = object.symbol("dropped").value();
        this.victims = object.symbol("victims").value();
        tellsOom = oomLink >= 0 && !sentOnly;
    }

    /** Throws a Failure that names the step, the errno and what to do. What it leaves open, exit closes. */
    static Tracer attach(Options options) {
        BpfObject object = BpfObject.open("signals.bpf.o");
        Kernel.raiseMemlock();
        if (Kernel.crashesInterpreting()) throw new Failure(Kernel.BPF_JIT_ENABLE, "EOPNOTSUPP",
            "aarch64 kernels crash when they interpret bpf_get_current_task(): sysctl net.core.bpf_jit_enable=1");

        int events = Bpf.createRingBuffer("events", options.ring);
        int bss = Bpf.createArray(".bss", object.size(".bss"), Bpf.BPF_F_MMAPABLE);
        object.set("signals", options.signals, 8);
        object.set("target", options.target, 4);
        object.set("sender", options.sender, 4);
        object.set("reader", Kernel.isInInitialPidNamespace() ? ProcessHandle.current().pid() : 0, 4);
        boolean brief = options.brief && options.sender == 0 && !options.print; // the others need a whole record
        object.set("brief", brief ? 1 : 0, 4);
        object.set("deaths", options.fatal ? 1 : 0, 4);
        try (Btf kernel = Btf.ofKernel()) {
            int link = attachToSignals(object, kernel, events, bss), oomLink = attachToOomKiller(object, kernel, bss);
            long size = object.size(".bss") + Kernel.PAGE_SIZE - 1 & -Kernel.PAGE_SIZE;
            MemorySegment shared = Kernel.mmap("map .bss", bss, 0, size, true);
            Kernel.close(bss); // the link holds the prog, which holds its maps
            return new Tracer(new RingBuffer(events, options.ring), link, oomLink, shared, object, options.sender != 0);
        }
    }

    /** With types, by which the prog loads from the kernel's structs directly; without, where that is refused. */
    private static int attachToSignals(BpfObject object, Btf kernel, int events, int bss) {
        int types = kernel.typedef("btf_trace_" + SIGNAL_GENERATE);
        int link = types != Bpf.UNTYPED ? attachToSignals(object, kernel, events, bss, types) : -1;
        return link >= 0 ? link : attachToSignals(object, kernel, events, bss, Bpf.UNTYPED);
    }

    private static int attachToSignals(BpfObject object, Btf kernel, int events, int bss, int types) {
        int rodata = Bpf.createArray(".rodata", object.size(".rodata"), Bpf.BPF_F_RDONLY_PROG);
        object.set("direct", types == Bpf.UNTYPED ? 0 : 1, 4);
        Bpf.update(rodata, object.bytes(".rodata"));
        Bpf.freeze(rodata); // from here on the verifier takes its values for constants

        Map<String, Integer> maps = Map.of(".maps", events, ".rodata", rodata, ".bss", bss);
        byte[] insns = object.relocate(BpfObject.ON_SIGNAL, maps, kernel);
        int prog = Bpf.load("on_signal", insns, object.license(), types);
        Kernel.close(rodata);
        return prog < 0 ? prog : link(SIGNAL_GENERATE, prog, types);
    }

    /** The link holds the prog, which ends with it. */
    private static int link(String tracepoint, int prog, int types) {
        try {
            return Bpf.openRawTracepoint(tracepoint, prog, types);
        } finally {
            Kernel.close(prog);
        }
    }

    /** Signals does without, if need be: then the OOM killer's are just the kernel's. */
    private static int attachToOomKiller(BpfObject object, Btf kernel, int bss) {
        try {
            byte[] insns = object.relocate(BpfObject.ON_MARK_VICTIM, Map.of(".bss", bss), kernel);
            int prog = Bpf.load("on_mark_victim", insns, object.license(), Bpf.UNTYPED);
            return link(MARK_VICTIM, prog, Bpf.UNTYPED);
        } catch (Failure e) {
            Log.warn(e.getMessage() + "; the cause oom will not be told");
            return -1;
        }
    }

    /** Reads the next of the samples that the ring copied into the event; false when it has read them all. */
    boolean next(Event event) {
        if (!ring.next(event)) return false;
        event.oomVictim = tellsOom && event.mayBeOom() && isVictim(event);
        return true;
    }

    /** The OOM killer sends first and marks its victim right after: it may be about to do so, and is waited for. */
    private boolean isVictim(Event event) {
        long sent = event.u64(Event.TIME), began = System.nanoTime();
        while (true) {
            long now = System.nanoTime();
            boolean tooLate = now - Math.min(sent, began) > MARKED_WITHIN; // in a time namespace, sent is any number
            if (isMarked(event.u32(Event.PID), sent)) return true;
            if (tooLate) return false;
            Kernel.sleep(MARKED_WITHIN / 100);
        }
    }

    private boolean isMarked(long pid, long sent) {
        for (long at = victims; at < victims + VICTIMS * VICTIM_SIZE; at += VICTIM_SIZE) {
            long after = (long) COUNTER.getOpaque(shared, at + VICTIM_TIME) - sent;
            if ((long) COUNTER.getOpaque(shared, at) == pid && after >= 0 && after <= MARKED_WITHIN) return true;
        }
        return false;
    }

    /** With nobody listening the prog reserves nothing. */
    void listen(boolean wanted) {
        if (wanted == recording) return;
        recording = wanted;
        WORD.setOpaque(shared, listening, wanted ? 1 : 0);
        Log.debug(wanted ? "recording" : "recording nothing, as nobody listens");
    }

    /**
     * Asks for a wake-up with the next record. Pairs with xchg() in bpf_ringbuf_commit(): either the prog sees this
     * store, or the look at the ring that follows it sees the record. signals.bpf.c tells the other half at submit().
     */
    void park(boolean wanted) {
        WORD.setOpaque(shared, parked, wanted ? 1 : 0);
        VarHandle.fullFence();
    }

    /** Signals that went unrecorded since the last call, because the ring buffer was full. */
    long newlyDropped() {
        long now = (long) COUNTER.getOpaque(shared, dropped), before = droppedBefore;
        droppedBefore = now;
        return now - before;
    }

    @Override public void close() {
        Kernel.close(link);
        if (oomLink >= 0) Kernel.close(oomLink);
        ring.close();
        Kernel.munmap(shared);
    }
}

// §4 ── The ring buffer ──────────────────────────────────────────────────────────────────────────────────────────────
// kernel/bpf/ringbuf.c maps three things in a row: the page of consumer_pos, which is ours to write; the page of
// producer_pos; the data. It maps the data once more behind, so that a record that wraps is still one piece of memory:
// the copy here does without, which halves what is resident. A record is an 8-byte header and a sample, rounded up to
// 8 bytes.
//
// Hot path: no locks, no logging, no allocation, no system call until the ring is empty.

final class RingBuffer implements AutoCloseable {
    // include/uapi/linux/bpf.h
    private static final int BPF_RINGBUF_BUSY_BIT = 1 << 31, BPF_RINGBUF_DISCARD_BIT = 1 << 30, BPF_RINGBUF_HDR_SZ = 8;

    private static final VarHandle POSITION = JAVA_LONG.varHandle(), HEADER = JAVA_INT.varHandle();

    final int fd;
    private final MemorySegment consumerPage, producerPage, data;
    private final long size;
    private long consumer; // everything before it has been copied

    // The records copied last. One copy of many costs a fraction of many copies, and their room is free at once.
    private final byte[] records = new byte[32 << 10];
    private final ByteBuffer headers = ByteBuffer.wrap(records).order(ByteOrder.nativeOrder());
    private int next, end;

    RingBuffer(int fd, long size) {
        this.fd = fd;
        this.size = size;
        consumerPage = Kernel.mmap("ring buffer's consumer_pos", fd, 0, Kernel.PAGE_SIZE, true);
        producerPage = Kernel.mmap("ring buffer", fd, Kernel.PAGE_SIZE, Kernel.PAGE_SIZE + size, false);
        data = producerPage.asSlice(Kernel.PAGE_SIZE);
    }

    /**
     * Copies records out, up to the first one that is reserved and not yet submitted, and gives their room back to
     * the prog. True if there were more than it copies at once.
     */
    boolean fill() {
        next = end = 0;
        boolean fits = true;
        // Pairs with smp_store_release(&rb->producer_pos) in __bpf_ringbuf_reserve().
        for (long left = (long) POSITION.getAcquire(producerPage, 0L) - consumer; end < left && fits;) {
            // Pairs with xchg(&hdr->len) in bpf_ringbuf_commit().
            int header = (int) HEADER.getAcquire(data, consumer + end & size - 1);
            if (isBusy(header)) break;
            fits = end + recordSize(header) <= records.length;
            if (fits) end += recordSize(header);
        }
        long start = consumer & size - 1;
        int unwrapped = (int) Math.min(end, size - start);
        MemorySegment.copy(data, JAVA_BYTE, start, records, 0, unwrapped);
        MemorySegment.copy(data, JAVA_BYTE, 0, records, unwrapped, end - unwrapped);
        consumer += end;
        POSITION.setRelease(consumerPage, 0L, consumer); // pairs with smp_load_acquire(&rb->consumer_pos)
        return !fits;
    }

    /** Reads the next of the samples copied into the event; false when it has read them all. */
    boolean next(Event event) {
        while (next < end) {
            int header = headers.getInt(next), sample = next + BPF_RINGBUF_HDR_SZ;
            next += recordSize(header);
            if (isDiscarded(header)) continue; // a record that only carried a wake-up
            event.read(records, sample, sampleSize(header));
            return true;
        }
        return false;
    }

    private static boolean isBusy(int header) { return (header & BPF_RINGBUF_BUSY_BIT) != 0; }
    private static boolean isDiscarded(int header) { return (header & BPF_RINGBUF_DISCARD_BIT) != 0; }
    private static int sampleSize(int header) { return header & ~BPF_RINGBUF_DISCARD_BIT; }
    private static int recordSize(int header) { return BPF_RINGBUF_HDR_SZ + sampleSize(header) + 7 & ~7; }

    @Override public void close() {
        Kernel.munmap(producerPage);
        Kernel.munmap(consumerPage);
        Kernel.close(fd);
    }
}

// §5 ── The line ─────────────────────────────────────────────────────────────────────────────────────────────────────
// From events to lines of JSON in bytes. Strict JSON, whatever a process calls itself.
//
// Hot path, but for a cgroup that is seen for the first time, and the first line of each second.

final class Json {
    // The longest line: two cgroup paths and a command line of nothing but escapes, six bytes for one.
    private static final int LINE_MAX = 6 * (2 * Cgroups.PATH_MAX + Event.CMDLINE_MAX) + 2048;

    /** Whole lines, that many, in that many bytes: until clear(). */
    final byte[] text = new byte[Backlog.BLOCK_SIZE];
    int lines, size;
    private int at; // in the line that is being written, which starts at size

    private final boolean brief;
    private final Cgroups cgroups = new Cgroups();
    private final Memo target = new Memo(), sender = new Memo();
    private long clock;  // CLOCK_REALTIME - CLOCK_MONOTONIC, ns
    private long second; // the one that date holds
    private byte[] date = {};

    /** The keys, each after its comma: an object's first one has a brace put over it. */
    private enum Key {
        PID, SIGNR, SIGNAL, TIME, COMM, TGID, UID, CGROUP, CAUSE, CODE, RESULT, GROUP, STATUS, ADDR, SYSCALL, ARCH,
        VALUE, SENDER, CONTEXT, TID, CMDLINE, PPID, PARENT, DROPPED;

        final byte[] json = ascii(",\"" + name().toLowerCase(Locale.ROOT) + "\":");
    }

    private static final byte[] TRUE = ascii("true"), FALSE = ascii("false");
    private static final byte[] ELLIPSIS = "…".getBytes(UTF_8);

    Json(boolean brief) { this.brief = brief; }

    /** Before each batch: notices a clock that was set. Differences below a millisecond are the measurement's own. */
    void setClock() {
        long before = System.nanoTime();
        Instant now = Instant.now();
        long after = System.nanoTime(), offset = now.getEpochSecond() * 1_000_000_000 + now.getNano() - after;
        boolean interrupted = after - before > 100_000 && clock != 0;
        if (!interrupted && Math.abs(offset - clock) > 1_000_000) clock = offset;
    }

    /** When it was sent, ns since the epoch. */
    long time(Event event) { return event.u64(Event.TIME) + clock; }

    boolean hasRoom() { return text.length - size >= LINE_MAX; }
    void clear() { lines = size = at = 0; }

    /** Writes the event's line. */
    void encode(Event event) {
        put(Key.PID).number(event.u32(Event.PID)).put(Key.SIGNR).number(event.u32(Event.SIGNR));
        if (!brief) {
            Cause cause = event.cause();
            signal(event, cause);
            carried(event, cause);
            sender(event, cause);
        }
        end();
    }

    /** Writes the line that tells of signals unrecorded. */
    void encodeDropped(long signals) {
        put(Key.DROPPED).number(signals);
        end();
    }

    private void end() {
        text[size] = '{';
        text[at++] = '}';
        text[at++] = '\n';
        size = at;
        lines++;
    }

    private void signal(Event event, Cause cause) {
        int signr = event.u32(Event.SIGNR), code = event.u32(Event.SI_CODE), result = event.u32(Event.RESULT);
        put(Key.SIGNAL).nameOr(Signal.name(signr), signr).put(Key.TIME).time(time(event));
        if (target.differs(event, Event.TGID, Event.COMM + Event.COMM_SIZE)) target(event);
        put(target.text, target.size).put(Key.CAUSE).put(cause.json);
        put(Key.CODE).nameOr(Signal.code(signr, code, cause), code);
        put(Key.RESULT).nameOr(Signal.result(result), result);
        put(Key.GROUP).put(event.flag(Event.GROUP) ? TRUE : FALSE);
    }

    private void target(Event event) {
        int start = at;
        put(Key.COMM).name(event, Event.COMM).put(Key.TGID).number(event.u32(Event.TGID));
        put(Key.UID).number(event.u32(Event.UID) & 0xFFFF_FFFFL);
        cgroup(event.u64(Event.CGROUP));
        at = target.keep(text, start, at);
    }

    /** What this kind of signal carries: where the kernel's siginfo has it, and only there. */
    private void carried(Event event, Cause cause) {
        int code = event.u32(Event.SI_CODE);
        switch (cause) {
            case CHILD -> put(Key.STATUS).number(event.u32(Event.SI_STATUS));
            case SECCOMP -> put(Key.SYSCALL).number(event.u32(Event.SI_SYSCALL))
                .put(Key.ARCH).put(Signal.arch(event.u32(Event.SI_ARCH)));
            default -> {
                if (cause == Cause.FAULT && code != Signal.SI_KERNEL) put(Key.ADDR).hex(event.u64(Event.SI_ADDR));
                if (Signal.hasValue(code)) put(Key.VALUE).number(Signal.value(event.u64(Event.SI_VALUE)));
            }
        }
    }

    /** Who sent it, or who just ran. */
    private void sender(Event event, Cause cause) {
        put(cause.sent ? Key.SENDER : Key.CONTEXT);
        if (sender.differs(event, Event.SENDER_PID, Event.SENDER_CMDLINE + event.cmdlineSize())) sender(event);
        put(sender.text, sender.size);
    }

    private void sender(Event event) {
        int start = at;
        put(Key.PID).number(event.u32(Event.SENDER_PID)).put(Key.TID).number(event.u32(Event.SENDER_TID));
        put(Key.UID).number(event.u32(Event.SENDER_UID) & 0xFFFF_FFFFL);
        put(Key.COMM).name(event, Event.SENDER_COMM);
        cmdline(event);
        put(Key.PPID).number(event.u32(Event.SENDER_PPID)).put(Key.PARENT).name(event, Event.SENDER_PARENT);
        cgroup(event.u64(Event.SENDER_CGROUP));
        text[start] = '{';
        text[at++] = '}';
        at = sender.keep(text, start, at);
    }

    private void cgroup(long id) {
        byte[] path = cgroups.path(id);
        if (path.length > 0) put(Key.CGROUP).string(path, 0, path.length);
    }

    /** Arguments end in NUL each: a space stands between them here. A command line that was cut ends in an ellipsis. */
    private void cmdline(Event event) {
        int end = event.cmdlineEnd();
        if (end == Event.SENDER_CMDLINE) return;
        put(Key.CMDLINE).string(event.sample, Event.SENDER_CMDLINE, end);
        boolean cut = event.u64(Event.CMDLINE_SIZE) > Event.CMDLINE_MAX;
        if (!cut || end < Event.SENDER_CMDLINE + Event.CMDLINE_MAX - 1) return; // or a short title over a long argv
        at--;
        put(ELLIPSIS);
        text[at++] = '"';
    }

    private Json name(Event event, int from) { return string(event.sample, from, event.nameEnd(from)); }

    private Json put(Key key) { return put(key.json, key.json.length); }
    private Json put(byte[] text) { return put(text, text.length); }

    private Json put(byte[] text, int size) {
        System.arraycopy(text, 0, this.text, at, size);
        at += size;
        return this;
    }

    private Json nameOr(byte[] name, long number) { return name != null ? put(name) : number(number); }

    private Json number(long n) {
        if (n < 0) text[at++] = '-';
        int start = at;
        for (; n != (int) n; n /= 10) digit((int) (n % 10)); // C1 calls a function to divide a long
        int rest = (int) n;
        do digit(rest % 10); while ((rest /= 10) != 0);
        for (int i = start, j = at - 1; i < j; i++, j--) {
            byte last = text[j];
            text[j] = text[i];
            text[i] = last;
        }
        return this;
    }

    private void digit(int digit) { text[at++] = (byte) ('0' + Math.abs(digit)); }

    /** An address, as a string: JSON's numbers are doubles to many readers. */
    private Json hex(long n) { return put(ascii("\"0x" + Long.toHexString(n) + "\"")); }

    /** RFC 3339 in UTC, with all nine digits of the nanoseconds. */
    private Json time(long nanoseconds) {
        long now = Math.floorDiv(nanoseconds, 1_000_000_000L);
        if (now != second || date.length == 0) {
            second = now;
            date = ascii("\"" + utc(now) + ".");
        }
        put(date);
        int rest = (int) (nanoseconds - now * 1_000_000_000);
        for (int i = 9; i > 0; rest /= 10) text[at + --i] = (byte) ('0' + rest % 10);
        at += 9;
        text[at++] = 'Z';
        text[at++] = '"';
        return this;
    }

    /**
     * A JSON string of a process's bytes. What is not UTF-8 becomes U+FFFD, a NUL a space. Control characters are
     * escaped, those that JSON would allow too: they are to reach no terminal.
     */
    private Json string(byte[] bytes, int from, int end) {
        StringBuilder text = new StringBuilder().append('"');
        for (char c : new String(bytes, from, end - from, UTF_8).replace('\0', ' ').toCharArray()) {
            if (c == '"' || c == '\\') text.append('\\').append(c);
            else if (Character.isISOControl(c)) text.append("\\u").append(HexFormat.of().toHexDigits(c));
            else text.append(c);
        }
        return put(text.append('"').toString().getBytes(UTF_8));
    }

    /** Such as {@code 2026-11-22T19:54:02}. */
    static String utc(long second) {
        LocalDate day = LocalDate.ofEpochDay(Math.floorDiv(second, 86_400));
        int time = (int) Math.floorMod(second, 86_400L);
        return day + "T" + two(time / 3600) + ":" + two(time / 60 % 60) + ":" + two(time % 60);
    }

    static String two(int n) { return n < 10 ? "0" + n : "" + n; }
    private static byte[] ascii(String text) { return text.getBytes(ISO_8859_1); }
}

/** The text of a part of the record: it serves again while that part stays the same, as it does in a storm. */
final class Memo {
    private final byte[] part = new byte[Event.SIZE];
    private int partSize;
    byte[] text = {};
    int size;

    boolean differs(Event event, int from, int to) {
        if (Arrays.equals(event.sample, from, to, part, 0, partSize)) return false;
        partSize = to - from;
        System.arraycopy(event.sample, from, part, 0, partSize);
        return true;
    }

    /** Takes the text out of the line, from start to end; returns start. */
    int keep(byte[] line, int start, int end) {
        size = end - start;
        if (text.length < size) text = new byte[size];
        System.arraycopy(line, start, text, 0, size);
        return start;
    }
}

/**
 * Paths of cgroups by their ids. An id is the inode number of the cgroup's folder and never used again, so an entry
 * never goes stale; the newest id takes the slot of an older one.
 */
final class Cgroups {
    static final int PATH_MAX = 4096;
    private static final int SLOTS = 1024, FILEID_KERNFS = 0xFE; // include/linux/exportfs.h
    private static final byte[] UNKNOWN = {};

    private final long[] ids = new long[SLOTS];
    private final byte[][] paths = new byte[SLOTS][];
    private final byte[] mount = mount();
    private final int mountFd = mount.length > 0 ? Kernel.open(mount) : -1;

    /** Such as {@code /system.slice/cron.service}; empty where it cannot be told. */
    byte[] path(long id) {
        int slot = (int) id & SLOTS - 1;
        if (ids[slot] == id && paths[slot] != null) return paths[slot];
        byte[] path = mountFd < 0 ? UNKNOWN : resolve(id);
        if (path == null) return UNKNOWN;
        ids[slot] = id;
        return paths[slot] = path;
    }

    /** By the file handle that the id is: one look-up, where a walk would read every folder. Null: try again. */
    private byte[] resolve(long id) {
        int fd = Kernel.openByHandle(mountFd, FILEID_KERNFS, id);
        if (fd == -Kernel.EMFILE) return null;
        if (fd < 0) return UNKNOWN; // ESTALE: it is gone; EPERM: CAP_DAC_READ_SEARCH is not ours
        byte[] path = Kernel.pathOf(fd, PATH_MAX);
        Kernel.close(fd);
        if (path.length == mount.length) return new byte[] {'/'};
        return Arrays.copyOfRange(path, Math.min(path.length, mount.length), path.length);
    }

    /** Where cgroup v2 is mounted: /sys/fs/cgroup, or beside v1 at a place such as /sys/fs/cgroup/unified. */
    private static byte[] mount() {
        try {
            for (String line : Files.readString(Path.of("/proc/self/mountinfo"), ISO_8859_1).split("\n"))
                if (line.contains(" - cgroup2 ")) return line.split(" ")[4].getBytes(ISO_8859_1);
        } catch (IOException e) {
            Log.warn("/proc/self/mountinfo: " + e.getMessage() + "; lines will not tell cgroups");
        }
        return UNKNOWN;
    }
}

/**
 * The same signals for a person, on standard output: columns that are as wide as what has stood in them so far, cut to
 * the terminal's width where there is one.
 */
final class Table implements AutoCloseable {
    private static final String RED = "\u001b[1;31m", YELLOW = "\u001b[33m", BOLD = "\u001b[1m", PLAIN = "\u001b[0m";
    private static final String ELLIPSIS = Output.CHARSET.newEncoder().canEncode('…') ? "…" : "~"; // in ASCII, LC_ALL=C
    private static final int COLUMN_MAX = 24, COMMAND_MIN = 12, USERS = 1024;

    private final boolean terminal = Kernel.columns(Output.STDOUT) > 0;
    private final boolean colour = terminal && System.getenv().getOrDefault("NO_COLOR", "").isEmpty()
        && !"dumb".equals(System.getenv("TERM"));
    private final int[] widths = {12, 2, 6, 15, 15}; // of the columns before the last one
    private final ZoneId zone = ZoneId.systemDefault();
    private final Map<Integer, String> users = new HashMap<>(); // that many at most
    private final Output output;

    Table(Stop stop) {
        output = new Output(stop);
        row(BOLD, "", "TIME", "", "SIGNAL", "TARGET", "CAUSE", "SENDER");
    }

    void add(Event event, long time) {
        if (!output.hasRoom()) return;
        Cause cause = event.cause();
        int signr = event.u32(Event.SIGNR), result = event.u32(Event.RESULT);
        boolean ignored = result == Signal.TRACE_SIGNAL_IGNORED, report = cause == Cause.CHILD && tellsOfDeath(event);
        boolean death = report || signr == Signal.SIGKILL && !ignored;
        boolean danger = (Signal.FATAL & Signal.bit(signr)) != 0 && !ignored;

        String why = why(event, cause) + result(result), sender = sender(event);
        String command = command(event);
        if (!cause.sent) {
            command = "(" + command;
            sender += ")";
        }
        row(death ? RED : danger ? YELLOW : "", sender, clock(time), death ? "!!" : danger ? "!" : "",
            Signal.shortName(signr), target(event), why, command);
    }

    void addDropped(long signals) {
        output.print("-- " + signals + " signals are missing: the ring buffer was full\n");
    }

    private static boolean tellsOfDeath(Event event) {
        int code = event.u32(Event.SI_CODE);
        return code == Signal.CLD_KILLED || code == Signal.CLD_DUMPED;
    }

    /** Local time: {@code 19:54:02.123}. */
    private String clock(long time) {
        LocalTime at = Instant.ofEpochSecond(time / 1_000_000_000, time % 1_000_000_000).atZone(zone).toLocalTime();
        int ms = at.getNano() / 1_000_000;
        return Json.two(at.getHour()) + ":" + Json.two(at.getMinute()) + ":" + Json.two(at.getSecond()) + "."
            + ms / 100 + Json.two(ms % 100);
    }

    /** {@code java[671]}, or {@code java[671/698]} if it is for one of its other threads. */
    private static String target(Event event) {
        int pid = event.u32(Event.PID), tgid = event.u32(Event.TGID);
        return name(event, Event.COMM) + "[" + tgid + (pid == tgid ? "" : "/" + pid) + "]";
    }

    private static String why(Event event, Cause cause) {
        int signr = event.u32(Event.SIGNR), code = event.u32(Event.SI_CODE);
        return switch (cause) {
            case KILL -> "kill";
            case TKILL -> event.forRunningThread() ? "raise" : "tgkill";
            case QUEUE -> "sigqueue " + Signal.value(event.u64(Event.SI_VALUE));
            case CHILD -> "child " + report(code, event.u32(Event.SI_STATUS));
            case CGROUP -> "cgroup.kill";
            case PDEATH -> "its parent died";
            case TIMER -> "timer";
            case FAULT -> "fault" + (code == Signal.SI_KERNEL ? "" : " at " + hex(event.u64(Event.SI_ADDR)));
            case SECCOMP -> "seccomp, system call " + event.u32(Event.SI_SYSCALL);
            case IO -> "input or output";
            case TTY -> "terminal";
            case PIPE -> "broken pipe";
            case RLIMIT -> signr == Signal.SIGXFSZ ? "file size limit" : "CPU time limit";
            case OOM -> "out of memory";
            case KERNEL -> "kernel";
        };
    }

    private static String hex(long n) { return "0x" + Long.toHexString(n); }

    private static String report(int code, int status) {
        return switch (code) {
            case Signal.CLD_EXITED -> "exited " + status;
            case Signal.CLD_KILLED -> "killed by " + Signal.shortName(status);
            case Signal.CLD_DUMPED -> "dumped core, " + Signal.shortName(status);
            case Signal.CLD_TRAPPED -> "trapped";
            case Signal.CLD_STOPPED -> "stopped by " + Signal.shortName(status);
            default -> "continued";
        };
    }

    private static String result(int result) {
        return switch (result) {
            case Signal.TRACE_SIGNAL_DELIVERED -> "";
            case Signal.TRACE_SIGNAL_IGNORED -> ", ignored";
            case Signal.TRACE_SIGNAL_ALREADY_PENDING -> ", pending";
            case Signal.TRACE_SIGNAL_OVERFLOW_FAIL -> ", not sent: overflow";
            case Signal.TRACE_SIGNAL_LOSE_INFO -> ", without its siginfo";
            default -> ", result " + result;
        };
    }

    private static String command(Event event) {
        int end = event.cmdlineEnd();
        return end == Event.SENDER_CMDLINE ? name(event, Event.SENDER_COMM) : text(event, Event.SENDER_CMDLINE, end);
    }

    private String sender(Event event) {
        int pid = event.u32(Event.SENDER_PID), parent = event.u32(Event.SENDER_PPID);
        if (users.size() == USERS) users.clear();
        return " [" + pid + "], " + users.computeIfAbsent(event.u32(Event.SENDER_UID), Table::user)
            + (parent == 0 ? "" : ", from " + name(event, Event.SENDER_PARENT) + "[" + parent + "]");
    }

    /** The first of that number in passwd(5); the number where there is none. */
    private static String user(int uid) {
        String number = Integer.toUnsignedString(uid);
        try {
            for (String line : Files.readString(Path.of("/etc/passwd"), ISO_8859_1).split("\n")) {
                String[] fields = line.split(":");
                if (fields.length > 2 && fields[2].equals(number)) return fields[0];
            }
        } catch (IOException e) {
            Log.debug("/etc/passwd: " + e.getMessage());
        }
        return number;
    }

    private static String name(Event event, int from) { return text(event, from, event.nameEnd(from)); }

    /** For a terminal: without what would move its cursor, or turn its text around, or stand there unseen. */
    private static String text(Event event, int from, int end) {
        StringBuilder text = new StringBuilder();
        new String(event.sample, from, end - from, UTF_8).replace('\0', ' ').codePoints().forEach(c -> {
            if (isHarmless(c)) text.appendCodePoint(c);
            else text.append(String.format("\\u%04x", c));
        });
        return text.toString();
    }

    private static boolean isHarmless(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED,
                Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }

    /** The last cell and what follows it are not aligned: of the two, the last cell is cut first. */
    private void row(String style, String rest, String... cells) {
        StringBuilder line = new StringBuilder();
        int last = cells.length - 1, room = terminal ? Kernel.columns(Output.STDOUT) : Integer.MAX_VALUE, used = 0;
        for (int i = 0; i < last; i++) {
            int columns = columns(cells[i]);
            widths[i] = Math.max(widths[i], Math.min(columns, COLUMN_MAX));
            line.append(cells[i]).repeat(' ', Math.max(0, widths[i] - columns) + 1);
            used += Math.max(widths[i], columns) + 1;
        }
        line.append(cut(cells[last], Math.max(COMMAND_MIN, room - used - columns(rest)))).append(rest);
        String text = cut(line.toString(), room);
        output.print(colour && !style.isEmpty() ? style + text + PLAIN + "\n" : text + "\n");
    }

    private static String cut(String text, int room) {
        if (columns(text) <= room) return text;
        int end = 0;
        for (int left = room - 1; end < text.length() && (left -= columns(text.codePointAt(end))) >= 0;)
            end = text.offsetByCodePoints(end, 1);
        return text.substring(0, end) + ELLIPSIS;
    }

    private static int columns(String text) { return text.codePoints().map(Table::columns).sum(); }

    /** What a terminal gives to a character: two columns to East Asia's and to emoji, none to accents of their own. */
    private static int columns(int c) {
        int type = Character.getType(c);
        if (type == Character.NON_SPACING_MARK || type == Character.ENCLOSING_MARK) return 0;
        boolean wide = c >= 0x1100 && c <= 0x115F || c >= 0x2E80 && c <= 0xA4CF || c >= 0xAC00 && c <= 0xD7A3
            || c >= 0xF900 && c <= 0xFAFF || c >= 0xFE30 && c <= 0xFE6F || c >= 0xFF00 && c <= 0xFF60
            || c >= 0xFFE0 && c <= 0xFFE6 || c >= 0x1F300 && c <= 0x1FAFF || c >= 0x20000 && c <= 0x3FFFD;
        return wide ? 2 : 1;
    }

    @Override public void close() { output.close(); }
}

/** Standard output, and the thread that writes to it: whoever does not read there is to hold up nobody else. */
final class Output extends Thread implements AutoCloseable {
    static final Charset CHARSET = Charset.forName(System.getProperty("stdout.encoding", "UTF-8"));
    private static final String END = ""; // no line is empty
    static final int STDOUT = 1;
    private static final int LINES = 1024, BATCH = 64 << 10;
    private static final long PATIENCE = 300; // with whoever is to read the last lines, ms

    private final BlockingQueue<String> waiting = new ArrayBlockingQueue<>(LINES);
    private final AtomicLong lost = new AtomicLong(); // lines that found it full, and not yet told
    private final Stop stop;
    private volatile int errno;

    Output(Stop stop) {
        this.stop = stop;
        setDaemon(true);
        start();
    }

    /** If it has none, the line counts as lost. */
    boolean hasRoom() {
        boolean room = waiting.remainingCapacity() > 0;
        if (!room) lost.incrementAndGet();
        return room;
    }

    void print(String line) {
        if (!waiting.offer(line)) lost.incrementAndGet();
    }

    @Override public void run() {
        try {
            StringBuilder batch = new StringBuilder();
            String line;
            do {
                line = waiting.take();
                batch.append(line);
                if (batch.length() < BATCH && !waiting.isEmpty()) continue;
                long missing = lost.getAndSet(0);
                if (missing > 0) batch.append("-- " + missing + " lines are missing: this output is read too slowly\n");
                write(batch.toString().getBytes(CHARSET));
                batch.setLength(0);
            } while (!line.equals(END) && errno == 0);
        } catch (InterruptedException e) {
            throw new AssertionError("nobody interrupts it", e);
        }
    }

    /** By write(2) itself: java.io tells what went wrong in the words of the user's language. */
    private void write(byte[] bytes) throws InterruptedException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment left = arena.allocate(bytes.length).copyFrom(MemorySegment.ofArray(bytes));
            while (left.byteSize() > 0) {
                long result = Kernel.write(STDOUT, left);
                if (result >= 0) {
                    left = left.asSlice(result);
                } else if (result == -Kernel.EAGAIN) { // somebody made it non-blocking
                    sleep(1);
                } else if (result != -Kernel.EINTR) {
                    errno = (int) -result;
                    stop.request();
                    return;
                }
            }
        }
    }

    /** A reader that has seen enough, as head(1) has, is no error. */
    @Override public void close() {
        try {
            if (waiting.offer(END, PATIENCE, TimeUnit.MILLISECONDS)) join(PATIENCE);
        } catch (InterruptedException e) {
            throw new AssertionError("nobody interrupts it", e);
        }
        if (errno != 0 && errno != Kernel.EPIPE) throw new Failure("standard output", Kernel.errnoName(errno), "");
    }
}

// §6 ── The socket ───────────────────────────────────────────────────────────────────────────────────────────────────
// Every line is written once, into the backlog; each client walks through the backlog at its own pace. One that falls
// too far behind misses whole lines, and reads how many.

/** The newest lines, in blocks of whole lines: what is appended overwrites the oldest block. */
final class Backlog {
    static final int BLOCK_SIZE = 256 << 10;
    private static final int BLOCKS = 64; // 16 MiB at most, allocated as they are needed

    private final ByteBuffer[] blocks = new ByteBuffer[BLOCKS]; // block n in slot n % BLOCKS, up to its position
    private final int[] lines = new int[BLOCKS];                // in each of them
    long head;                                                  // the block that is written to

    Backlog() { clear(0); }

    private static int slot(long number) { return (int) (number % BLOCKS); }
    ByteBuffer block(long number) { return blocks[slot(number)]; }
    int lines(long number) { return lines[slot(number)]; }
    boolean hasRoom(int size) { return block(head).remaining() >= size; }

    void append(Json batch) {
        block(head).put(batch.text, 0, batch.size);
        lines[slot(head)] += batch.lines;
    }

    /** The block that advance() overwrites. */
    long oldest() { return head + 1 - BLOCKS; }

    void advance() { clear(slot(++head)); }

    /** Once everybody has every line, the same block serves again: it is warm, and no other is needed. */
    void rewind() { clear(slot(head)); }

    private void clear(int slot) {
        if (blocks[slot] == null) blocks[slot] = ByteBuffer.allocateDirect(BLOCK_SIZE);
        blocks[slot].clear();
        lines[slot] = 0;
    }
}

/** One connection: where it stands in the backlog, and what it has missed. */
final class Client implements AutoCloseable {
    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

    final int fd;
    boolean readable = true; // until it closes its half; then it still receives (nc -N)
    boolean full;            // its socket takes no more for now

    private final AFUNIXSocketChannel channel;
    private final Backlog backlog;
    private long block;      // the next byte to send is in this block,
    private int offset;      // at this place
    private long lost;       // lines overwritten before they were sent, not yet told
    private ByteBuffer pending = NOTHING; // goes first: the rest of a line whose block was overwritten, or {"lost":n}

    Client(AFUNIXSocketChannel channel, Backlog backlog) throws IOException {
        this.channel = channel;
        this.backlog = backlog;
        channel.configureBlocking(false);
        fd = Listener.fd(channel.getFileDescriptor());
        block = backlog.head;
        offset = backlog.block(block).position();
    }

    /** Sends all there is, or as much as the socket takes. */
    void send() throws IOException {
        for (full = false; !full;) {
            if (!pending.hasRemaining() && lost > 0) {
                pending = ByteBuffer.wrap(("{\"lost\":" + lost + "}\n").getBytes(ISO_8859_1));
                lost = 0;
            }
            ByteBuffer bytes = pending.hasRemaining() ? pending : unsent();
            if (bytes.hasRemaining()) {
                int sent = channel.write(bytes);
                if (bytes != pending) offset += sent;
                full = bytes.hasRemaining();
            } else if (block < backlog.head) {
                block++;
                offset = 0;
            } else {
                return;
            }
        }
    }

    private ByteBuffer unsent() { return backlog.block(block).duplicate().flip().position(offset); }

    boolean hasAll() {
        return block == backlog.head && offset == backlog.block(block).position() && !pending.hasRemaining();
    }

    /** The backlog uses its one block again. */
    void rewind() { offset = 0; }

    /** Before the oldest block is overwritten: who still stands in it keeps the line begun and misses the rest. */
    void leaveBlock(long oldest) {
        if (block != oldest) return;
        ByteBuffer bytes = backlog.block(oldest);
        int next = offset;
        while (next > 0 && bytes.get(next - 1) != '\n') next++;
        if (next > offset) {
            pending = ByteBuffer.allocate(next - offset);
            bytes.get(offset, pending.array());
        }
        if (next == 0) lost += backlog.lines(oldest);
        else for (int i = next; i < bytes.position(); i++) if (bytes.get(i) == '\n') lost++;
        block++;
        offset = 0;
    }

    /** Throws away what the client writes. */
    void read(ByteBuffer scratch) throws IOException { readable = channel.read(scratch.clear()) >= 0; }

    @Override public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            Log.warn("closing client " + fd + ": " + e.getMessage());
        }
    }
}

/** The listening socket, and the file that it is. */
final class Listener implements AutoCloseable {
    private static final int QUEUE = 128, SUN_PATH_MAX = 107; // bytes, without the NUL
    private static final int S_IFMT = 0170000, S_IFSOCK = 0140000, S_ISVTX = 01000, S_IWGRP_IWOTH = 022;

    final int fd;
    private final AFUNIXServerSocketChannel bound, accepting; // of the same socket
    private final Path path;
    private final Object inode; // of the socket at path: what others put there later is not ours to delete

    private Listener(AFUNIXServerSocketChannel bound, Path path, Object inode) throws IOException {
        this.bound = bound;
        this.path = path;
        this.inode = inode;
        // One that knows nothing of bind(2)'s path: junixsocket refuses to accept once that path is gone.
        accepting = FileDescriptorCast.using(bound.getFileDescriptor()).as(AFUNIXServerSocketChannel.class);
        fd = fd(bound.getFileDescriptor());
    }

    private static final FutureTask<Void> JUNIXSOCKET = new FutureTask<>(new Callable<>() { // a lambda costs the start
        @Override public Void call() throws IOException {
            loadJunixsocket();
            return null;
        }
    });

    /** junixsocket takes as long to load as all the rest of the start: so it loads meanwhile, from the very first. */
    static void preload() {
        Thread loader = new Thread(JUNIXSOCKET);
        loader.setDaemon(true);
        loader.start();
    }

    /** It unpacks its native library for a moment: in a folder that no other user can enter, whatever the umask is. */
    private static void loadJunixsocket() throws IOException {
        String place = isNoexec(Path.of(System.getProperty("java.io.tmpdir"))) ? "user.home" : "java.io.tmpdir";
        Path folder = Path.of(System.getProperty(place)).toRealPath();
        checkOwner(folder, place + " " + folder);
        if (isNoexec(folder))
            throw new Failure(place + " " + folder, "EACCES", "it is mounted noexec, as is java.io.tmpdir");
        Path room = makeRoom(folder);
        System.setProperty("org.newsclub.net.unix.library.tmpdir", room.toString());
        try (AFUNIXServerSocketChannel channel = AFUNIXServerSocketChannel.open()) {
            fd(channel.getFileDescriptor());
        } finally {
            Files.delete(room);
        }
    }

    /** From a file system that is mounted noexec no library can be loaded. */
    private static boolean isNoexec(Path folder) throws IOException {
        String real = folder.toRealPath() + "/", mountPoint = "", options = "";
        for (String line : Files.readString(Path.of("/proc/self/mountinfo"), ISO_8859_1).split("\n")) {
            String[] fields = line.split(" ");
            boolean below = fields[4].equals("/") || real.startsWith(fields[4] + "/");
            if (!below || fields[4].length() < mountPoint.length()) continue;
            mountPoint = fields[4];
            options = fields[5];
        }
        return options.contains("noexec");
    }

    private static void awaitJunixsocket() {
        String what = "loading junixsocket's native library", hint = "java.io.tmpdir, "
            + System.getProperty("java.io.tmpdir") + ", is to be writable, or user.home where it is mounted noexec";
        try {
            JUNIXSOCKET.get();
        } catch (InterruptedException e) {
            throw new Failure(what, "EINTR", "");
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Failure failure) throw failure;
            if (e.getCause() instanceof IOException failure) throw Failure.of(what, failure, hint);
            if (e.getCause() instanceof LinkageError) throw new Failure(what, "EACCES", hint);
            throw new AssertionError(e);
        }
    }

    private static Path makeRoom(Path folder) throws IOException {
        Path room = folder.resolve(".signals-" + Long.toString(System.nanoTime(), 36));
        return Files.createDirectory(room, PosixFilePermissions.asFileAttribute(mode("rwx------")));
    }

    /**
     * Binds inside a folder that no other user can enter, sets mode and group there, and only then gives the socket
     * its name with link(2), which never replaces anything. So there is no instant at which another user can connect.
     */
    static Listener open(Options options) {
        String what = "unix socket " + options.socket;
        try {
            Path absolute = options.socket.toAbsolutePath(), name = absolute.getFileName();
            if (name == null) throw new Failure(what, "EISDIR", "give a --socket PATH in a folder");
            Path folder = absolute.getParent().toRealPath(), path = folder.resolve(name);
            if (length(path) > SUN_PATH_MAX) throw new Failure(what, "ENAMETOOLONG", "a shorter path is needed");
            checkOwner(folder, what);
            awaitJunixsocket();
            removeStale(path, what);
            Path room = makeRoom(folder), socket = room.resolve("s");
            try {
                if (length(socket) > SUN_PATH_MAX) throw new Failure(what, "ENAMETOOLONG", "a shorter path is needed");
                AFUNIXServerSocketChannel channel = bind(socket, options.group, what);
                Listener listener = new Listener(channel, path, inode(socket));
                Files.createLink(path, socket);
                return listener;
            } finally {
                Files.deleteIfExists(socket);
                Files.delete(room);
            }
        } catch (IOException e) {
            throw Failure.of(what, e, (e instanceof NoSuchFileException ? "that folder does not exist"
                : "can this process write in that folder?") + "; --socket PATH chooses another");
        }
    }

    private static AFUNIXServerSocketChannel bind(Path socket, String group, String what) throws IOException {
        AFUNIXServerSocketChannel channel = AFUNIXServerSocketChannel.open();
        channel.configureBlocking(false);
        channel.bind(AFUNIXSocketAddress.of(socket), QUEUE);
        try {
            var groups = socket.getFileSystem().getUserPrincipalLookupService();
            if (group != null && group.startsWith("-")) throw new UserPrincipalNotFoundException(group); // Java: -1
            if (group != null) Files.setAttribute(socket, "posix:group", groups.lookupPrincipalByGroupName(group));
        } catch (UserPrincipalNotFoundException e) {
            throw new Failure(what, "ENOENT", "there is no group " + group + "; getent group lists them");
        }
        Files.setPosixFilePermissions(socket, mode(group == null ? "rw-------" : "rw-rw----"));
        return channel;
    }

    /** Only root and this user may rename what is in the folder: else a socket could be swapped, or be made a link. */
    private static void checkOwner(Path folder, String what) throws IOException {
        int uid = (int) Files.getAttribute(folder, "unix:uid"), mode = (int) Files.getAttribute(folder, "unix:mode");
        boolean ours = uid == 0 || uid == (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        if (!ours || (mode & S_IWGRP_IWOTH) != 0 && (mode & S_ISVTX) == 0)
            throw new Failure(what, "EPERM", "other users can write in that folder; --socket PATH chooses another");
    }

    /** Clears a socket that nobody listens at any more out of the way. Whatever else stands there is not touched. */
    private static void removeStale(Path path, String what) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) return;
        if (((int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS) & S_IFMT) != S_IFSOCK)
            throw new Failure(what, "EEXIST", "what stands there is no socket: move it, or give another --socket PATH");
        String other = "another program";
        try (AFUNIXSocketChannel channel = AFUNIXSocketChannel.open()) {
            channel.configureBlocking(false); // its queue may be full
            if (channel.connect(AFUNIXSocketAddress.of(path)))
                other = "process " + channel.getPeerCredentials().getPid();
        } catch (ConnectionRefusedSocketException e) {
            Files.delete(path);
            Log.debug("removed the stale socket " + path);
            return;
        } catch (IOException e) {
            Log.debug("connecting to " + path + ": " + e.getMessage());
        }
        throw new Failure(what, "EADDRINUSE", other + " listens there: stop it, or give another --socket PATH");
    }

    private static Set<PosixFilePermission> mode(String mode) { return PosixFilePermissions.fromString(mode); }
    private static int length(Path path) { return path.toString().getBytes(UTF_8).length; }
    private static Object inode(Path path) throws IOException {
        return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).fileKey();
    }
    static int fd(FileDescriptor descriptor) throws IOException {
        return FileDescriptorCast.using(descriptor).as(Integer.class);
    }

    /** The next connection that waits, or null. */
    AFUNIXSocketChannel accept() throws IOException { return accepting.accept(); }

    @Override public void close() {
        try {
            accepting.close();
            bound.close();
            if (inode.equals(inode(path))) Files.delete(path);
        } catch (NoSuchFileException e) {
            Log.debug(path + " was removed by somebody else");
        } catch (IOException e) {
            throw Failure.of("removing unix socket " + path, e, "remove it by hand");
        }
    }
}

/** The clients, and the place where this program sleeps. */
final class Server implements AutoCloseable {
    static final long FOREVER = -1;
    static final int NO_RING = -1; // poll(2) skips a negative fd

    // include/uapi/asm-generic/poll.h; struct pollfd { int fd; short events, revents; }
    private static final int POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16;
    private static final int POLLFD_SIZE = 8, EVENTS = 4, REVENTS = 6;
    private static final long SECOND = 1_000_000_000;

    private final Listener listener;
    private final Backlog backlog = new Backlog();
    private final List<Client> clients = new ArrayList<>();
    private final ByteBuffer scratch = ByteBuffer.allocateDirect(64 << 10);
    private MemorySegment pollfds = MemorySegment.NULL;
    private long acceptFrom = System.nanoTime(); // later than now: file descriptors have run out

    Server(Listener listener) { this.listener = listener; }

    boolean hasClients() { return !clients.isEmpty(); }

    /** Hands these lines to every client. */
    void broadcast(Json batch) {
        if (!clients.isEmpty() && batch.size > 0) {
            if (!backlog.hasRoom(batch.size)) flush();
            if (!backlog.hasRoom(batch.size)) {
                for (int i = 0; i < clients.size(); i++) clients.get(i).leaveBlock(backlog.oldest());
                backlog.advance();
            }
            backlog.append(batch);
        }
        batch.clear();
    }

    /** Sends as much as the clients' sockets take. */
    void flush() {
        boolean delivered = true;
        for (int i = clients.size() - 1; i >= 0; i--) {
            Client client = clients.get(i);
            if (!client.full) attend(client, POLLOUT);
            delivered &= client.hasAll();
        }
        if (!delivered) return;
        backlog.rewind();
        for (int i = 0; i < clients.size(); i++) clients.get(i).rewind();
    }

    /** Sleeps in ppoll(2) until there are records, a client comes, goes or takes more, or until time is up. */
    void poll(long nanoseconds, int stopFd, int ringFd) {
        int count = 3 + clients.size();
        if (pollfds.byteSize() < (long) count * POLLFD_SIZE)
            pollfds = Arena.ofAuto().allocate(2L * count * POLLFD_SIZE, POLLFD_SIZE);
        expect(0, stopFd, POLLIN);
        expect(1, ringFd, POLLIN);
        boolean accepting = System.nanoTime() - acceptFrom >= 0;
        expect(2, accepting ? listener.fd : -1, POLLIN);
        for (int i = 3; i < count; i++) {
            Client client = clients.get(i - 3);
            expect(i, client.fd, (client.readable ? POLLIN : 0) | (client.full ? POLLOUT : 0));
        }
        Kernel.ppoll(pollfds, count, accepting || nanoseconds != FOREVER ? nanoseconds : SECOND);

        for (int i = count - 1; i >= 3; i--) attend(clients.get(i - 3), revents(i));
        if (revents(2) != 0) accept();
    }

    private void expect(int i, int fd, int events) {
        pollfds.set(JAVA_INT, (long) i * POLLFD_SIZE, fd);
        pollfds.set(JAVA_INT, (long) i * POLLFD_SIZE + EVENTS, events); // and no revents yet
    }

    private int revents(int i) { return pollfds.get(JAVA_SHORT, (long) i * POLLFD_SIZE + REVENTS); }

    private void attend(Client client, int revents) {
        try {
            if ((revents & (POLLHUP | POLLERR)) != 0) throw new EOFException("closed by the client");
            if ((revents & POLLIN) != 0) client.read(scratch);
            if ((revents & POLLOUT) != 0) client.send();
        } catch (IOException e) {
            Log.debug("client " + client.fd + " disconnected: " + e.getMessage());
            clients.remove(client);
            client.close();
            acceptFrom = System.nanoTime();
        }
    }

    private void accept() {
        try {
            for (AFUNIXSocketChannel channel; (channel = listener.accept()) != null;) {
                clients.add(new Client(channel, backlog));
                Log.debug("client " + clients.getLast().fd + " connected");
            }
        } catch (IOException e) {
            Log.warn("accepting a client: " + e.getMessage() + "; new ones wait for a second");
            acceptFrom = System.nanoTime() + SECOND;
        }
    }

    @Override public void close() {
        clients.forEach(Client::close);
        listener.close();
    }
}

// §7 ── The object file and the kernel's types ───────────────────────────────────────────────────────────────────────
// Just what signals.bpf.o contains: ELF sections and symbols, one map in BTF's notation, relocations of map addresses
// (R_BPF_64_64) and of struct members (CO-RE). Anything else is refused by name.

/** An object as clang wrote it: sections, symbols, and the progs' instructions, to be relocated. */
final class BpfObject {
    private record Section(String name, int at, int size) { }

    /** {@code value}: where in its section. */
    record Symbol(String section, int value) { }

    private static final int SHDR_SIZE = 64, SYM_SIZE = 24, REL_SIZE = 16, INSN_SIZE = 8; // include/uapi/linux/elf.h
    private static final int EI_CLASS_DATA = 0x0102, ET_REL = 1, EM_BPF = 247;
    private static final int R_BPF_64_64 = 1, LD_IMM_DW = 0x18, ALU64_MOV_K = 0xB7, ALU64_ADD_K = 0x07;
    private static final int LDX_MEM = 0x61, CLASS_MODE = 0xE7; // of any size
    private static final int BPF_PSEUDO_MAP_FD = 1, BPF_PSEUDO_MAP_VALUE = 2, BPF_CORE_FIELD_BYTE_OFFSET = 0;

    /** Of the object that this source was written for: test/build sets it. */
    private static final int CRC = 0x179a32d2;

    static final String ON_SIGNAL = "raw_tp/signal_generate", ON_MARK_VICTIM = "raw_tp/mark_victim";
    private static final Set<String> SECTIONS = Set.of("", ".strtab", ".text", ON_SIGNAL, ".rel" + ON_SIGNAL,
        ON_MARK_VICTIM, ".rel" + ON_MARK_VICTIM, ".rodata", "license", ".bss", ".maps", ".BTF", ".rel.BTF", ".BTF.ext",
        ".rel.BTF.ext", ".llvm_addrsig", ".symtab");

    private final String name;
    private final ByteBuffer file;
    private final List<Section> sections = new ArrayList<>();
    private final Map<String, Symbol> symbols = new HashMap<>();
    private final Btf btf;

    static BpfObject open(String name) {
        try (InputStream in = Signals.class.getResourceAsStream("/" + name)) {
            if (in == null) throw new Failure(name, "ENOENT", "it comes with the jar that jbang builds: run jbang");
            return new BpfObject(name, in.readAllBytes());
        } catch (IOException e) {
            throw Failure.of(name, e, "");
        }
    }

    private BpfObject(String name, byte[] bytes) {
        this.name = name;
        file = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        CRC32 crc = new CRC32();
        crc.update(bytes);
        if ((int) crc.getValue() != CRC) throw new Failure(name, "EBADMSG",
            "it is damaged, or of another version: build it anew with test/build, or jbang cache clear");
        if (file.getInt(0) != 0x464C457F || file.getShort(4) != EI_CLASS_DATA || file.getShort(16) != ET_REL
                || file.getShort(18) != EM_BPF) throw unsupported("a file that is no 64-bit little-endian BPF object");
        readSections();
        readSymbols();
        btf = new Btf(bytes(".BTF"));
    }

    private Failure unsupported(String what) {
        return new Failure(name + ": " + what, "EOPNOTSUPP", "build it from signals.bpf.c with test/build");
    }

    private void readSections() {
        int at = (int) file.getLong(40), count = file.getShort(60), names = file.getShort(62);
        int nameTable = (int) file.getLong(at + names * SHDR_SIZE + 24);
        for (int i = 0; i < count; i++, at += SHDR_SIZE) {
            String section = string(nameTable + file.getInt(at));
            int size = (int) file.getLong(at + 32);
            if (!SECTIONS.contains(section) || section.equals(".text") && size > 0)
                throw unsupported("section " + section);
            sections.add(new Section(section, (int) file.getLong(at + 24), size));
        }
    }

    private void readSymbols() {
        Section table = section(".symtab");
        int names = section(".strtab").at;
        for (int at = table.at; at < table.at + table.size; at += SYM_SIZE) {
            int index = file.getShort(at + 6), value = (int) file.getLong(at + 8);
            if (index > 0) symbols.put(string(names + file.getInt(at)), new Symbol(sections.get(index).name, value));
        }
    }

    private String string(int at) {
        int end = at;
        while (file.get(end) != 0) end++;
        return new String(file.array(), at, end - at, ISO_8859_1);
    }

    private Section section(String name) {
        for (Section section : sections) if (section.name.equals(name)) return section;
        throw unsupported("no section " + name);
    }

    Symbol symbol(String name) {
        Symbol symbol = symbols.get(name);
        if (symbol == null) throw unsupported("no symbol " + name);
        return symbol;
    }

    byte[] bytes(String name) {
        Section section = section(name);
        return Arrays.copyOfRange(file.array(), section.at, section.at + section.size);
    }

    int size(String name) { return section(name).size; }
    byte[] license() { return bytes("license"); }

    /** Sets a variable of .rodata. */
    void set(String name, long value, int size) {
        int at = section(".rodata").at + symbol(name).value;
        if (size == 8) file.putLong(at, value);
        else file.putInt(at, (int) value);
    }

    /** A prog's instructions, with maps' file descriptors and with the running kernel's offsets of members. */
    byte[] relocate(String prog, Map<String, Integer> fds, Btf kernel) {
        ByteBuffer insns = ByteBuffer.wrap(bytes(prog)).order(ByteOrder.LITTLE_ENDIAN);
        relocateMaps(prog, insns, fds);
        relocateMembers(prog, insns, kernel);
        return insns.array();
    }

    /** Where instructions load the address of a map, or of a variable in one. */
    private void relocateMaps(String prog, ByteBuffer insns, Map<String, Integer> fds) {
        Section table = section(".rel" + prog), names = section(".strtab"), syms = section(".symtab");
        for (int at = table.at; at < table.at + table.size; at += REL_SIZE) {
            int insn = (int) file.getLong(at), type = file.getInt(at + 8);
            String name = string(names.at + file.getInt(syms.at + file.getInt(at + 12) * SYM_SIZE));
            Symbol symbol = symbol(name);
            Integer fd = fds.get(symbol.section);
            if (type != R_BPF_64_64 || fd == null || insns.get(insn) != LD_IMM_DW)
                throw unsupported("relocation of type " + type + " to " + name);
            boolean map = symbol.section.equals(".maps");
            int offset = symbol.value + insns.getInt(insn + 4);
            int register = insns.get(insn + 1) & 0x0F;
            insns.put(insn + 1, (byte) (register | (map ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE) << 4));
            insns.putInt(insn + 4, fd);
            if (!map) insns.putInt(insn + INSN_SIZE + 4, offset);
        }
    }

    /** Where instructions step to a member of one of the kernel's structs, or load it. */
    private void relocateMembers(String prog, ByteBuffer insns, Btf kernel) {
        Section ext = section(".BTF.ext");
        int at = ext.at + file.getInt(ext.at + 4) + file.getInt(ext.at + 24); // struct btf_ext_header: core_relo_off
        int end = at + file.getInt(ext.at + 28), size = file.getInt(at);
        at += 4;
        while (at < end) { // struct btf_ext_info_sec, then its struct bpf_core_relo
            boolean its = btf.string(file.getInt(at)).equals(prog);
            int count = file.getInt(at + 4);
            for (at += 8; count > 0; count--, at += size) if (its) relocateMember(at, insns, kernel);
        }
    }

    private void relocateMember(int at, ByteBuffer insns, Btf kernel) {
        int insn = file.getInt(at), struct = file.getInt(at + 4), kind = file.getInt(at + 12);
        String access = btf.string(file.getInt(at + 8));
        if (kind != BPF_CORE_FIELD_BYTE_OFFSET || access.length() != 3 || !access.startsWith("0:"))
            throw unsupported("CO-RE relocation of kind " + kind + " with access " + access);
        int member = access.charAt(2) - '0';
        move(insns, insn, btf.offset(struct, member), kernel.offset(btf.name(struct), btf.memberName(struct, member)));
    }

    private void move(ByteBuffer insns, int insn, int from, int to) {
        int code = insns.get(insn) & 0xFF;
        boolean adds = code == ALU64_MOV_K || code == ALU64_ADD_K, loads = (code & CLASS_MODE) == LDX_MEM;
        if (adds && insns.getInt(insn + 4) == from) insns.putInt(insn + 4, to);
        else if (loads && insns.getShort(insn + 2) == from) insns.putShort(insn + 2, (short) to);
        else throw unsupported("CO-RE relocation of instruction " + Integer.toHexString(code));
    }
}

/** BTF, the types of an object or of the running kernel: include/uapi/linux/btf.h. */
final class Btf implements AutoCloseable {
    private static final int MAGIC = 0xEB9F, KIND_STRUCT = 4, KIND_UNION = 5, KIND_TYPEDEF = 8;

    /** By kind: bytes that follow struct btf_type's twelve, and bytes for each of its vlen. */
    private static final int[] MORE = {0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0};
    private static final int[] MORE_EACH = {0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12};

    private final Part types, strings;
    private int[] starts = new int[4096]; // of the types known so far; number 0 is void
    private int known, next;

    static Btf ofKernel() {
        String path = "/sys/kernel/btf/vmlinux";
        try {
            RandomAccessFile file = new RandomAccessFile(path, "r");
            return new Btf(new Part(file, 0, (int) file.length()));
        } catch (FileNotFoundException e) {
            throw Files.exists(Path.of(path)) ? new Failure(path, "EACCES", "run as a user who can read it: root")
                : new Failure(path, "ENOENT", "this kernel lacks CONFIG_DEBUG_INFO_BTF");
        } catch (IOException e) {
            throw Failure.of(path, e, "");
        }
    }

    /** Nothing is read of it after that. */
    @Override public void close() { types.close(); }

    Btf(byte[] bytes) { this(new Part(bytes)); }

    private Btf(Part all) {
        if ((all.u32(0) & 0xFFFF) != MAGIC) throw new IllegalArgumentException("no BTF"); // struct btf_header
        int size = all.u32(4);
        types = all.part(size + all.u32(8), all.u32(12));
        strings = all.part(size + all.u32(16), all.u32(20));
    }

    /** Part of a file. A kernel's has megabytes, of which a few hundred kilobytes are asked for: only they are read. */
    private static final class Part {
        private static final int STEP = 64 << 10;
        private final RandomAccessFile file;
        private final int start, size;
        private ByteBuffer bytes = ByteBuffer.allocate(0); // its beginning

        Part(RandomAccessFile file, int start, int size) {
            this.file = file;
            this.start = start;
            this.size = size;
        }

        Part(byte[] bytes) {
            this(null, 0, bytes.length);
            this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        }

        void close() {
            try {
                if (file != null) file.close();
            } catch (IOException e) {
                throw Failure.of("/sys/kernel/btf/vmlinux", e, "");
            }
        }

        Part part(int from, int length) {
            return file != null ? new Part(file, start + from, length)
                : new Part(Arrays.copyOfRange(bytes.array(), from, from + length));
        }

        int u32(int at) { return upTo(at + 4).getInt(at); }
        byte u8(int at) { return upTo(at + 1).get(at); }

        boolean equals(int at, byte[] other) {
            return Arrays.equals(upTo(at + other.length).array(), at, at + other.length, other, 0, other.length);
        }

        String string(int from, int to) { return new String(upTo(to).array(), from, to - from, ISO_8859_1); }

        private ByteBuffer upTo(int end) {
            if (end > bytes.limit()) read(end);
            return bytes;
        }

        private void read(int end) {
            if (end > size) throw new IndexOutOfBoundsException("BTF of " + size + " bytes");
            int before = bytes.limit(), now = Math.min(size, Math.max(end, before + Math.max(before, STEP)));
            byte[] more = Arrays.copyOf(bytes.array(), now);
            try {
                file.seek(start + before);
                file.readFully(more, before, now - before);
            } catch (IOException e) {
                throw Failure.of("/sys/kernel/btf/vmlinux", e, "");
            }
            bytes = ByteBuffer.wrap(more).order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    /** Is there a type of this number? Reads on up to it: what is asked for is among a kernel's first thousands. */
    private boolean exists(int id) {
        while (known < id && next < types.size) {
            if (++known == starts.length) starts = Arrays.copyOf(starts, 2 * known);
            starts[known] = next;
            int kind = kind(known);
            if (kind >= MORE.length) throw new Failure("BTF kind " + kind, "EOPNOTSUPP", "Signals does not know it");
            next += 12 + MORE[kind] + MORE_EACH[kind] * vlen(known);
        }
        return id <= known;
    }

    private int start(int id) {
        if (id <= 0 || !exists(id)) throw new IndexOutOfBoundsException("BTF type " + id);
        return starts[id];
    }

    // struct btf_type: name_off, info (vlen: bits 0-15, kind: 24-28, kind_flag: 31), type or size
    private int info(int id) { return types.u32(start(id) + 4); }
    private int kind(int id) { return info(id) >>> 24 & 31; }
    private int vlen(int id) { return info(id) & 0xFFFF; }
    String name(int id) { return string(types.u32(start(id))); }

    String string(int offset) {
        int end = offset;
        while (strings.u8(end) != 0) end++;
        return strings.string(offset, end);
    }

    private boolean equals(int offset, byte[] name) {
        int end = offset + name.length;
        return end < strings.size && strings.u8(end) == 0 && strings.equals(offset, name);
    }

    // struct btf_member: name_off, type, offset in bits (in 24 of them where kind_flag says there are bit-fields)
    private int member(int id, int index) { return start(id) + 12 + 12 * index; }
    String memberName(int id, int index) { return string(types.u32(member(id, index))); }
    int offset(int id, int index) {
        int bits = types.u32(member(id, index) + 8);
        return (info(id) < 0 ? bits & 0xFFFFFF : bits) / 8;
    }

    /** The number of the typedef of that name; 0 if there is none. */
    int typedef(String name) {
        byte[] wanted = name.getBytes(ISO_8859_1);
        for (int id = 1; exists(id); id++)
            if (kind(id) == KIND_TYPEDEF && equals(types.u32(start(id)), wanted)) return id;
        return 0;
    }

    /** Where a member is in a struct, in bytes. */
    int offset(String struct, String member) {
        byte[] name = struct.getBytes(ISO_8859_1), memberName = member.getBytes(ISO_8859_1);
        for (int id = 1; exists(id); id++) {
            int offset = kind(id) == KIND_STRUCT && equals(types.u32(start(id)), name) ? find(id, memberName) : -1;
            if (offset >= 0) return offset;
        }
        throw new Failure("struct " + struct + "'s member " + member, "ENOENT", "this kernel's BTF lacks it");
    }

    /** Enters anonymous structs and unions, as C does; -1 where there is no such member. */
    private int find(int id, byte[] name) {
        for (int i = 0; i < vlen(id); i++) {
            int nameAt = types.u32(member(id, i)), type = types.u32(member(id, i) + 4);
            if (equals(nameAt, name)) return offset(id, i);
            if (nameAt != 0 || kind(type) != KIND_STRUCT && kind(type) != KIND_UNION) continue;
            int offset = find(type, name);
            if (offset >= 0) return offset(id, i) + offset;
        }
        return -1;
    }
}

// §8 ── The kernel ───────────────────────────────────────────────────────────────────────────────────────────────────
// One method per command of bpf(2), one per system call, one door to libc for all of them.

/** bpf(2): a method for each command in use. A refusal is a Failure that says why, as far as can be seen from here. */
final class Bpf {
    // include/uapi/linux/bpf.h
    private static final int BPF_MAP_CREATE = 0, BPF_MAP_UPDATE_ELEM = 2, BPF_PROG_LOAD = 5;
    private static final int BPF_RAW_TRACEPOINT_OPEN = 17, BPF_MAP_FREEZE = 22; // since Linux 5.2
    private static final int BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_RINGBUF = 27; // since Linux 5.8
    static final int BPF_F_RDONLY_PROG = 1 << 7, BPF_F_MMAPABLE = 1 << 10;      // since Linux 5.5
    private static final int BPF_PROG_TYPE_RAW_TRACEPOINT = 17, BPF_PROG_TYPE_TRACING = 26, BPF_TRACE_RAW_TP = 23;
    private static final int INSN_SIZE = 8;
    private static final String MAP_CREATE = "BPF_MAP_CREATE ";

    /** In place of a BTF id: a raw tracepoint, the prog's arguments being mere numbers. */
    static final int UNTYPED = 0;

    private static final int LOG_SIZE = 1 << 20;

    /** union bpf_attr, filled in the header's order, with what its pointers point to. */
    private static final class Attr implements AutoCloseable {
        private final Arena arena = Arena.ofConfined();
        private final MemorySegment memory = arena.allocate(128, 8);
        private final ByteBuffer fields = memory.asByteBuffer().order(ByteOrder.nativeOrder());

        Attr u32(long value) {
            fields.putInt((int) value);
            return this;
        }

        Attr pointer(byte[] data) {
            return pointer(arena.allocate(data.length, 8).copyFrom(MemorySegment.ofArray(data)));
        }

        Attr pointer(MemorySegment to) {
            fields.putLong(to.address());
            return this;
        }

        /** Goes on at a member that stands there. */
        Attr at(int offset) {
            fields.position(offset);
            return this;
        }

        /** A name of up to 15 bytes, as the last member. */
        Attr name(String name) {
            fields.put(name.getBytes(ISO_8859_1));
            return this;
        }

        int call(int command) {
            return (int) Kernel.call(Kernel.NR.bpf(), command, memory.address(), memory.byteSize(), 0, 0, 0);
        }

        int call(int command, String what) {
            int result = call(command);
            if (result < 0) throw refused(what, -result);
            Log.debug(what);
            return result;
        }

        @Override public void close() { arena.close(); }
    }

    static int createRingBuffer(String name, long size) { return createMap(name, BPF_MAP_TYPE_RINGBUF, 0, 0, size, 0); }

    /** An array of one value. */
    static int createArray(String name, int size, int flags) {
        return createMap(name, BPF_MAP_TYPE_ARRAY, 4, size, 1, flags);
    }

    private static int createMap(String name, int type, int keySize, int valueSize, long entries, int flags) {
        try (Attr attr = new Attr()) {
            return attr.u32(type).u32(keySize).u32(valueSize).u32(entries).u32(flags)
                .u32(0).u32(0).name(name) // inner_map_fd, numa_node
                .call(BPF_MAP_CREATE, MAP_CREATE + name);
        }
    }

    /** Sets the one value of an array. */
    static void update(int map, byte[] value) {
        try (Attr attr = new Attr()) {
            attr.u32(map).u32(0).pointer(new byte[4]).pointer(value).call(BPF_MAP_UPDATE_ELEM, "BPF_MAP_UPDATE_ELEM");
        }
    }

    /** From now on no process can change the map, and the verifier may rely on what is in it. */
    static void freeze(int map) {
        try (Attr attr = new Attr()) {
            attr.u32(map).call(BPF_MAP_FREEZE, "BPF_MAP_FREEZE");
        }
    }

    /**
     * A prog for the raw tracepoint whose arguments have the types of this BTF id: -1 if it is refused. One without
     * types is to be accepted: after a refusal it asks once more, with a log, and prints what the verifier has to say.
     */
    static int load(String name, byte[] insns, byte[] license, int types) {
        String what = "BPF_PROG_LOAD " + name + (types == UNTYPED ? "" : " with types");
        try (Attr attr = new Attr(); Attr again = new Attr()) {
            int prog = load(attr, name, insns, license, types, 0, MemorySegment.NULL);
            if (prog < 0 && types != UNTYPED) {
                Log.debug(what + ": " + Kernel.errnoName(-prog));
                return -1;
            }
            if (prog < 0 && prog != -Kernel.EPERM && !Kernel.isLockedDown()) {
                MemorySegment log = again.arena.allocate(LOG_SIZE);
                prog = load(again, name, insns, license, types, LOG_SIZE, log);
                if (prog < 0) log.getString(0).lines().forEach(Log::error);
            }
            if (prog < 0) throw refused(what, -prog);
            Log.debug(what + ", " + insns.length / INSN_SIZE + " instructions");
            return prog;
        }
    }

    private static int load(Attr attr, String name, byte[] insns, byte[] license, int types, int logSize,
            MemorySegment log) {
        boolean typed = types != UNTYPED;
        attr.u32(typed ? BPF_PROG_TYPE_TRACING : BPF_PROG_TYPE_RAW_TRACEPOINT)
            .u32(insns.length / INSN_SIZE).pointer(insns).pointer(license)
            .u32(logSize == 0 ? 0 : 1).u32(logSize).pointer(log).u32(0).u32(0).name(name); // kern_version, prog_flags
        return attr.at(68).u32(typed ? BPF_TRACE_RAW_TP : 0).at(108).u32(types).call(BPF_PROG_LOAD);
    }

    /** The types, if any, name the tracepoint already. */
    static int openRawTracepoint(String name, int prog, int types) {
        try (Attr attr = new Attr()) {
            if (types == UNTYPED) attr.pointer((name + '\0').getBytes(ISO_8859_1));
            return attr.at(8).u32(prog).call(BPF_RAW_TRACEPOINT_OPEN, "BPF_RAW_TRACEPOINT_OPEN " + name);
        }
    }

    private static Failure refused(String what, int errno) {
        String hint = Kernel.isLockedDown() ? "/sys/kernel/security/lockdown, confidentiality, forbids tracing"
            : errno == Kernel.EPERM && what.startsWith(MAP_CREATE) && Kernel.hasCapBpf()
                ? "before Linux 5.11 maps are locked memory: ulimit -l unlimited, or run as root"
            : errno == Kernel.EPERM ? "run as root, or with CAP_BPF and CAP_PERFMON: " + Kernel.sudo()
            : errno == Kernel.ENOSYS ? "this kernel lacks CONFIG_BPF_SYSCALL"
            : errno == Kernel.ENOMEM ? "a smaller --ring needs less memory"
            : errno == Kernel.EINVAL && what.startsWith(MAP_CREATE) ? "ring buffers came with Linux 5.8"
            : "";
        return new Failure(what, Kernel.errnoName(errno), hint);
    }
}

/** The only place that calls libc. A result below zero is an errno, negated, as the kernel itself returns it. */
final class Kernel {
    /** System call numbers: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h. */
    record Numbers(int bpf, int close, int eventfd2, int ioctl, int mmap, int munmap, int open_by_handle_at,
            int openat, int ppoll, int prlimit64, int readlinkat, int write) { }

    static final Numbers NR = switch (System.getProperty("os.arch")) {
        case "amd64" -> new Numbers(321, 3, 290, 16, 9, 11, 304, 257, 271, 302, 267, 1);
        case "aarch64" -> new Numbers(280, 57, 19, 29, 222, 215, 265, 56, 73, 261, 78, 64);
        default -> throw new Failure("this processor", "EOPNOTSUPP", "x86_64 and aarch64 are supported");
    };

    // include/uapi/asm-generic/errno-base.h
    static final int EPERM = 1, EINTR = 4, EAGAIN = 11, ENOMEM = 12, EINVAL = 22, EMFILE = 24, EPIPE = 32, ENOSYS = 38;
    private static final Map<Integer, String> ERRNO = Map.ofEntries(Map.entry(1, "EPERM"), Map.entry(2, "ENOENT"),
        Map.entry(5, "EIO"), Map.entry(7, "E2BIG"), Map.entry(9, "EBADF"), Map.entry(12, "ENOMEM"),
        Map.entry(13, "EACCES"), Map.entry(14, "EFAULT"), Map.entry(22, "EINVAL"), Map.entry(24, "EMFILE"),
        Map.entry(28, "ENOSPC"), Map.entry(38, "ENOSYS"), Map.entry(95, "EOPNOTSUPP"));

    private static final int CAP_BPF = 39; // include/uapi/linux/capability.h
    private static final long PROC_PID_INIT_INO = 0xEFFFFFFCL; // include/linux/proc_ns.h

    // include/uapi: fcntl.h, mman.h, resource.h, auxvec.h, ioctls.h
    private static final int AT_FDCWD = -100, O_CLOEXEC = 0x80000, PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1;
    private static final int RLIMIT_MEMLOCK = 8, AT_PAGESZ = 6, TCGETS = 0x5401, TIOCGWINSZ = 0x5413;

    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final long ERRNO_AT = STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));
    private static final MethodHandle SYSCALL = Linker.nativeLinker().downcallHandle(
        Linker.nativeLinker().defaultLookup().findOrThrow("syscall"),
        FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
        Linker.Option.captureCallState("errno"));

    /** One for each thread: the shutdown hook calls too. */
    private static final ThreadLocal<MemorySegment> CAPTURED = new ThreadLocal<>() {
        @Override protected MemorySegment initialValue() { return Arena.ofAuto().allocate(STATE); }
    };

    static final long PAGE_SIZE = pageSize();
    static final String BPF_JIT_ENABLE = "/proc/sys/net/core/bpf_jit_enable";

    static long call(long number, long a, long b, long c, long d, long e, long f) {
        MemorySegment captured = CAPTURED.get();
        try {
            long result = (long) SYSCALL.invokeExact(captured, number, a, b, c, d, e, f);
            return result == -1 ? -captured.get(JAVA_INT, ERRNO_AT) : result;
        } catch (Throwable t) {
            throw new AssertionError("syscall(2) throws nothing", t);
        }
    }

    private static long check(String what, long result) {
        if (result < 0) throw new Failure(what, errnoName((int) -result), "");
        return result;
    }

    static String errnoName(int errno) { return ERRNO.getOrDefault(errno, "errno " + errno); }

    static void close(int fd) { call(NR.close, fd, 0, 0, 0, 0, 0); }

    static MemorySegment mmap(String what, int fd, long offset, long size, boolean writable) {
        int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
        long address = check("mmap " + what, call(NR.mmap, 0, size, protection, MAP_SHARED, fd, offset));
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    static void munmap(MemorySegment memory) { call(NR.munmap, memory.address(), memory.byteSize(), 0, 0, 0, 0); }

    /** Returns when some are ready, when time is up, or when a signal came, to which the JVM attends itself. */
    static void ppoll(MemorySegment pollfds, int count, long nanoseconds) {
        TIMEOUT.set(JAVA_LONG, 0, nanoseconds / 1_000_000_000);
        TIMEOUT.set(JAVA_LONG, 8, nanoseconds % 1_000_000_000);
        long ready = call(NR.ppoll, pollfds.address(), count, nanoseconds < 0 ? 0 : TIMEOUT.address(), 0, 0, 0);
        if (ready != -EINTR) check("ppoll", ready);
    }

    private static final MemorySegment TIMEOUT = Arena.ofAuto().allocate(16, 8); // struct timespec

    static int eventfd() { return (int) check("eventfd", call(NR.eventfd2, 0, O_CLOEXEC, 0, 0, 0, 0)); }

    /** Makes an eventfd readable. */
    static void wake(int eventfd) {
        try (Arena arena = Arena.ofConfined()) {
            write(eventfd, arena.allocateFrom(JAVA_LONG, 1));
        }
    }

    /** How much it wrote, or an errno, negated. */
    static long write(int fd, MemorySegment bytes) {
        return call(NR.write, fd, bytes.address(), bytes.byteSize(), 0, 0, 0);
    }

    static void sleep(long nanoseconds) { ppoll(MemorySegment.NULL, 0, nanoseconds); }

    static int open(byte[] path) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(path.length + 1).copyFrom(MemorySegment.ofArray(path));
            return (int) call(NR.openat, AT_FDCWD, text.address(), O_CLOEXEC, 0, 0, 0);
        }
    }

    /** Opens what a struct file_handle of eight bytes stands for. */
    static int openByHandle(int mountFd, int type, long handle) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment fileHandle = arena.allocate(16, 8);
            fileHandle.asByteBuffer().order(ByteOrder.nativeOrder()).putInt(8).putInt(type).putLong(handle);
            return (int) call(NR.open_by_handle_at, mountFd, fileHandle.address(), O_CLOEXEC, 0, 0, 0);
        }
    }

    /** The path of an open file, in bytes, as no charset need know it; empty if there is none. */
    static byte[] pathOf(int fd, int most) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment path = arena.allocate(most);
            MemorySegment link = arena.allocateFrom("/proc/self/fd/" + fd);
            long size = call(NR.readlinkat, AT_FDCWD, link.address(), path.address(), most, 0, 0);
            return path.asSlice(0, Math.max(0, size)).toArray(JAVA_BYTE);
        }
    }

    static boolean isTerminal(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            return call(NR.ioctl, fd, TCGETS, arena.allocate(64, 8).address(), 0, 0, 0) == 0; // struct termios
        }
    }

    /** The width of a terminal; 0 if it has none, or is none. */
    static int columns(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment size = arena.allocate(8, 8); // struct winsize { unsigned short ws_row, ws_col, … }
            call(NR.ioctl, fd, TIOCGWINSZ, size.address(), 0, 0, 0);
            return size.get(JAVA_SHORT, 2) & 0xFFFF;
        }
    }

    /** Before Linux 5.11 maps are locked memory. Refused without CAP_SYS_RESOURCE: then creating a map will tell. */
    static void raiseMemlock() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment infinity = arena.allocateFrom(JAVA_LONG, -1, -1); // struct rlimit64
            call(NR.prlimit64, 0, RLIMIT_MEMLOCK, infinity.address(), 0, 0, 0);
        }
    }

    /** Elsewhere a process knows its ids only as they are there, and a prog sees the initial ones. */
    static boolean isInInitialPidNamespace() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/ns/pid")).endsWith("pid:[" + PROC_PID_INIT_INO + "]");
        } catch (IOException e) {
            return false;
        }
    }

    static boolean hasCapBpf() {
        try (Stream<String> status = Files.lines(Path.of("/proc/self/status"), ISO_8859_1)) {
            return status.filter(line -> line.startsWith("CapEff:"))
                .anyMatch(line -> (Long.parseLong(line.substring(8).strip(), 16) >> CAP_BPF & 1) != 0);
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * On aarch64 the verifier leaves the calls of some helpers to the JIT, even where there is none: the interpreter
     * then calls into nowhere. Seen on Linux 6.12.
     */
    static boolean crashesInterpreting() {
        try {
            return System.getProperty("os.arch").equals("aarch64")
                && Files.readString(Path.of(BPF_JIT_ENABLE)).strip().equals("0");
        } catch (IOException e) {
            return false; // root alone can read it, and alone may have switched the JIT off
        }
    }

    static boolean isLockedDown() {
        try {
            return Files.readString(Path.of("/sys/kernel/security/lockdown")).contains("[confidentiality]");
        } catch (IOException e) {
            return false; // no such file without the lockdown LSM
        }
    }

    private static long pageSize() {
        try {
            ByteBuffer auxv = ByteBuffer.wrap(Files.readAllBytes(Path.of("/proc/self/auxv")));
            auxv.order(ByteOrder.nativeOrder());
            while (auxv.getLong() != AT_PAGESZ) auxv.getLong();
            return auxv.getLong();
        } catch (IOException e) {
            throw Failure.of("/proc/self/auxv", e, "is /proc mounted?");
        }
    }

    /** This very command, run by sudo: whole paths, as sudo may forget PATH. */
    static String sudo() {
        ProcessHandle.Info me = ProcessHandle.current().info();
        StringBuilder line = new StringBuilder("sudo ").append(me.command().orElse("java"));
        for (String word : me.arguments().orElse(new String[0]))
            line.append(' ').append(word.matches("[\\w@%+=:,./-]+") ? word : "'" + word.replace("'", "'\\''") + "'");
        return line.toString();
    }
}
