# Every call on a container in every state: its exit status, and which texts of runc that engines match it prints.

texts='container does not exist|container with given ID already exists|invalid container ID format|container not running|container not paused'
texts+='|cannot (start|exec|delete)[a-z ]* (paused|stopped|already running|state)|that is not stopped: [a-z]+|cannot start a container that has stopped'
texts+='|Container cannot be checkpointed in [a-z]+ state|executable file not found in \$PATH|no such file or directory'

# in_state STATE: brings the container c into it
in_state() {
  # runc sometimes does not end a paused container in time.
  runtime resume c >/dev/null 2>&1 || true
  runtime delete --force c 2>/dev/null || true
  eventually no runtime state c
  case $1 in
    unknown) return 0 ;;
    created) runtime create --bundle /tmp/c c </dev/null >/dev/null 2>&1 ;;
    *) runtime run -d --bundle /tmp/c c </dev/null >/dev/null 2>&1 ;;
  esac
  case $1 in
    paused) runtime pause c ;;
    stopped)
      runtime kill c KILL
      eventually prints '"status": "stopped"' runtime state c
      ;;
  esac
}

# called STATE CALL…: the status and the text of a call; a call that changes the state is followed by a new container
called() {
  local state=$1 status=0 said
  shift
  said=$(timeout 20 "$RUNTIME" --root "/tmp/state-$RUNTIME" "$@" 2>&1 </dev/null) || status=$?
  echo "$state: $*: $status $(grep -o -m 1 -E "$texts" <<<"$said" | head -n 1)"
}

scenario_conmon_calls_in_each_state() {
  # crun has other statuses and other texts.
  [ "$RUNTIME" != crun ] || { echo 'crun is not what engines were written for'; exit 77; }
  bundle c sleep 1000
  printf '{"args": ["true"], "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"], "cwd": "/"}' >/tmp/c.process
  echo '{bad' >/tmp/c.bad
  local state call
  for state in unknown created running paused stopped; do
    in_state $state
    # Calls that change nothing. Each has only one mistake, because runt reports mistakes of the call first.
    while read -r call; do
      # shellcheck disable=SC2086 # words
      called $state $call
    done <<'END'
state c
ps c
ps --format json c
kill c 0
update --pids-limit 10 c
exec --process /tmp/c.process c
exec --process /tmp/c.bad c
exec --process /nofile c
exec c true
exec c nonexistent
exec -d c true
state
state c d
kill
delete
exec
state --nosuchflag c
--nosuchflag list
create --bundle /nonexistent d
create --bundle /tmp/c --pid-file /nodirectory/x d
create --bundle /tmp/c a/b
END
    for call in 'create --bundle /tmp/c c' 'run -d --bundle /tmp/c c' 'start c' 'pause c' 'resume c' 'kill c' 'kill c KILL' 'kill --all c KILL' \
      'delete c' 'delete --force c'; do
      in_state $state
      # shellcheck disable=SC2086 # words
      if [[ $call = *create* ]] || [[ $call = run* ]] || [[ $call = start* ]]; then
        "$RUNTIME" --root "/tmp/state-$RUNTIME" $call </dev/null >/tmp/c.said 2>&1 && echo "$state: $call: 0" ||
          echo "$state: $call: $? $(grep -o -m 1 -E "$texts" /tmp/c.said | head -n 1)"
      else
        called $state $call
      fi
    done
  done
  runtime delete --force c
  runtime list -q
}

# now: the contents of the limit files of the container's cgroups
now() {
  find /sys/fs/cgroup -path '*/c/*' -regextype posix-extended -regex '.*/(memory\.(limit|memsw\.limit|soft_limit|kmem\.tcp\.limit)_in_bytes|cpu\.(shares|cfs_[a-z]*_us|rt_[a-z]*_us|idle)|cpuset\.(cpus|mems)|pids\.max|blkio\.(bfq\.)?weight|memory\.(max|low|swap\.max)|cpu\.(weight|max|max\.burst)|io\.(bfq\.)?weight)' |
    sort | while read -r file; do echo "${file##*/}: $(cat "$file")"; done
}

scenario_conmon_update_flags() {
  bundle c sleep 1000
  runtime run -d --bundle /tmp/c c </dev/null >/dev/null 2>&1
  local flags swap='--memory-swap 256m' v1='--cpu-rt-period 1000000
--cpu-rt-runtime 1
--kernel-memory 64m'
  # A value of shares that all runtimes convert to the same weight. On cgroup v2 runc refuses swap alone, because it is
  # part of the limit of memory and swap. runc silently ignores settings that cgroup v2 does not have; crun and runt
  # refuse them.
  [ ! -e /sys/fs/cgroup/cgroup.controllers ] || { swap="--memory 32m $swap" v1=''; }
  while read -r flags; do
    [ -n "$flags" ] || continue
    # shellcheck disable=SC2086 # words
    runtime update $flags c >/dev/null 2>&1 && echo "$flags: 0" || echo "$flags: $?"
    now
  done <<END
--memory 64m
--memory 64m --memory-swap 128m
--memory-reservation 32m
--memory 32m
$swap
--memory 67108864 --memory-swap -1
--memory -1 --memory-swap -1
--cpu-share 262144
--cpu-period 50000
--cpu-quota 20000
--cpu-period 100000 --cpu-quota 30000
--cpu-quota -1
--cpu-share 0
--cpuset-cpus 0
--cpuset-mems 0
--cpuset-cpus 99
--pids-limit 33
--pids-limit -1
--pids-limit 0
--blkio-weight 500
$v1
--memory 1
END
  runtime delete --force c
}
