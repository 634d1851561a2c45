# Docker: how a container's process starts, communicates and ends.

scenario_docker_output_and_status() {
  run --rm bb sh -c 'echo out; echo err >&2' 2>/tmp/err
  cat /tmp/err
  fails run --rm bb sh -c 'exit 7'
  fails run --rm bb sh -c 'sh -c "kill -KILL \$\$"'
  seq 20000 | run --rm -i bb md5sum
}

scenario_docker_program_missing() {
  fails run --rm bb nonexistent
  fails run --rm bb /nonexistent
  fails run --rm bb /etc/passwd
  fails run --rm bb /etc
  run --rm bb nonexistent 2>&1 | grep -o 'not found in $PATH' || true
  run --rm bb /etc/passwd 2>&1 | grep -o -m 1 'permission denied' || true
}

scenario_docker_host() {
  echo 'of the host' >/tmp/file
  run --rm -v /:/host bb sh -c 'cat /host/tmp/file; ls -d /host/usr/lib/os-release /host/proc/self'
  run --rm -v /tmp/..:/host:ro bb sh -c 'cat /host/tmp/file; ls -d /host/usr/lib/os-release'
}

scenario_docker_exec() {
  run -d --name cc -e A=1 bb sleep 1000
  docker exec cc sh -c 'echo out; echo $A; exit 7' || echo "status $?"
  echo in | docker exec -i cc cat
  docker exec -e B=2 -w /etc -u 1000:5 cc sh -c 'id; pwd; echo $B'
  docker exec -u user cc id
  shown cc docker exec -t cc sh -c 'tty; test -t 1 && echo terminal; stat -c %u:%g:%a $(tty); '"$seen"
  docker exec cc grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status
  docker exec -d cc sh -c 'echo done >/x; mv /x /detached'
  eventually docker exec cc test -e /detached
  docker exec cc cat /detached
  fails docker exec cc nonexistent
  fails docker exec cc /etc/passwd
  fails docker exec -w /nonexistent cc true
}

scenario_docker_exec_privileged() {
  run -d --name cc bb sleep 1000
  docker exec --privileged cc grep CapEff /proc/self/status
}

scenario_docker_logs_and_wait() {
  run -d --name cc bb sh -c 'echo one; sleep 0.2; echo two; exit 5'
  docker wait cc
  docker logs cc
  docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.HostConfig.Runtime}}' cc
}

scenario_docker_create_start_attach() {
  docker create --runtime "$RUNTIME" --network none --name cc -i bb sh -c 'read x; echo "got $x"; exit 6'
  echo hello | docker start -ai cc || echo "status $?"
}

scenario_docker_stop() {
  run -d --name cc bb sh -c 'trap "echo bye; exit 4" TERM; echo up; while :; do sleep 0.1; done'
  logged cc up
  docker stop -t 60 cc
  docker logs cc
  docker inspect -f '{{.State.ExitCode}}' cc
  run -d --name dd bb sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done'
  logged dd up
  docker stop -t 1 dd
  docker inspect -f '{{.State.ExitCode}}' dd
}

scenario_docker_kill() {
  run -d --name cc bb sh -c 'trap "echo hup" HUP; echo up; while :; do sleep 0.1; done'
  logged cc up
  docker kill -s HUP cc
  logged cc hup
  docker kill cc
  docker wait cc
  fails docker kill cc
}

scenario_docker_pause() {
  run -d --name cc bb sleep 1000
  docker pause cc
  docker inspect -f '{{.State.Status}}' cc
  fails docker exec cc true
  docker unpause cc
  docker exec cc echo again
  docker pause cc
  docker rm -f cc
}

scenario_docker_restart() {
  run -d --name cc bb sh -c 'echo up; sleep 1000'
  logged cc up
  docker restart -t 0 cc
  docker inspect -f '{{.State.Status}}' cc
}

scenario_docker_restart_policy() {
  run -d --name cc --restart on-failure:2 bb sh -c 'echo up; exit 1'
  eventually prints '2 exited' docker inspect -f '{{.RestartCount}} {{.State.Status}}' cc
  docker logs cc
  docker inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' cc
}

scenario_docker_tty() {
  shown cc run --rm --name cc -t bb sh -c 'tty; test -t 0 && test -t 2 && echo terminal; stat -c %u:%g:%a $(tty); ls -l /dev/console | cut -c 1-10; '"$seen"
  # The size arrives after the start. Input from before docker has made the terminal raw is lost.
  rm -f /tmp/keys /tmp/typed
  mkfifo /tmp/keys
  script -qec "stty rows 31 cols 77; docker run --runtime $RUNTIME --network none --rm -it bb sh -c 'until stty size | grep \"31 77\"; do sleep 0.1; done; echo ready; read x; exit \$x'" /dev/null </tmp/keys >/tmp/typed 2>&1 &
  exec 3>/tmp/keys
  eventually grep ready /tmp/typed
  echo 3 >&3
  wait $! || echo "status $?"
  exec 3>&-
  grep -o '31 77' /tmp/typed | head -n 1
}

scenario_docker_healthcheck() {
  run -d --name cc --health-cmd 'test -e /well' --health-interval 0.5s --health-retries 1 bb sleep 1000
  eventually prints '^unhealthy' docker inspect -f '{{.State.Health.Status}}' cc
  docker exec cc touch /well
  eventually prints '^healthy' docker inspect -f '{{.State.Health.Status}}' cc
  echo healthy
}

scenario_docker_init() {
  run --rm --init bb sh -c '[ $$ != 1 ]; cat /proc/1/comm'
}

scenario_docker_top_and_stats() {
  run -d --name cc --memory 64m bb sleep 1000
  executes cc 'sleep 1000'
  docker top cc -o pid,args | awk '{ print $2, $3 }' | tail -n 1
  docker top cc -eo pid,comm | awk '{ print $2 }'
  docker stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDs}}' cc | sed -E 's#[0-9.]+[kKM]iB /#USED /#'
}

scenario_docker_copy_and_commit() {
  run -d --name cc bb sleep 1000
  docker exec cc sh -c 'echo new >/new'
  docker cp cc:/new /tmp/new
  cat /tmp/new
  docker cp /etc/debian_version cc:/version
  docker exec cc test -s /version
  docker diff cc | sort
  docker commit cc bb2 >/dev/null
  run --rm bb2 cat /new
  docker rmi bb2 >/dev/null
}

scenario_docker_live_restore() {
  stop_daemon
  daemon --live-restore
  run -d --name cc bb sleep 1000
  kill -KILL "$(cat /run/docker.pid)"
  # Its containerd ends with it.
  eventually no pgrep -x 'dockerd|containerd'
  rm -f /run/docker.pid
  daemon --live-restore
  docker inspect -f '{{.State.Status}}' cc
  docker exec cc echo again
  docker rm -f cc
  stop_daemon
  daemon
}

scenario_docker_many() {
  for i in $(seq 8); do run --rm bb echo "$i" >"/tmp/many-$i" 2>&1 & done
  wait
  for i in $(seq 8); do cat "/tmp/many-$i"; done
  ls /run/docker/runtime-"$RUNTIME"/moby 2>/dev/null || true
}
