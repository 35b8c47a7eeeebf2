#!/bin/sh
# supervise.sh STATUSES OFFSET COMMAND...: what deploy/systemd does, with Restart=on-failure. Before each start the clock is set, which
# here means that the time server no longer disagrees with it. The exit status of each run is a line of STATUSES.
statuses=$1 offset=$2
shift 2
trap 'kill -TERM "$child" 2>/dev/null' TERM
while :; do
	echo +0 >"$offset" # ExecStartPre
	"$@" &
	child=$!
	wait "$child"
	status=$?
	while kill -0 "$child" 2>/dev/null; do # wait was interrupted by the signal
		wait "$child"
		status=$?
	done
	echo "$status" >>"$statuses"
	[ "$status" -eq 0 ] && exit 0
done
