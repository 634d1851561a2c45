# Endurance: many containers, made 40 at a time, live through kills of containerd and of what serves them. None is lost,
# and each status is the one with which the process ended. The shim of runc has no counterpart.

# each NUMBER COMMAND…: runs COMMAND N for N from 1 to NUMBER, 40 at a time; fails if one fails
each() {
  local i number=$1 pids=()
  shift
  rm -f /tmp/each
  for ((i = 1; i <= number; i++)); do
    while [ "$(jobs -rp | wc -l)" -ge 40 ]; do wait -n || true; done
    { "$@" "$i" || echo "$i" >>/tmp/each; } &
    pids+=($!)
  done
  wait "${pids[@]}" || true
  [ ! -s /tmp/each ]
}

# code N: with which container N ends
code() { echo $(($1 % 50 + 1)); }

# endurer N: container N, which ends once something is written to /tmp/go/N
endurer() {
  mkfifo "/tmp/go/$1"
  run -d --mount type=bind,src=/tmp/go,dst=/go,options=rbind:rw $bb "e$1" sh -c "read word <>/go/$1; exit $(code "$1")"
}

# tasks STATE: the number of tasks with that status
tasks() { ctr task ls | grep -c " $1" || true; }
is() { [ "$("${@:2}")" = "$1" ]; }

# wrong: tells what is not as it should be, and ends the scenario
wrong() {
  echo "$*"
  ctr task ls | awk '{ print $3 }' | sort | uniq -c
  exit 1
}

# endures KIND…: the containers, and KILLS kills of each kind by the function killed_KIND N, where N ends meanwhile;
# then ended_KIND N, or ended N, tells whether that is known. Sets $next to the number of the first container that
# still runs.
endures() {
  local kind round known PATIENCE=60
  rm -rf /tmp/go
  mkdir /tmp/go
  each "$MANY" endurer || wrong 'not all containers were made'
  eventually is "$MANY" tasks RUNNING || wrong "not $MANY run"
  next=1
  for ((round = 1; round <= ${KILLS:-20}; round++)); do
    for kind; do
      "killed_$kind" "$next"
      known=ended
      ! declare -F "ended_$kind" >/dev/null || known=ended_$kind
      "$known" "$next" || wrong "round $round, $kind: container $next did not end with $(code "$next")"
      next=$((next + 1))
      eventually is $((MANY - next + 1)) tasks RUNNING || wrong "round $round, $kind: not $((MANY - next + 1)) run"
    done
  done
  echo "$((MANY - next + 1)) of $MANY lived through ${KILLS:-20} kills each of: $*" >"$NOTE"
}

# ended N: whether containerd knows that container N has ended, and how; removes it
ended() {
  local said
  eventually prints "^e$1 .*STOPPED" ctr task ls || return 1
  said=$(ctr task rm "e$1" 2>&1 || true)
  grep -qE "code =?$(code "$1")\b" <<<"$said" || {
    echo "container $1, which ends with $(code "$1"): $said"
    return 1
  }
  ctr container rm "e$1"
}

# killed_containerd N
killed_containerd() {
  local pid
  pid=$(ctr task ls | awk -v id="e$1" '$1 == id { print $2 }')
  pkill -9 -x containerd
  until_dead
  echo end >"/tmp/go/$1"
  eventually has_ended "$pid"
  daemon
}

# the_rest_ends: all that still run end at once, each with its own status, and nothing of them remains
the_rest_ends() {
  local i left
  left=$((MANY - next + 1))
  for ((i = next; i <= MANY; i++)); do echo end >"/tmp/go/$i"; done
  eventually is "$left" tasks STOPPED || wrong "not all of the last $left ended"
  last() { [ "$1" -lt "$next" ] || ended "$1"; }
  each "$MANY" last || wrong 'a status of the last ones is wrong'
  [ -z "$(ctr task ls -q)" ] || wrong 'tasks are left'
  eventually no prints . find /sys/fs/cgroup -path "*$(cgroup 'e*')" || wrong 'cgroups are left'
  eventually no pgrep -f '^runt-init ' || wrong 'supervisors are left'
  ! grep -q '/default/e[0-9]*/rootfs ' /proc/mounts || wrong 'mounts are left'
}
