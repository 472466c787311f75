# $1: seconds; then a test program and its arguments. Ends it with 124 when one of its tests has not ended for so long, after
# the first process has told where everything stands.
most=$1
shift
"$@" &
program=$!
while kill -0 "$program" 2>/dev/null; do
    sleep 2
    # A test's thread has the name of the test. Behind the name in brackets the 20th word is when it began, in 1/100 s.
    late=$(cat /proc/"$program"/task/*/stat 2>/dev/null | awk -v most="$most" '
        BEGIN { getline < "/proc/uptime"; up = $1 }
        { name = $0; sub(/^[^(]*\(/, "", name); sub(/\).*/, "", name); sub(/.*\) /, "") }
        name ~ /::/ && up - $20 / 100 > most { print name }')
    [ -z "$late" ] && continue
    echo "a test stands still: $late" >&2
    kill -USR1 1
    sleep 5
    kill -KILL "$program"
    exit 124
done
wait "$program"
