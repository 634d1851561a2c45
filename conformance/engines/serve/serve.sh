# Behaviour of `runt serve` under containerd: containers outlive it, and it knows them when it is started again. The
# shim of runc has no counterpart: a scenario prints nothing.

# of_runt: ends the scenario for the reference
of_runt() { [ "$RUNTIME" = runt ] || exit 0; }

# state_is ID STATE: whether the task has that status
state_is() { ctr task ls | grep -q "^$1 .*$2"; }

# code_of ID: removes a task that has ended, and prints its status
code_of() { ctr task rm "$1" 2>&1 | sed -nE 's/.*code (=)?([0-9]+).*/\2/p'; }

scenario_serve_is_killed() {
  of_runt
  run -d $bb c sh -c 'touch /up; until [ -e /go ]; do sleep 0.1; done; exit 42'
  until_up c
  server_killed
  eventually state_is c RUNNING
  [ "$(executed c echo inside)" = inside ]
  executed c touch /go || true
  eventually state_is c STOPPED
  [ "$(code_of c)" = 42 ]
}

# The container ends while no server runs: its supervisor has seen how.
scenario_serve_true_status() {
  of_runt
  local pid server
  run -d $bb c sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 42'
  pid=$(ctr task ls | awk '$1 == "c" { print $2 }')
  server=$(server_pid)
  kill -STOP "$server"
  ends "$pid"
  kill -9 "$server"
  eventually state_is c STOPPED
  [ "$(code_of c)" = 42 ]
}

scenario_serve_is_killed_with_containerd() {
  of_runt
  local server pid
  run -d $bb c sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 42'
  run -d $bb d sleep 1000
  pid=$(ctr task ls | awk '$1 == "c" { print $2 }')
  server=$(server_pid)
  kill -STOP "$server"
  pkill -9 -x containerd
  until_dead
  ends "$pid"
  kill -9 "$server"
  eventually server_is_another "$server"
  daemon
  eventually state_is c STOPPED
  [ "$(code_of c)" = 42 ]
  state_is d RUNNING
  [ "$(executed d echo inside)" = inside ]
}

# A server that ends by SIGTERM leaves the containers, and the next one serves them.
scenario_serve_is_stopped() {
  of_runt
  local server
  run -d $bb c sleep 1000
  server=$(server_pid)
  kill "$server"
  eventually server_is_another "$server"
  eventually state_is c RUNNING
  [ "$(executed c echo inside)" = inside ]
}

# What was executed goes on, and its status is known.
scenario_serve_is_killed_during_exec() {
  of_runt
  run -d $bb c sleep 1000
  ctr task exec -d --exec-id e c sh -c 'touch /begun; until [ -e /go ]; do sleep 0.1; done; exit 7'
  until_there c /begun
  server_killed
  eventually state_is c RUNNING
  ctr task ps c | grep -q ' e\b\|exec_id:"e"\|ExecID:e'
  executed c touch /go
  eventually no sh -c "ctr --address $address task ps c | grep -q ' e\b\|exec_id:\"e\"\|ExecID:e'"
}

# Its output goes on too: nothing of it is lost.
scenario_serve_is_killed_during_output() {
  of_runt
  rm -f /tmp/logs/counted
  run -d --log-uri file:///tmp/logs/counted $bb c sh -c 'i=0; while [ $i -lt 400 ]; do i=$((i + 1)); echo $i; sleep 0.02; done; echo counted'
  for _ in 1 2 3; do
    sleep 1
    server_killed
  done
  eventually grep -q counted /tmp/logs/counted
  [ "$(grep -v counted /tmp/logs/counted)" = "$(seq 400)" ]
}

scenario_serve_streams_outlive_the_server() {
  of_runt
  run $bb c sh -c 'touch /up; until [ -e /go ]; do sleep 0.1; done; echo after; touch /said; sleep 1000' >/tmp/attached 2>/dev/null </dev/null &
  until_up c
  server_killed
  eventually state_is c RUNNING
  executed c touch /go
  until_there c /said
  eventually grep -q after /tmp/attached
}

# All at once, in one server.
scenario_serve_many() {
  local i server
  for i in $(seq "$MANY"); do run -d $bb "m$i" sleep 1000; done
  ctr task ls -q | wc -l
  [ "$RUNTIME" != runt ] || {
    server=$(server_pid)
    echo "server $(pss "$server") KB, supervisors $(($(for p in $(pgrep -f '^runt-init '); do pss "$p"; done | paste -sd+))) KB" >"$NOTE"
  }
  for i in $(seq "$MANY"); do ctr task kill -s KILL "m$i" & done
  wait
  eventually no prints RUNNING ctr task ls
  # The first removal sometimes fails with the shim of runc.
  for i in $(seq "$MANY"); do ctr task rm "m$i" >/dev/null 2>&1 || ctr task rm "m$i" >/dev/null 2>&1 || true; done
  ctr task ls -q | wc -l
  for i in $(seq "$MANY"); do ctr container rm "m$i"; done
  find /sys/fs/cgroup -path "*$(cgroup 'm*')" | head -n 1
  [ "$RUNTIME" != runt ] || [ "$(server_pid)" = "$server" ]
}

# pss PID: its proportional set size in KB
pss() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }

# killed_server N
killed_server() {
  local pid server
  pid=$(ctr task ls | awk -v id="e$1" '$1 == id { print $2 }')
  server=$(server_pid)
  kill -STOP "$server"
  echo end >"/tmp/go/$1"
  eventually has_ended "$pid"
  kill -9 "$server"
  eventually server_is_another "$server"
}

# killed_both N
killed_both() {
  local pid server
  pid=$(ctr task ls | awk -v id="e$1" '$1 == id { print $2 }')
  server=$(server_pid)
  pkill -9 -x containerd
  kill -9 "$server"
  echo end >"/tmp/go/$1"
  eventually has_ended "$pid"
  until_dead
  eventually server_is_another "$server"
  daemon
}

scenario_serve_endures() {
  of_runt
  endures server containerd both
  the_rest_ends
}
