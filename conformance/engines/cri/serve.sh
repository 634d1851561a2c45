# Pods of `runt serve`, which outlive it: it is killed and started again. The shim of runc has no counterpart, and these
# scenarios are for HANDLER=serve and HANDLER=streaming.
# shellcheck disable=SC2154 # from setup.sh

# of_serve: ends the scenario for other handlers
of_serve() { [ "$RUNTIME" = runt ] && [[ "${HANDLER:-}" =~ ^(serve|streaming)$ ]] || exit 0; }

# waits NAME CODE: the command of a container that ends with CODE once something is written to /tmp/pods/go/NAME
waits() { echo "read word <>/go/$1; exit $2"; }
go='"mounts": [{"container_path": "/go", "host_path": "/tmp/pods/go"}]'

# way NAME: makes what such a container waits for
way() {
  mkdir -p /tmp/pods/go
  rm -f "/tmp/pods/go/$1"
  mkfifo "/tmp/pods/go/$1"
}

# end_of NAME ID: ends it, and waits until its process has ended
end_of() {
  local pid
  pid=$(status inspect "$2" all.info.pid)
  echo end >"/tmp/pods/go/$1"
  eventually zombie "$pid"
}

# engine_killed: kills containerd
engine_killed() {
  pkill -x -KILL containerd
  eventually no pgrep -x containerd
}

scenario_pod_serve_is_killed() {
  of_serve
  local p c d
  p=$(pod s1)
  way c
  c=$(container "$p" s1 c "echo before; $(waits c 42)" '' "$go")
  d=$(container "$p" s1 d 'i=0; while [ $i -lt 200 ]; do i=$((i + 1)); echo $i; sleep 0.02; done; sleep 1000')
  server_killed
  run_in -s "$c" echo inside | grep -qx inside
  status inspectp "$p" s.state | grep -q SANDBOX_READY
  status inspect "$c" s.state | grep -q CONTAINER_RUNNING
  eventually prints ' 200$' lines s1 d
  lines s1 d | sed 's/.* //' | diff - <(seq 200)
  end_of c "$c"
  [ "$(ended "$c")" = 'CONTAINER_EXITED 42 Error' ]
  crictl stop --timeout 1 "$d" >/dev/null 2>&1
  [ "$(ended "$d")" = 'CONTAINER_EXITED 143 Error' ]
}

# Containers end while neither containerd nor the server runs.
scenario_pod_serve_is_killed_with_containerd() {
  of_serve
  local p c d server
  p=$(pod s2)
  way c
  c=$(container "$p" s2 c "$(waits c 42)" '' "$go")
  d=$(container "$p" s2 d 'sleep 1000')
  server=$(server_pid)
  kill -STOP "$server"
  engine_killed_during "$c" c
  kill -9 "$server"
  eventually server_is_another "$server"
  engine_starts
  [ "$(ended "$c")" = 'CONTAINER_EXITED 42 Error' ]
  status inspect "$d" s.state | grep -q CONTAINER_RUNNING
  run_in -s "$d" echo inside | grep -qx inside
}

# engine_killed_during ID NAME: containerd is killed, then the container ends
engine_killed_during() {
  local pid
  pid=$(status inspect "$1" all.info.pid)
  engine_killed
  echo end >"/tmp/pods/go/$2"
  eventually zombie "$pid"
}

# The pod itself ends while the server is away.
scenario_pod_serve_ends_with_the_pod() {
  of_serve
  local p pid server
  p=$(pod s3)
  pid=$(status inspectp "$p" all.info.pid)
  server=$(server_pid)
  kill -STOP "$server"
  kill -9 "$pid"
  kill -9 "$server"
  eventually server_is_another "$server"
  eventually prints SANDBOX_NOTREADY crictl inspectp "$p"
  crictl rmp -f "$p" >/dev/null 2>&1
  [ -z "$(crictl pods -q 2>/dev/null)" ]
}

# code N: with which container N ends
code() { echo $(($1 % 50 + 1)); }
# the file with the id of container N
id_of() { cat "/tmp/pods/ids/$1"; }

# endurers P: pod P of 40, and its containers
endurers() {
  local p n
  p=$(pod "e$1")
  for ((n = $1; n <= MANY; n += 40)); do
    way "$n"
    container "$p" "e$1" "c$n" "$(waits "$n" "$(code "$n")")" '' "$go" >"/tmp/pods/ids/$n"
  done
}

# running, ready: the numbers of containers and of pods
running() { crictl ps -q 2>/dev/null | wc -l; }
ready() { crictl pods -q --state ready 2>/dev/null | wc -l; }
is() { [ "$("${@:2}")" = "$1" ]; }

# wrong: tells what is not as it should be, and ends the scenario
wrong() {
  echo "$*"
  echo "$(running) containers run, $(ready) pods are ready"
  crictl ps -a 2>/dev/null | awk '{ print $5, $6 }' | sort | uniq -c | head
  exit 1
}

# survive WHAT N: after WHAT, container N has ended with its status, and all others and the pods run
survive() {
  [ "$(ended "$(id_of "$2")" | cut -d ' ' -f 1,2)" = "CONTAINER_EXITED $(code "$2")" ] || wrong "$1: container $2 did not end with $(code "$2"): $(ended "$(id_of "$2")")"
  eventually is $((MANY - $2)) running || wrong "$1: not $((MANY - $2)) run"
  eventually is 40 ready || wrong "$1: not 40 pods are ready"
}

# MANY containers in 40 pods, made 40 at a time, live through KILLS kills of the server, of containerd, and of both.
scenario_pod_serve_endures() {
  of_serve
  local i n=1 round server PATIENCE=60
  mkdir -p /tmp/pods/ids
  for i in $(seq 40); do endurers "$i" & done
  wait
  eventually is "$MANY" running || wrong "not $MANY containers were made"
  for ((round = 1; round <= ${KILLS:-20}; round++)); do
    server=$(server_pid)
    kill -STOP "$server"
    echo end >"/tmp/pods/go/$n"
    kill -9 "$server"
    eventually server_is_another "$server"
    survive "round $round, server" "$n"
    n=$((n + 1))

    engine_killed
    echo end >"/tmp/pods/go/$n"
    engine_starts
    survive "round $round, containerd" "$n"
    n=$((n + 1))

    server=$(server_pid)
    engine_killed
    kill -9 "$server"
    echo end >"/tmp/pods/go/$n"
    eventually server_is_another "$server"
    engine_starts
    survive "round $round, both" "$n"
    n=$((n + 1))
  done
  echo "$((MANY - n + 1)) of $MANY containers and 40 pods lived through ${KILLS:-20} kills each of the server, containerd, both" >"$NOTE"
  for ((i = n; i <= MANY; i++)); do echo end >"/tmp/pods/go/$i"; done
  eventually is 0 running || wrong 'the last did not end'
  for ((i = n; i <= MANY; i++)); do
    [ "$(ended "$(id_of "$i")" | cut -d ' ' -f 1,2)" = "CONTAINER_EXITED $(code "$i")" ] || wrong "container $i did not end with $(code "$i")"
  done
  crictl rmp -a -f >/dev/null 2>&1 || wrong 'pods could not be removed'
  eventually no pgrep -f '^runt-init ' || wrong 'processes are left'
}
