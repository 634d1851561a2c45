# Behaviour of the shim alone: its own end, its start, many of them.

# shims: the pids of the running shims
shims() { pgrep -f "^[^ ]*$program " || true; }

# left: what remains of container c, and should not; the shim of runc sometimes leaves some of it
left() {
  grep ' /run/containerd/io.containerd.runtime.v2.task/default/c/rootfs ' /proc/mounts || true
  find /sys/fs/cgroup -path "*$(cgroup c)"
  find /run/containerd -path '*/default/c' -not -path '*/io.containerd.runtime.v2.task/*'
  pgrep -f '^runt-init ' || true
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
  # Beside it is the one for deletes (gRPC).
  find /run/sockets/of/shims -type s -not -name '*.hold' | wc -l
  executed c echo inside
  cp /tmp/as-it-was.toml /etc/containerd.toml
  again
  executed c echo 'inside again'
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

# The protocol is that of the runtime type.
scenario_shim_protocol() {
  [ "$RUNTIME" = runt ] || exit 0
  local spoken expected=ttrpc
  [ -z "${transport:-}" ] || expected=grpc
  run -d $bb c sleep 1000
  spoken=$(cd /run/containerd/io.containerd.runtime.v2.task/default/c && cat bootstrap.json address 2>/dev/null | grep -oE '"protocol":"[a-z]+"' | head -n 1 | cut -d'"' -f4) || true
  echo "${spoken:-ttrpc}" >"$NOTE"
  [ "${spoken:-ttrpc}" = $expected ] || {
    cat "$NOTE"
    exit 1
  }
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
  [ "$RUNTIME" = runt ] || exit 0
  local i ms runc=1000000 runt=1000000
  # More rounds on a busy machine.
  for ((i = 0; i < 5 || (i < 20 && 10 * runt > 9 * runc); i++)); do
    ms=$(type=io.containerd.runc.v2 rounds run --rm $bb time true)
    [ "$ms" -ge "$runc" ] || runc=$ms
    ms=$(type=io.containerd.runt${transport:-}.v1 rounds run --rm $bb time true)
    [ "$ms" -ge "$runt" ] || runt=$ms
  done
  echo "ctr run --rm: $((runc / 5)) ms with runc's shim, $((runt / 5)) ms with runt's" >"$NOTE"
  [ $((10 * runt)) -le $((9 * runc)) ] || {
    cat "$NOTE"
    exit 1
  }
}

# held: the KB (PSS) of the shims and of their processes beside the containers'
held() { for p in $(shims) $(pgrep -f '^runt-init '); do cat "/proc/$p/smaps_rollup"; done | awk '/^Pss:/ { sum += $2 } END { print sum }'; }

# small KB: whether they use no more
small() { [ "$(held)" -le "$1" ]; }

# Idle with one container at most 5 MB, over gRPC 6; each additional container of a pod at most 1 MB more.
scenario_shim_memory() {
  [ "$RUNTIME" = runt ] || exit 0
  local i one ten most=5120
  [ -z "${transport:-}" ] || most=6144
  run -d --annotation io.containerd.runc.v2.group=pod $bb p1 sleep 1000
  eventually small $most || true
  one=$(held)
  for i in $(seq 2 10); do run -d --annotation io.containerd.runc.v2.group=pod $bb "p$i" sleep 1000; done
  eventually small $((one + 9 * 1024)) || true
  ten=$(held)
  echo "one container $one KB, ten in a pod $ten KB" >"$NOTE"
  [ "$(shims | wc -l)" = 1 ] && [ "$one" -le $most ] && [ $((ten - one)) -le $((9 * 1024)) ] || {
    cat "$NOTE"
    exit 1
  }
}
