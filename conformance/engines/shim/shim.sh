# What is the shim's alone: its own end, and those of containerd; loggers; many containers.

# pids of the shims that run
shims() { pgrep -f "^[^ ]*$program " || true; }

scenario_shim_is_killed() {
  run -d $bb c sh -c 'sleep 1000'
  shims | xargs kill -9
  for _ in $(seq 100); do [ -n "$(ctr task ls -q)" ] || break; sleep 0.1; done
  ctr task ls -q
  pgrep -fx 'sleep 1000' || echo 'no process'
  grep -c ' /run/containerd/io.containerd.runtime.v2.task/default/c/rootfs ' /proc/mounts || true
  find /sys/fs/cgroup -path '*/default/c' | head -n 1
  find /run/containerd -path '*/default/c' -not -path '*/io.containerd.runtime.v2.task/*' | head -n 1
  ctr container rm c
  run --rm $bb c echo again
}

scenario_shim_outlives_containerd() {
  command ctr --address /run/containerd.sock events >/tmp/events 2>&1 &
  run -d $bb c sh -c 'sleep 3; exit 8'
  pkill -9 -x containerd
  while pgrep -x containerd >/dev/null; do sleep 0.1; done
  daemon
  ctr task ls | awk '{ print $1, $3 }'
  ctr task exec --exec-id e c echo inside
  until ctr task ls | grep -q STOPPED; do sleep 0.1; done
  ctr task rm c || echo "status $?"
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
  ctr task exec --exec-id e c echo inside
  rm "$at"
  mv /tmp/old "$at"
  ctr task exec --exec-id f c echo inside
  ctr task exec --exec-id f d echo inside
}

scenario_shim_logger() {
  cat >/tmp/logger <<'END'
#!/bin/sh
exec 5>&-
cat <&4 >/tmp/err &
cat <&3 >/tmp/out
wait
echo "$CONTAINER_ID $CONTAINER_NAMESPACE $1 $2" >/tmp/who
END
  chmod +x /tmp/logger
  rm -f /tmp/who
  run -d --log-uri 'binary:///tmp/logger?a=b' $bb c sh -c 'echo one; echo two >&2'
  until ctr task ls | grep -q STOPPED; do sleep 0.1; done
  ctr task rm c
  until [ -e /tmp/who ]; do sleep 0.1; done
  cat /tmp/out /tmp/err /tmp/who
  run -d --log-uri file:///tmp/logs/file $bb d sh -c 'echo one; sleep 0.1; echo two >&2'
  until ctr task ls | grep -q STOPPED; do sleep 0.1; done
  ctr task rm d
  cat /tmp/logs/file
}

scenario_shim_streams() {
  echo hello | run --rm $bb c cat
  seq 20000 | run --rm $bb c sh -c 'cat; echo end' | tail -n 2
  run --rm $bb c sh -c 'seq 300000; exit 3' | md5sum
  run -d $bb c sh -c 'touch /up; sleep 1000'
  until_up c
  ctr task exec --exec-id e --user 1000:5 c sh -c 'echo mine >/dev/stdout; echo too >/dev/stderr' 2>&1
  seq 100000 | ctr task exec --exec-id f c wc -l
}

scenario_shim_group() {
  run -d --annotation io.containerd.runc.v2.group=pod $bb c sleep 1000 2>/tmp/err || {
    echo "ctr knows no annotations: $(tail -n 1 /tmp/err)"
    exit 77
  }
  run -d --annotation io.containerd.runc.v2.group=pod $bb d sleep 1000
  shims | wc -l
  ctr task kill -s KILL c
  until ctr task ls | grep -q STOPPED; do sleep 0.1; done
  ctr task rm c || echo "status $?"
  ctr task exec --exec-id e d echo inside
}

scenario_shim_update() {
  run -d $bb c sleep 1000
  if ! ctr task --help | grep -q update; then
    ctr task pause c
    ctr task resume c
  fi
  ctr task ls | awk '{ print $1, $3 }'
}

# All at once where a shim serves each.
scenario_shim_many() {
  local i
  for i in $(seq "${MANY:-40}"); do run -d $bb "m$i" sleep 1000; done
  ctr task ls -q | wc -l
  shims | wc -l
  for i in $(seq "${MANY:-40}"); do ctr task kill -s KILL "m$i" & done
  wait
  until ! ctr task ls | grep -q RUNNING; do sleep 0.1; done
  for i in $(seq "${MANY:-40}"); do ctr task rm "m$i" >/dev/null 2>&1 || true; done
  ctr task ls -q | wc -l
  for _ in $(seq 50); do [ -n "$(shims)" ] || break; sleep 0.1; done
  shims | wc -l
  find /sys/fs/cgroup -path '*/default/m*' | head -n 1
}

# Not slower than the runc shim: ten runs of each, taken in turn.
scenario_shim_time() {
  [ "$RUNTIME" = runt ] || exit 0
  local round t from runc=0 runt=0
  for round in 1 2 3; do
    for t in runc.v2 runt.v1; do
      from=$(date +%s%N)
      for _ in 1 2 3 4 5; do ctr run --rm --runtime "io.containerd.$t" $bb "t$round" true; done
      from=$(($(date +%s%N) - from))
      if [ $t = runc.v2 ]; then runc=$((runc + from)); else runt=$((runt + from)); fi
    done
  done
  echo "ctr run --rm: runc $((runc / 15000000)) ms, runt $((runt / 15000000)) ms" >/dev/tty 2>/dev/null || true
  [ $((10 * runt)) -le $((9 * runc)) ] || {
    echo "runc $((runc / 15000000)) ms, runt $((runt / 15000000)) ms"
    exit 1
  }
}
