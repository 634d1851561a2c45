# Behaviour of any server of tasks of runt's, a shim or `runt serve`: restarts of containerd, loggers, update and
# checkpoints.

# cgroup ID: the suffix of the cgroup paths of container ID
cgroup() { if [ "$DRIVER" = systemd ]; then echo "/system.slice/runc-$1.scope"; else echo "/default/$1"; fi; }

scenario_task_outlives_containerd() {
  run -d $bb c sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 8'
  pkill -9 -x containerd
  until_dead
  daemon
  ctr task ls | awk '{ print $1, $3 }'
  executed c echo inside
  # Its process is killed with the container, sometimes before it has ended.
  executed c touch /go || true
  until_stopped
  ctr task rm c || echo "status $?"
}

# away COMMAND…: runs it while no containerd runs
away() {
  pkill -9 -x containerd
  until_dead
  "$@"
  daemon
}

# has_ended ID: whether a process is gone, or a zombie
has_ended() { ! [ -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }

# ends ID: ends a process that waits for /go in its root, and waits for its end
ends() {
  : >"/proc/$1/root/go"
  eventually has_ended "$1"
}

# A starting containerd regards a task without processes as left over: with the shim of runc the status is lost.
scenario_task_end_while_containerd_is_away() {
  [ "$RUNTIME" = runt ] || exit 0
  local pid
  run -d $bb c sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 42'
  pid=$(ctr task ls | awk '$1 == "c" { print $2 }')
  away ends "$pid"
  ctr task ls | grep -q '^c .*STOPPED'
  ctr task rm c 2>&1 | grep -q "code 42"
}

scenario_task_logger() {
  cat >/tmp/logger <<'END'
#!/bin/sh
echo "$CONTAINER_ID $CONTAINER_NAMESPACE $1 $2" >/tmp/who
exec 5>&-
cat <&4 >/tmp/err &
cat <&3 >/tmp/out
wait
END
  chmod +x /tmp/logger
  rm -rf /tmp/who /tmp/out /tmp/err /tmp/logs
  run -d --log-uri 'binary:///tmp/logger?a=b' $bb c sh -c 'echo one; echo two >&2'
  until_stopped
  ctr task rm c
  cat /tmp/out /tmp/err /tmp/who
  run -d --log-uri file:///tmp/logs/file $bb d sh -c 'echo one; sleep 1; echo two >&2; sleep 2'
  until_stopped
  ctr task rm d
  # The shim of runc may write it later, and on a slow machine it never writes the last output.
  eventually grep two /tmp/logs/file || true
  cat /tmp/logs/file
}

# binary-v2:// exists since containerd 2.3: a logger is ready after it has written a byte.
scenario_task_logger_that_writes() {
  ctr plugins ls -d id==task | grep -q binary-v2 || {
    echo 'this containerd has no binary-v2://'
    exit 77
  }
  printf '#!/bin/sh\n[ -z "$1" ] || printf x >&5\nexec 5>&-\ncat <&3 >/tmp/out\n' >/tmp/logger
  chmod +x /tmp/logger
  rm -f /tmp/out
  run -d --log-uri 'binary-v2:///tmp/logger?write' $bb c echo one
  until_stopped
  ctr task rm c
  cat /tmp/out
  fails run -d --log-uri binary-v2:///tmp/logger $bb d echo two
}

# Each waits a little at its end, for the reason of shown.
scenario_task_streams() {
  (seq 20000; echo fed) | fed c /tmp/fed run --rm $bb c sh -c ': >/fed; cat; echo end; sleep 2' | tail -n 2
  shown $bb c seq 300000 | md5sum
  run -d $bb c sh -c 'touch /up; sleep 1000'
  until_up c
  ctr task exec --exec-id e --user 1000:5 c sh -c 'echo mine >/dev/stdout; echo too >/dev/stderr; sleep 2' 2>/tmp/err
  cat /tmp/err
  (seq 100000; echo fed) | fed c /tmp/fed ctr task exec --exec-id f c sh -c ': >/fed; cat' | wc -l
}

# changed VALUE: the value of cpu.weight, or "changed", because runtimes convert cpu.shares in two ways
changed() { if [ -e /sys/fs/cgroup/cgroup.controllers ] && [ "$1" != 100 ]; then echo changed; else echo "$1"; fi; }

# limit: the kernel's value of a limit of container c
limit() { cat "/sys/fs/cgroup/$1$(cgroup c)/$2" 2>/dev/null || cat "/sys/fs/cgroup$(cgroup c)/$3" 2>/dev/null || echo none; }

scenario_task_update() {
  run -d --memory-limit 67108864 $bb c sleep 1000
  update() { perl "$here/shim/update.pl" /run/containerd.sock "$@" || echo refused; }
  update c '{"memory":{"limit":33554432},"cpu":{"shares":512},"pids":{"limit":77}}'
  limit memory memory.limit_in_bytes memory.max
  changed "$(limit cpu cpu.shares cpu.weight)"
  limit pids pids.max pids.max
  update c '{"pids":{"limit":55}}'
  limit memory memory.limit_in_bytes memory.max
  limit pids pids.max pids.max
  update c '{'
  update nothing '{}'
  ctr task ls | awk '{ print $1, $3 }'
}

# criu_works: skips the scenario if criu does not work
criu_works() {
  criu check >/tmp/criu 2>&1 || {
    echo "criu does not work here: $(tail -n 1 /tmp/criu)"
    exit 77
  }
}

count='i=0; while :; do i=$((i + 1)); echo $i >/count; sleep 0.1; done'

# counted ID: the current count; the file is sometimes empty for a moment
counted() {
  local n=''
  while [ -z "$n" ]; do n=$(ctr task exec --exec-id "n$RANDOM" "$1" cat /count); done
  echo "$n"
}
# beyond ID NUMBER: whether it has counted beyond NUMBER
beyond() { [ "$(counted "$1")" -gt "$2" ]; }

# counts ID: whether the container continues to count
counts() {
  local one
  one=$(counted "$1")
  eventually beyond "$1" "$one" && echo "$1 counts"
}

scenario_task_checkpoint() {
  criu_works
  # containerd stores the config of the container as content, once.
  run -d --env "OF=$RUNTIME" $bb c sh -c "$count"
  eventually beyond c 1
  ctr task checkpoint c | sed 's/.*checkpoint.*/an image/'
  counts c
  ctr task ls | awk '{ print $1, $3 }'
}

scenario_task_restore() {
  criu_works
  local at
  run -d $bb c sh -c "$count"
  eventually beyond c 10
  ctr container checkpoint --rw --task c docker.io/library/counting:1
  ctr task kill -s KILL c
  until_stopped
  ctr task rm c >/dev/null 2>&1 || true
  ctr container restore --rw --live d docker.io/library/counting:1
  at=$(counted d)
  [ "$at" -gt 10 ] && echo 'from where it was'
  counts d
  ctr image rm docker.io/library/counting:1
}

# again: restarts containerd
again() {
  pkill -x -KILL containerd
  until_dead
  daemon
}
