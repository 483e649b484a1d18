# What examples of several processes share: each has a name and says what it has to say in NAME.out of the folder that
# they run in. Sourced with `$data` set to that folder, and with `$control` set once there is a control plane.

running=''
started() {
    running="$! $running"
    eval "name_$!=$1"
}
end() {
    trap '' EXIT INT TERM
    # The control plane goes last: whoever ends takes itself back there.
    others=$(echo "$running" | tr ' ' '\n' | grep -vx "${control:-none}" || true)
    for process in $others; do kill "$process" 2>/dev/null || true; done
    for process in $others; do wait "$process" 2>/dev/null || true; done
    if [ -n "${control:-}" ]; then
        kill "$control" 2>/dev/null || true
        wait "$control" 2>/dev/null || true
    fi
    cd / && rm -rf "$data"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs a command whose words matter only when it fails.
must() {
    "$@" >must.out 2>&1 || {
        cat must.out >&2
        exit 3
    }
}
# Waits until a command succeeds; ends everything when one of the processes does.
until_done() {
    until "$@" >/dev/null 2>&1; do
        look_after all
        pause
    done
}
# The control plane may go once everything stands: nobody needs it for a request.
look_after() {
    for process in $running; do
        eval "name=\$name_$process"
        if [ "$1 $name" != "members control" ] && ! kill -0 "$process" 2>/dev/null; then
            echo "error: $name has ended; it said:" >&2
            cat "$data/$name.out" >&2
            exit 3
        fi
    done
}
# A signal interrupts `wait` and not `sleep`.
pause() {
    sleep 0.2 &
    wait $! || true
}
