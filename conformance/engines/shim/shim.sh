# Behaviour of the shim alone: its own end, and that of containerd; loggers; many containers.

# shims: the pids of the running shims
shims() { pgrep -f "^[^ ]*$program " || true; }

# cgroup ID: the suffix of the cgroup paths of container ID
cgroup() { if [ "$DRIVER" = systemd ]; then echo "/system.slice/runc-$1.scope"; else echo "/default/$1"; fi; }

# left: what remains of container c, and should not; the shim of runc sometimes leaves some of it
left() {
  grep ' /run/containerd/io.containerd.runtime.v2.task/default/c/rootfs ' /proc/mounts || true
  find /sys/fs/cgroup -path "*$(cgroup c)"
  find /run/containerd -path '*/default/c' -not -path '*/io.containerd.runtime.v2.task/*'
  pgrep -x runt-init || true
}

scenario_shim_is_killed() {
  run -d $bb c sh -c 'sleep 1000'
  shims | xargs kill -9
  eventually no prints . ctr task ls -q || true
  ctr task ls -q
  eventually no pgrep -fx 'sleep 1000' || true
  pgrep -fx 'sleep 1000' || echo 'no process'
  [ "$RUNTIME" != runt ] || {
    eventually no prints . left || true
    left
  }
  ctr container rm c
  shown $bb again echo again
}

# The supervisor saw the exit that the shim did not see, so containerd gets the true status. With the shim of runc it is
# always 137.
scenario_shim_true_status() {
  [ "$RUNTIME" = runt ] || exit 0
  local events
  watched
  run -d $bb c sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 42'
  pid=$(ctr task ls | awk '$1 == "c" { print $2 }')
  shims | xargs kill -STOP
  : >"/proc/$pid/root/go"
  eventually no test -d "/proc/$pid"
  shims | xargs kill -9
  eventually no prints . ctr task ls -q || true
  ctr task ls -q
  eventually grep -a /tasks/exit /tmp/events || true
  kill $events
  grep -a /tasks/exit /tmp/events | grep -q '"exit_status":42' || {
    grep -a /tasks/exit /tmp/events
    exit 1
  }
}

scenario_shim_outlives_containerd() {
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
scenario_shim_end_while_containerd_is_away() {
  [ "$RUNTIME" = runt ] || exit 0
  local pid
  run -d $bb c sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 42'
  pid=$(ctr task ls | awk '$1 == "c" { print $2 }')
  away ends "$pid"
  ctr task ls | grep -q '^c .*STOPPED'
  ctr task rm c 2>&1 | grep -q "code 42"
}

# The program is replaced, as by an upgrade, while a shim runs.
scenario_shim_is_replaced() {
  local at
  run -d $bb c sleep 1000
  at=$(command -v "$program")
  cp "$(readlink -f "$at")" /tmp/new
  mv "$at" /tmp/old
  install /tmp/new "$at"
  run -d $bb d sleep 1000
  executed c echo inside
  rm "$at"
  mv /tmp/old "$at"
  executed c echo inside
  executed d echo inside
}

scenario_shim_logger() {
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
scenario_shim_logger_that_writes() {
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

# The sockets of shims are in the directory of containerd 2.3's config, and a containerd without that setting finds them
# again.
scenario_shim_socket_dir() {
  containerd config default | grep -q socket_dir || {
    echo 'this containerd has no socket_dir'
    exit 77
  }
  cp /etc/containerd.toml /tmp/as-it-was.toml
  trap 'cp /tmp/as-it-was.toml /etc/containerd.toml' EXIT
  printf '[plugins."io.containerd.shim.v1.manager"]\n  socket_dir = "/run/sockets/of/shims"\n' >>/etc/containerd.toml
  again
  run -d $bb c sleep 1000
  find /run/sockets/of/shims -type s | wc -l
  executed c echo inside
  cp /tmp/as-it-was.toml /etc/containerd.toml
  again
  executed c echo 'inside again'
}

# Each waits a little at its end, for the reason of shown.
scenario_shim_streams() {
  (seq 20000; echo fed) | fed c /tmp/fed run --rm $bb c sh -c ': >/fed; cat; echo end; sleep 2' | tail -n 2
  shown $bb c seq 300000 | md5sum
  run -d $bb c sh -c 'touch /up; sleep 1000'
  until_up c
  ctr task exec --exec-id e --user 1000:5 c sh -c 'echo mine >/dev/stdout; echo too >/dev/stderr; sleep 2' 2>/tmp/err
  cat /tmp/err
  (seq 100000; echo fed) | fed c /tmp/fed ctr task exec --exec-id f c sh -c ': >/fed; cat' | wc -l
}

scenario_shim_group() {
  run -d --annotation io.containerd.runc.v2.group=pod $bb c sleep 1000 2>/tmp/err || {
    echo "ctr knows no annotations: $(tail -n 1 /tmp/err)"
    exit 77
  }
  run -d --annotation io.containerd.runc.v2.group=pod $bb d sleep 1000
  shims | wc -l
  ctr task kill -s KILL c
  until_stopped
  ctr task rm c || echo "status $?"
  executed d echo inside
}

# changed VALUE: the value of cpu.weight, or "changed", because runtimes convert cpu.shares in two ways
changed() { if [ -e /sys/fs/cgroup/cgroup.controllers ] && [ "$1" != 100 ]; then echo changed; else echo "$1"; fi; }

# limit: the kernel's value of a limit of container c
limit() { cat "/sys/fs/cgroup/$1$(cgroup c)/$2" 2>/dev/null || cat "/sys/fs/cgroup$(cgroup c)/$3" 2>/dev/null || echo none; }

scenario_shim_update() {
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

scenario_shim_checkpoint() {
  criu_works
  # containerd stores the config of the container as content, once.
  run -d --env "OF=$RUNTIME" $bb c sh -c "$count"
  eventually beyond c 1
  ctr task checkpoint c | sed 's/.*checkpoint.*/an image/'
  counts c
  ctr task ls | awk '{ print $1, $3 }'
}

# containerd up to 1.7 passes --exit and --image-path only to runtimes of runc's type.
scenario_shim_checkpoint_ends() {
  criu_works
  in_runcs_place
  local type=io.containerd.runc.v2
  run -d $bb c sh -c "$count"
  eventually beyond c 1
  rm -rf /tmp/image
  ctr task checkpoint --image-path /tmp/image --exit c | sed 's/.*/checkpoint/'
  until_stopped
  ls /tmp/image | grep -c '^core-'
  again
}

scenario_shim_restore() {
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

# The shim by its path, as in containerd's options, instead of a type.
scenario_shim_by_path() {
  ctr run --rm --runtime "$(command -v "$program")" $bb c echo by path 2>/tmp/err || {
    [ "$RUNTIME" = runc ] || exit 1
    echo "ctr knows no path: $(tail -n 1 /tmp/err)"
    exit 77
  }
  ctr run -d --runtime "$(command -v "$program")" $bb d sleep 1000
  ctr task exec --exec-id e d sh -c 'echo inside; sleep 1'
}

# again: restarts containerd
again() {
  pkill -x -KILL containerd
  until_dead
  daemon
}

# in_runcs_place: containerd uses the shim for io.containerd.runc.v2, until the next restart
in_runcs_place() {
  mkdir -p /tmp/place
  rm -f /tmp/place/*
  printf '#!/bin/sh\nexec %s "$@"\n' "$(command -v "$program")" >/tmp/place/containerd-shim-runc-v2
  chmod +x /tmp/place/containerd-shim-runc-v2
  PATH=/tmp/place:$PATH again
}

# With the options of that type.
scenario_shim_in_runcs_place() {
  in_runcs_place
  local type=io.containerd.runc.v2
  shown $bb c echo out
  run -d --runc-binary runc --uidmap 0:100000:65536 --gidmap 0:100000:65536 $bb d sleep 1000
  executed d cat /proc/self/uid_map
  shims | wc -l
  again
  executed d echo inside
}

# All at once, where each has its own shim.
scenario_shim_many() {
  local i
  for i in $(seq "$MANY"); do run -d $bb "m$i" sleep 1000; done
  ctr task ls -q | wc -l
  shims | wc -l
  for i in $(seq "$MANY"); do ctr task kill -s KILL "m$i" & done
  wait
  eventually no prints RUNNING ctr task ls
  # The first removal sometimes fails with the shim of runc.
  for i in $(seq "$MANY"); do ctr task rm "m$i" >/dev/null 2>&1 || ctr task rm "m$i" >/dev/null 2>&1 || true; done
  ctr task ls -q | wc -l
  eventually no prints . shims || true
  shims | wc -l
  for i in $(seq "$MANY"); do ctr container rm "m$i"; done
  find /sys/fs/cgroup -path "*$(cgroup 'm*')" | head -n 1
}

# The protocol: gRPC if it was requested and containerd supports it, as 1.7 does; 2.x regards a gRPC shim as ended while
# it still connects to it.
scenario_shim_protocol() {
  [ "$RUNTIME" = runt ] || exit 0
  local spoken expected=ttrpc
  [ -z "${transport:-}" ] || case $(containerd --version) in *' 1.7.'*) expected=grpc ;; esac
  run -d $bb c sleep 1000
  spoken=$(cd /run/containerd/io.containerd.runtime.v2.task/default/c && cat bootstrap.json address 2>/dev/null | grep -oE '"protocol":"[a-z]+"' | head -n 1 | cut -d'"' -f4) || true
  echo "${spoken:-ttrpc}" >"$NOTE"
  [ "${spoken:-ttrpc}" = $expected ] || {
    cat "$NOTE"
    exit 1
  }
}

# Only the shim that needs no Node.js has limits of time and memory.
of_ttrpc() {
  [ -n "${transport:-}" ] || return 0
  echo 'measured over ttrpc alone'
  exit 77
}

# rounds COMMAND…: the ms of five runs
rounds() {
  local from
  from=$(date +%s%N)
  for _ in 1 2 3 4 5; do "$@" >/dev/null; done
  echo $((($(date +%s%N) - from) / 1000000))
}

# At most 0.9 of the time of the runc shim: the best of alternating rounds, because other programs may use the machine.
scenario_shim_time() {
  of_ttrpc
  [ "$RUNTIME" = runt ] || exit 0
  local i ms runc=1000000 runt=1000000
  # More rounds on a busy machine.
  for ((i = 0; i < 5 || (i < 20 && 10 * runt > 9 * runc); i++)); do
    ms=$(type=io.containerd.runc.v2 rounds run --rm $bb time true)
    [ "$ms" -ge "$runc" ] || runc=$ms
    ms=$(type=io.containerd.runt.v1 rounds run --rm $bb time true)
    [ "$ms" -ge "$runt" ] || runt=$ms
  done
  echo "ctr run --rm: $((runc / 5)) ms with runc's shim, $((runt / 5)) ms with runt's" >"$NOTE"
  [ $((10 * runt)) -le $((9 * runc)) ] || {
    cat "$NOTE"
    exit 1
  }
}

# held: the KB (PSS) of the shims and of their processes beside the containers'
held() { for p in $(shims) $(pgrep -x runt-init); do cat "/proc/$p/smaps_rollup"; done | awk '/^Pss:/ { sum += $2 } END { print sum }'; }

# small KB: whether they use no more
small() { [ "$(held)" -le "$1" ]; }

# Idle with one container at most 5 MB; each additional container of a pod at most 1 MB more.
scenario_shim_memory() {
  of_ttrpc
  [ "$RUNTIME" = runt ] || exit 0
  local i one ten
  run -d --annotation io.containerd.runc.v2.group=pod $bb p1 sleep 1000
  eventually small 5120 || true
  one=$(held)
  for i in $(seq 2 10); do run -d --annotation io.containerd.runc.v2.group=pod $bb "p$i" sleep 1000; done
  eventually small $((one + 9 * 1024)) || true
  ten=$(held)
  echo "one container $one KB, ten in a pod $ten KB" >"$NOTE"
  [ "$(shims | wc -l)" = 1 ] && [ "$one" -le 5120 ] && [ $((ten - one)) -le $((9 * 1024)) ] || {
    cat "$NOTE"
    exit 1
  }
}
