# Docker: how a container's process starts, talks and ends.

# until_says ID TEXT: until the container has written it
until_says() { until docker logs "$1" 2>&1 | grep -q "$2"; do sleep 0.1; done; }

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

scenario_docker_exec() {
  run -d --name cc -e A=1 bb sleep 1000
  docker exec cc sh -c 'echo out; echo $A; exit 7' || echo "status $?"
  echo in | docker exec -i cc cat
  docker exec -e B=2 -w /etc -u 1000:5 cc sh -c 'id; pwd; echo $B'
  docker exec -u user cc id
  docker exec -t cc sh -c 'tty; test -t 1 && echo terminal; stat -c %u:%g:%a $(tty); sleep 0.3'
  docker exec cc grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status
  docker exec -d cc sh -c 'echo done >/x; mv /x /detached'
  until docker exec cc cat /detached 2>/dev/null; do sleep 0.1; done
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
  until_says cc up
  docker stop cc
  docker logs cc
  docker inspect -f '{{.State.ExitCode}}' cc
  run -d --name dd bb sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done'
  until_says dd up
  docker stop -t 1 dd
  docker inspect -f '{{.State.ExitCode}}' dd
}

scenario_docker_kill() {
  run -d --name cc bb sh -c 'trap "echo hup" HUP; echo up; while :; do sleep 0.1; done'
  until_says cc up
  docker kill -s HUP cc
  until_says cc hup
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
  until_says cc up
  docker restart -t 0 cc
  docker inspect -f '{{.State.Status}}' cc
}

scenario_docker_restart_policy() {
  run -d --name cc --restart on-failure:2 bb sh -c 'echo up; exit 1'
  for _ in $(seq 100); do
    [ "$(docker inspect -f '{{.RestartCount}} {{.State.Status}}' cc)" != '2 exited' ] || break
    sleep 0.1
  done
  docker logs cc
  docker inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' cc
}

scenario_docker_tty() {
  run --rm -t bb sh -c 'tty; test -t 0 && test -t 2 && echo terminal; stat -c %u:%g:%a $(tty); ls -l /dev/console | cut -c 1-10; sleep 0.3'
  (sleep 2; printf 'stty size\nexit 3\n'; sleep 1) |
    script -qec "stty rows 31 cols 77; docker run --runtime $RUNTIME --network none --rm -it bb sh" /dev/null >/tmp/typed 2>&1 || echo "status $?"
  grep -o '31 77' /tmp/typed | head -n 1
}

scenario_docker_healthcheck() {
  run -d --name cc --health-cmd 'test -e /well' --health-interval 0.5s --health-retries 1 bb sleep 1000
  until [ "$(docker inspect -f '{{.State.Health.Status}}' cc)" = unhealthy ]; do sleep 0.2; done
  docker exec cc touch /well
  until [ "$(docker inspect -f '{{.State.Health.Status}}' cc)" = healthy ]; do sleep 0.2; done
  echo healthy
}

scenario_docker_init() {
  run --rm --init bb sh -c '[ $$ != 1 ]; cat /proc/1/comm'
}

scenario_docker_top_and_stats() {
  run -d --name cc --memory 64m bb sleep 1000
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
  sleep 1
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
