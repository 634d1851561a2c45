#!/bin/bash
# moment.sh SECONDS|end group|script COMMAND…: kills a script, and prints what it leaves.
#
# The script leads a process group; KILL goes to this, or to the script alone. With `end` it is not killed. Lines:
#   status N        of the script
#   process, mount, cgroup, unit …   what is there WAIT seconds later
#   record ID       a state record, which `delete --force` has removed then
#   kept NAME       what that did not remove
#   failed ID: TEXT the delete; a warning of a state without state.json, whose create was killed, is none
# CGROUPS is a regular expression for the names of the script's containers. Processes are those of the pid namespace,
# whose process 1 this is; with OF=cgroup those of a cgroup that this makes, and of systemd's units for containers.
at=$1 target=$2
shift 2
mounts() { cut -d' ' -f5 /proc/self/mountinfo | sort; }
before=$(mounts)

own=''
if [ "${OF:-}" = cgroup ]; then
  own=/sys/fs/cgroup/moment-$$
  mkdir "$own"
fi
cgroups() {
  find /sys/fs/cgroup -type d -regextype posix-extended -regex ".*/(runt-)?(${CGROUPS:?})(\.mount|\.scope)?" 2>/dev/null
}
units() {
  [ -z "$own" ] || SYSTEMD_IGNORE_CHROOT=1 systemctl list-units --all --plain --no-legend 'runt-*' | cut -d' ' -f1
}

# Without a fork, which would itself be a process.
processes() {
  left=()
  local path stat pids=(/proc/[0-9]*)
  if [ -n "$own" ]; then
    mapfile -t pids < <(cat "$own/cgroup.procs" $(cgroups | sed 's,$,/cgroup.procs,') 2>/dev/null | sed 's,^,/proc/,')
  fi
  for path in "${pids[@]}"; do
    { read -r stat <"$path/stat"; } 2>/dev/null || continue
    stat=${stat##*) }
    [ "${path#/proc/}" = $$ ] || [[ $stat == [ZX]* ]] || left+=("${path#/proc/}")
  done
}

(
  [ -z "$own" ] || echo "$BASHPID" >"$own/cgroup.procs"
  exec setsid "$@" </dev/null >/srv/.output 2>&1
) &
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
  [ ${#left[@]} -gt 0 ] || [ -n "$(cgroups; units)" ] || break
  sleep 0.1
done
processes
for pid in "${left[@]}"; do echo "process $(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
cgroups | sed 's/^/cgroup /'
units | sed 's/^/unit /'
comm -13 <(echo "$before") <(mounts) | sed 's/^/mount /'
for id in $(ls /run/runt 2>/dev/null); do
  echo "record $id"
  said=$(runt delete --force "$id" 2>&1) || echo "failed $id: $said"
done
ls /run/runt 2>/dev/null | sed 's/^/kept /'
if [ -n "$own" ]; then
  echo 1 >"$own/cgroup.kill"
  for ((i = 0; i < 100; i++)); do
    rmdir "$own" 2>/dev/null && exit
    sleep 0.1
  done
  echo "kept $own"
fi
