# What run, bench and soak share. `it` begins a test, each line after it is a step or a claim, `fail` ends its chances.
# What a test starts ends with it, and what a part starts before its first test, with the part.
#
#   it "tells who killed whom"
#   killed KILL
#   line '.pid == $target and .sender.pid == $me'

project=$PWD
install() { :; } # install COMMAND=PACKAGE...: what a part needs; setup has brought it

setup() { # setup COMMAND=PACKAGE...: what is needed: a folder, $base, with the jar and the sender of this tree
    [ "$(id -u)" = 0 ] || { echo "$0: EPERM; loading a prog needs root: sudo $0" >&2; exit 1; }
    export PATH=$PATH:/usr/sbin:/sbin JAVA_HOME
    [ -n "${SENDER:-}" ] || set -- "$@" clang=clang
    [ -n "${JAR:-}" ] || set -- "$@" mvn=maven
    JAVA_HOME=$(test/jbang --jdk jq=jq bpftool=bpftool "$@") || exit 1
    java=$JAVA_HOME/bin/java

    base=$(mktemp -d) dir=$base jar=${JAR:-$base/signals.jar} sender=$base/sender usual_path=$PATH
    export JBANG_DIR=$base/jbang
    trap clean_up EXIT
    usual_way
    if [ -n "${SENDER:-}" ]; then cp "$SENDER" "$sender"
    else clang -O2 -Wall -Werror -pthread -o "$sender" test/sender.c || exit 1; fi
    chmod 755 "$base" "$sender"
    [ -n "${JAR:-}" ] || export_jar "$jar" Signals.java || exit 1
}

part() { # part NAME: runs it in a folder of its own
    kept='' verdict
    dir=$base/$1 out='' PATH=$usual_path
    rm -rf "$dir"
    mkdir "$dir"
    usual_way
    cd "$project" && . "test/parts/$1"
}

export_jar() { # export_jar JAR SOURCE
    test/jbang export portable --force -O "$1" "$2" > "$dir/export" 2>&1 || { cat "$dir/export"; return 1; }
}
java_options() { program=("$java" "$@" -jar "$jar"); } # java_options [OPTION]...
usual_way() { socket=$dir/signals as=(); java_options; }
as_jbang_runs_it() { java_options $(sed -n 's!^//RUNTIME_OPTIONS !!p' Signals.java); }

clean_up() {
    [ "$BASHPID" = $$ ] || return # a child that a signal met between fork and exec
    jobs -p | xargs -r kill 2> /dev/null
    rm -rf "$base"
}

# Tests

passed=0 failed=0 skipped=0 title='' broken='' # what failed, or "skipped"
signals='' kept='' out='' group=''
patience=$((120 * ${PATIENCE:-1})) # s: what is awaited comes, however slow the machine is

it() { # it TITLE: ends the test before and begins another
    [ -n "$title" ] || kept=$(jobs -pr | xargs) # by the part
    verdict
    usual_way
    title=$1
    if [ -s "$out" ]; then seen=$(wc -l < "$out"); else seen=0; fi # lines of earlier tests do not count
}

verdict() {
    local job
    [[ " $kept " == *" $signals "* ]] || stop
    for job in $(jobs -pr); do [[ " $kept " == *" $job "* ]] || end "$job" KILL; done
    case $broken in
        '') [ -z "$title" ] || { passed=$((passed + 1)); echo "ok   $title"; } ;;
        skipped*) skipped=$((skipped + 1)) ;;
        *)
            failed=$((failed + 1)) patience=$((10 * ${PATIENCE:-1})) # the rest need not wait as long
            printf 'FAIL %s\n     %s\n' "${title:-what comes before a test}" "${broken#$'\n'}" ;;
    esac
    title='' broken=''
}

finish() { kept='' verdict; echo "$passed passed, $failed failed, $skipped skipped"; [ "$failed" = 0 ]; }
fail() { broken+=$'\n'"$*"; }
check() { "$@" || fail "failed: $*"; } # check COMMAND...: it must succeed
skip() { [ -n "$broken" ] || { broken=skipped; echo "skip $title: $1"; }; } # skip WHY: what follows counts for nothing

mounts() { # mounts [COMMAND]: $as is to have mounts of its own, changed by that; a chroot may not allow it
    [ $# = 0 ] || as=(unshare -m sh -c "$1; exec \"\$@\"" sh)
    unshare -m true 2> /dev/null || skip "unshare -m: EINVAL; the root is no mount point"
}

await() { # await COMMAND...: until it succeeds; no longer where it cannot be run, or the test has failed anyway
    local end=$((SECONDS + patience)) status
    until "$@"; do
        status=$?
        if [ -n "$broken" ] || [ $status -ge 126 ] || [ "$SECONDS" -ge "$end" ]; then
            fail "in vain awaited: $*"
            return 1
        fi
        sleep 0.05
    done
}

ended() { # ended PID: awaits the end of a process of ours, and brings it about where it does not come; its status
    local end=$((SECONDS + patience))
    while kill -0 "${1:-none}"; do
        [ "$SECONDS" -lt "$end" ] || { fail "process $1 had to be killed"; kill -KILL "$1"; }
        sleep 0.02
    done
    [ "${1:-}" != "$signals" ] || signals=''
    wait "${1:-none}"
} 2> /dev/null # bash tells of processes that signals end: here they are meant to

end() { kill "-${2:-TERM}" "${1:-none}" 2> /dev/null; ended "${1:-}"; } # end PID [SIGNAL]: a process of ours

says() { # says STATUS PATTERN COMMAND...: the command ends so, with one line on standard error that matches
    local status=0
    timeout -k 5 "$patience" "${@:3}" > "$dir/answer" 2> "$dir/complaint" || status=$?
    [ $status = "$1" ] || fail "exit status $status, not $1: ${*:3}"
    grep -v ' INFO  ' "$dir/complaint" > "$dir/reason"
    [ "$(wc -l < "$dir/reason")" = 1 ] || fail "not one line: $(cat "$dir/reason")"
    grep -qE -- "$2" "$dir/reason" || fail "no /$2/ in: $(cat "$dir/reason")"
}

# The program, run by $as, such as setpriv, in this test

nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)

launch() { # launch COMMAND...: in the background, instead of the one before; $signals, and its log and output in $dir
    stop
    : > "$dir/log"
    "$@" > "$dir/stdout" 2> "$dir/log" & signals=$!
}
up() { grep -q 'awaiting for new connections' "$dir/log" || { over "$signals" && return 126; }; }
serving() { await up || { fail "its log: $(cat "$dir/log")"; return 1; }; } # until it listens
recording() { grep -o '^\[.*\] recording.*' "$dir/log" | tail -n 1 | grep -q '\] recording$'; } # not a row of the table

start() { # start [OPTION]...: with its socket in $dir, until it listens
    # in the background bash has SIGINT ignored
    launch "${as[@]}" env --default-signal=INT "${program[@]}" --socket "$socket" --verbose "$@"
    serving
}

refuses() { # refuses STATUS PATTERN [OPTION]...: it ends so, see says
    local path=(--socket "$socket")
    [[ " $* " != *' --socket '* ]] || path=()
    says "$1" "$2" "${as[@]}" "${program[@]}" "${path[@]}" "${@:3}"
}

stop() { # stop [SIGNAL]: and not what started it, such as sudo
    local pid=$signals child
    [ -n "$pid" ] || return 0
    while child=$(pgrep -P "$pid" | head -n 1) && [ -n "$child" ]; do pid=$child; done
    kill "-${1:-TERM}" "$pid" 2> /dev/null
    ended "$signals" || fail "exit status $?"
}

runs() { # runs COMMAND...: it starts Signals, which serves a line and prints no warning
    launch "$@" --socket "$socket" --verbose
    serving
    listen
    marker
    check test ! -s "$dir/stdout"
    check test "$(grep -ci warn "$dir/log")" = 0
}

fresh_home() { # JBang with a home and a cache that have nothing yet, but for JBang itself
    home=("JBANG_DIR=$dir/home/.jbang" "JBANG_JAVA_OPTIONS=-Duser.home=$dir/home"
        "JBANG_JAR_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/signals")
    export "${home[@]}"
    mkdir -p "$dir/home/bin" "$dir/elsewhere"
    ln -s "$project/test/jbang" "$dir/home/bin/jbang"
    # without the second, `app install` would write to the shell's start-up files
    PATH=$dir/home/bin:$JBANG_DIR/bin:$JAVA_HOME/bin:$PATH
}

# Its clients

listen() { # a client that writes what it gets to $out
    out=$dir/out seen=0
    joins nc -U "$socket" < /dev/null > "$out"
    client=$!
    await recording
}
joins() { # joins COMMAND...: in the background, until it has connected
    local want=$(($(grep -c ' connected' "$dir/log") + 1))
    "$@" &
    await connected $want
}
connected() { [ "$(grep -c ' connected' "$dir/log")" -ge "$1" ]; }
stalls() { # stalls FILE: a client that reads nothing until it is sent SIGCONT, and then into that file
    joins socat -u "UNIX-CONNECT:$socket" "OPEN:$1,creat,trunc"
    kill -STOP $!
}
serve() { start "$@"; listen; } # serve [OPTION]...

# Conditions are jq's, on lines since this test began: $me is this shell, $target what it made, $said what sender said,
# $group the cgroup that new_group made, $ours the one of this shell.
told() { # told CONDITION: the lines that fulfil it; 127: it is no condition
    local said
    said=$(sed -nE 's/^([a-z]+)=([0-9]+)$/"\1":\2/p' "$dir/said" 2> /dev/null | paste -sd,)
    tail -n "+$((seen + 1))" "$out" |
        jq -c --argjson me $$ --argjson target "${target:-0}" --argjson said "{$said}" --arg group "/${group##*/}" \
            --arg ours "$(sed -n 's/^0:://p' /proc/self/cgroup)" "select($1)" 2> "$dir/jq"
    [ ${PIPESTATUS[1]} != 3 ] || return 127
}
has() { local found; found=$(told "$1") || return 127; [ -n "$found" ]; }
counts() { [ "$(told "$2" | wc -l)" = "$1" ]; } # counts N CONDITION
no() { check counts 0 "$1"; } # no CONDITION: no line fulfils it
line() { # line CONDITION: some line fulfils it, or will
    await has "$1" || fail "lines were: $(told '.code != "CLD_EXITED"' | tail -n 5; cat "$dir/jq")"
}
gets() { line ".pid == \$target and .signal == \"SIG$1\" and ($2)"; } # gets SIGNAL CONDITION: $target, in such a line
reported() { # reported STATUS CONDITION: the end of $target, to this shell
    line ".pid == \$me and .cause == \"child\" and .status == $1 and .sender.pid == \$target and ($2)"
}
shows() { # shows PATTERN [FILE]: a row of the table, or of that file, does, or will; PID and TID are what sender said
    local pattern=${1//PID/$(value pid)} file=$dir/${2:-stdout}
    await grep -qsE -e "${pattern//TID/$(value tid)}" "$file" || fail "rows were: $(tail -n 5 "$file")"
}
marker() { # all signals sent so far have been read, as the line that begins with $marked
    marked="{\"pid\":$("$sender" raise 12 | sed 's/pid=//'),\"signr\":12,"
    await grep -qF "$marked" "$out"
}
unseen() { LC_ALL=C tr -d '\n\040-\176\200-\377' < "$1" | wc -c; } # unseen FILE: control characters in it
rss() { awk '/VmRSS/ { print $2 }' "/proc/$1/status"; } # rss PID: what is resident of it, KiB

# Those that are sent signals. See sender.c for its ways.

does() { "$sender" "$@" > "$dir/said"; } 2> /dev/null # does WAY [ARGUMENT]...
stays() { # stays COMMAND...: in the background, $target, until it has said something
    rm -f "$dir/said"
    "$@" > "$dir/said" 2> "$dir/complaint" & target=$!
    await test -s "$dir/said"
}
tells() { # tells CONDITION WAY [ARGUMENT]...: what sender does makes a line for its own process that fulfils it
    does "${@:2}"
    line ".pid == \$said.pid and $1"
}
value() { sed -n "s/^$1=//p" "$dir/said" 2> /dev/null; } # value NAME: what sender said of it
xs() { printf "%$1s" '' | tr ' ' x; } # xs COUNT: a word of that length
named() { await grep -qx "$1" "/proc/${2:-$target}/comm"; } # named NAME [PID]: it is awaited to be
sleeper() { # sleeper [ARGUMENT]...: $target, for $nap seconds; what env is to do first, such as --ignore-signal=34
    env "$@" sleep "${nap:-100}" & target=$!
    named sleep
}
child() { "$@" & target=$!; ended $target; } # child COMMAND...: from its start to its end
killed() { sleeper; env kill "-$1" $target; ended $target; } 2> /dev/null # killed SIGNAL: by a process of its own
over() { ! kill -0 "$1" 2> /dev/null; } # over PID
zombie() { # $target, a child of $parent, which awaits none
    stays sh -c 'until grep -qx sleep /proc/$$/comm; do :; done & echo child=$!; exec sleep 100'
    parent=$target target=$(value child)
    is Z
}
is() { await grep -q "^State:[[:space:]]*$1" "/proc/$target/status"; } # is STATE: $target is in it, or will be
trace() { # strace, $tracer, traces $target
    strace -qq -o "$dir/strace" -p $target & tracer=$!
    await grep -q "TracerPid:[[:space:]]*$tracer" /proc/$target/status
    await grep -q . "$dir/strace"
}
typed() { # typed COMMAND NAME...: ^C, on a terminal that runs it, once it has those processes; the last is $target
    echo "$1" > "$dir/typing"
    exec 4> >(exec socat -u - "EXEC:bash $dir/typing,pty,setsid,ctty" 2> "$dir/complaint")
    local terminal=$! name
    on_it() { target=$(pgrep -s "$(pgrep -P $terminal)" -x "$1"); } 2> /dev/null
    for name in "${@:2}"; do await on_it "$name"; done
    printf '\003' >&4
    await over "$target"
    exec 4>&-
    ended $terminal
}
screen() { # screen FILE COLUMNS COMMAND: on a terminal of that width; what appears there is written to the file
    echo "stty -opost cols $2 rows 20 <&1; $3" > "$1.sh"
    exec socat -u "EXEC:bash $1.sh,pty,stderr,setsid,ctty" "OPEN:$1,creat,trunc"
}

cgroups() { awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts; }
new_group() { group=$(cgroups)/signals-$$-$RANDOM$RANDOM; mkdir "$group"; }
in_group=(sh -c 'echo $$ > "$0/cgroup.procs"; exec "$@"') # and GROUP COMMAND...
memory_group() { # memory_group LIMIT: a cgroup whose members may take up no more than that, $memory
    local file=memory.limit_in_bytes # of cgroup v1
    memory=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
    [ -n "$memory" ] || { memory=$(cgroups) file=memory.max; echo +memory > "$memory/cgroup.subtree_control"; }
    memory=$memory/signals-memory-$$
    mkdir -p "$memory"
    echo "$1" > "$memory/$file"
}
