# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# What every test uses: `it` begins a test, each line after it is a step or a claim, `fail` ends its chances.
#
#   it "tells who killed whom"
#   sleep 100 & kill -9 $!
#   line ".pid == $! and .sender.comm == \"bash\""

tests=$PWD/test
install() { "$tests/jbang" --install "$@" || exit 1; } # install COMMAND=PACKAGE...: those that are missing

passed=0 failed=0 skipped=0 title=''

it() { # it TITLE: ends the test before and begins another
    verdict
    title=$1 broken=''
    if [ -s "${out:-}" ]; then seen=$(wc -l < "$out"); else seen=0; fi # lines of earlier tests do not count
}

verdict() {
    [ -n "$title" ] || return 0
    if [ -z "$broken" ]; then passed=$((passed + 1)); echo "ok   $title"
    else failed=$((failed + 1)); echo "FAIL $title"; printf '     %s\n' "${broken#$'\n'}"; fi
    title=''
}

skip() { # skip REASON: this test cannot run here; what it found broken before counts all the same
    [ -z "$broken" ] || return 0
    skipped=$((skipped + 1))
    echo "skip $title: $1"
    title=''
}

finish() {
    verdict
    if [ $skipped = 0 ]; then echo "$passed passed, $failed failed"
    else echo "$passed passed, $failed failed, $skipped skipped"; fi
    [ "$failed" = 0 ]
}

fail() { broken+=$'\n'"$*"; }

check() { # check COMMAND...: it must succeed
    "$@" || fail "failed: $*"
}

await() { # await SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1 * ${PATIENCE:-1} + 1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || { fail "in vain awaited: $*"; return 1; }
        sleep 0.05
    done
}

# The program: `start` runs it with its socket in $dir, `stop` ends it.

as=() # start: by this command, such as setpriv

start() { # start [OPTION]...
    : > "$dir/log" # not the log of the one before
    # in the background bash has SIGINT ignored
    "${as[@]}" env --default-signal=INT "$java" -jar "$jar" --socket "$socket" --verbose "$@" > "$dir/stdout" 2> "$dir/log" &
    signals=$!
    await 20 grep -q 'awaiting for new connections' "$dir/log" || cat "$dir/log" "$dir/stdout"
}

stop() { # stop [SIGNAL]
    kill "-${1:-TERM}" "$signals"
    wait "$signals"
}

listen() { # listen [FILE]: a client that writes what it gets to $out
    out=${1:-$dir/out}
    local before
    before=$(grep -c ' connected' "$dir/log")
    nc -U "$socket" < /dev/null > "$out" &
    client=$!
    await 5 connected $((before + 1))
    await 5 recording
    seen=0
}

lines() { [ "$(wc -l < "$2")" -ge "$1" ]; } # lines COUNT FILE: it has as many
connected() { [ "$(grep -c ' connected' "$dir/log")" -ge "$1" ]; }
recording() { grep -o ' recording.*' "$dir/log" | tail -n 1 | grep -qx ' recording'; }
disconnected() { [ "$(grep -c ' disconnected' "$dir/log")" -ge "$1" ]; }

filtered() { # filtered OPTION...: starts with these and listens
    start "$@"
    listen "$dir/filtered"
}

leave() { end "$client"; }

end() { # end PID [SIGNAL]: ends a process of ours
    kill "-${2:-TERM}" "$1"
    wait "$1"
} 2> /dev/null

has() { tail -n "+$((seen + 1))" "$out" | jq -c "select($1)" 2> /dev/null | grep -q .; }
counts() { [ "$(count "$2")" = "$1" ]; } # counts N CONDITION
count() { tail -n "+$((seen + 1))" "$out" | jq -c "select($1)" 2> /dev/null | wc -l; }

line() { # line CONDITION: some line of this test fulfils it, within 5 seconds
    await 5 has "$1" || fail "lines were: $(tail -n "+$((seen + 1))" "$out" | tail -n 5)"
}

marker() { # all signals sent so far have been read
    "$sender" raise 12 > "$dir/marker"
    line ".signr == 12 and .pid == $(value pid "$dir/marker")"
}

# The sender's ways, see sender.c. Bash tells of processes that a signal ends: here they are meant to.

does() { "$sender" "$@" > "$dir/said"; } 2> /dev/null # does HOW [ARGUMENT]...
stays() { # stays HOW [ARGUMENT]...: in the background, $target
    rm -f "$dir/said"
    "$sender" "$@" > "$dir/said" & target=$!
    await 5 test -s "$dir/said"
}
sleeper() { # a process that sleeps, $target; bash's own traps are no longer in it
    sleep 100 & target=$!
    await 5 grep -qx sleep "/proc/$target/comm"
}
memory_group() { # memory_group LIMIT: makes a cgroup whose members may take up no more than that, $memory
    local file=memory.limit_in_bytes
    memory=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
    if [ -z "$memory" ]; then # then it is with cgroup v2
        memory=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts) file=memory.max
        echo +memory > "$memory/cgroup.subtree_control"
    fi
    memory=$memory/signals-memory-$$
    mkdir -p "$memory"
    echo "$1" > "$memory/$file"
}
value() { sed -n "s/^$1=//p" "${2:-$dir/said}"; } # value NAME: what sender said of it

says() { # says STATUS PATTERN COMMAND...: the command ends so, with one line on standard error that matches
    local status=0 want=$1 pattern=$2
    shift 2
    timeout $((20 * ${PATIENCE:-1})) "$@" > "$dir/answer" 2> "$dir/complaint" || status=$?
    [ $status = "$want" ] || fail "exit status $status, not $want: $*"
    grep -v ' INFO  ' "$dir/complaint" > "$dir/reason"
    [ "$(wc -l < "$dir/reason")" = 1 ] || fail "not one line: $(cat "$dir/reason")"
    grep -qE "$pattern" "$dir/reason" || fail "no /$pattern/ in: $(cat "$dir/reason")"
}

progs() { sed -n 's/^prog_id:[[:space:]]*//p' "/proc/$signals"/fdinfo/*; } # the ids of those that $signals attached
gone() { ! bpftool prog show id "$1" > /dev/null 2>&1; } # gone ID: the kernel frees a prog when it has time
