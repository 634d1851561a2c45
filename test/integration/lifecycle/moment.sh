#!/bin/bash
# moment.sh SECONDS|end group|script COMMAND…: kills a script, and prints what it leaves. Process 1 of a pid namespace.
#
# The script leads a process group; KILL goes to this, or to the script alone. With `end` it is not killed. Lines:
#   status N        of the script
#   process, mount, cgroup …   what is there WAIT seconds later
#   record ID       a state record, which `delete --force` has removed then
#   kept NAME       what that did not remove
#   failed ID: TEXT the delete; a warning of a state without state.json, whose create was killed, is none
# CGROUPS is a regular expression for the names of the script's containers.
at=$1 target=$2
shift 2
mounts() { cut -d' ' -f5 /proc/self/mountinfo | sort; }
before=$(mounts)

# Without a fork, which would itself be a process.
processes() {
  left=()
  local path stat
  for path in /proc/[0-9]*; do
    { read -r stat <"$path/stat"; } 2>/dev/null || continue
    stat=${stat##*) }
    [ "${path#/proc/}" = $$ ] || [[ $stat == [ZX]* ]] || left+=("${path#/proc/}")
  done
}
cgroups() { find /sys/fs/cgroup -type d -regextype posix-extended -regex ".*/(${CGROUPS:?})(\.mount|\.scope)?" 2>/dev/null; }

setsid "$@" </dev/null >/srv/.output 2>&1 &
script=$!
if [ "$at" != end ]; then
  sleep "$at"
  [ "$target" = script ] && victim=$script || victim=-$script
  kill -KILL -- "$victim" 2>/dev/null
fi
wait $script 2>/dev/null
echo "status $?"
for ((i = 0; i < ${WAIT:?} * 10; i++)); do
  processes
  [ ${#left[@]} -gt 0 ] || [ -n "$(cgroups)" ] || break
  sleep 0.1
done
processes
for pid in "${left[@]}"; do echo "process $(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
cgroups | sed 's/^/cgroup /'
comm -13 <(echo "$before") <(mounts) | sed 's/^/mount /'
for id in $(ls /run/runt 2>/dev/null); do
  echo "record $id"
  said=$(runt delete --force "$id" 2>&1) || echo "failed $id: $said"
done
ls /run/runt 2>/dev/null | sed 's/^/kept /'
