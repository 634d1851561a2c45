# Podman: how a container's process starts, communicates and ends.

scenario_output_and_status() {
  podman run --rm --network none bb sh -c 'echo out; echo err >&2' 2>/tmp/err
  cat /tmp/err
  fails podman run --rm --network none bb sh -c 'exit 7'
  fails podman run --rm --network none bb sh -c 'sh -c "kill -KILL \$\$"'
  fails podman run --rm --network none bb sh -c 'sleep 1 & kill $!; wait $!'
}

scenario_program_missing() {
  fails podman run --rm --network none bb /nonexistent
  fails podman run --rm --network none bb nonexistent
  fails podman run --rm --network none bb /etc
  fails podman run --rm --network none bb /etc/passwd
  fails podman run --rm --network none --workdir /etc/passwd bb true
}

scenario_program_missing_text() {
  said 'not found in \$PATH' podman run --rm --network none bb nonexistent
  said 'permission denied' podman run --rm --network none bb /etc/passwd
  said 'no such file or directory' podman run --rm --network none bb /nonexistent
}

scenario_stdin() {
  seq 20000 | podman run --rm -i --network none bb md5sum
  head -c 3000000 /dev/zero | podman run --rm -i --network none bb sh -c 'cat' | wc -c
  podman run --rm --network none bb cat </dev/null
}

scenario_created_then_started() {
  podman create --name c --network none bb sh -c 'echo started; exit 3'
  podman inspect -f '{{.State.Status}} {{.State.Pid}}' c
  podman init c
  podman inspect -f '{{.State.Status}}' c
  fails podman start --attach c
  podman start --attach c || true
  eventually no prints stopped podman inspect -f '{{.State.Status}}' c
  podman inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' c
}

scenario_detached_wait_logs() {
  podman run -d --name c --network none bb sh -c 'echo one; echo two >&2; sleep 0.2; echo three; exit 5'
  podman wait c
  podman logs c 2>/tmp/err
  cat /tmp/err
  podman ps -a --format '{{.Names}} {{.Exited}}'
}

scenario_logs_follow() {
  podman run -d --name c --network none bb sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done'
  podman logs -f c
}

scenario_stop() {
  podman run -d --name c --network none bb sh -c 'trap "echo bye; exit 4" TERM; echo up; while :; do sleep 0.1; done'
  logged c up
  podman stop -t 60 c
  podman logs c
  podman inspect -f '{{.State.ExitCode}}' c
}

scenario_stop_that_is_ignored() {
  podman run -d --name c --network none bb sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done'
  logged c up
  podman stop -t 1 c 2>/dev/null
  podman inspect -f '{{.State.ExitCode}}' c
}

scenario_stop_signal() {
  podman run -d --name c --stop-signal USR1 --network none bb sh -c 'trap "echo usr1; exit 0" USR1; echo up; while :; do sleep 0.1; done'
  logged c up
  podman stop -t 60 c
  podman logs c
}

scenario_kill() {
  podman run -d --name c --network none bb sh -c 'trap "echo hup" HUP; echo up; while :; do sleep 0.1; done'
  logged c up
  podman kill -s HUP c
  logged c hup
  podman kill c
  podman wait c
  podman logs c
  fails podman kill c
}

scenario_pause() {
  podman run -d --name c --network none bb sh -c 'while :; do sleep 0.1; done'
  podman pause c
  podman inspect -f '{{.State.Status}}' c
  fails podman exec c true
  fails podman pause c
  podman unpause c
  podman inspect -f '{{.State.Status}}' c
  podman exec c echo again
  podman rm -f -t 0 c
}

scenario_kill_when_paused() {
  podman run -d --name c --network none bb sleep 100
  podman pause c
  podman rm -f -t 0 c
  podman ps -aq
}

scenario_restart() {
  podman run -d --name c --network none bb sh -c 'echo up; sleep 100'
  logged c up
  podman restart -t 0 c
  podman inspect -f '{{.State.Status}}' c
  logged c up 2
  podman logs c
}

scenario_restart_policy() {
  podman run -d --name c --restart on-failure:2 --network none bb sh -c 'echo up; exit 1'
  logged c up 3
  eventually prints exited podman inspect -f '{{.State.Status}}' c
  podman logs c
  podman inspect -f '{{.RestartCount}} {{.State.ExitCode}}' c
}

scenario_attach() {
  podman run -d -i --name c --network none bb sh -c 'read x; echo "got $x"; exit 6'
  status=0
  echo hello | podman attach c || status=$?
  echo "$status"
}

scenario_timeout() {
  fails podman run --rm --timeout 1 --network none bb sleep 100
}

scenario_tty() {
  podman run --rm -t --network none bb sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && echo terminal; ls -l /dev/console | cut -c 1-10; stat -c %u:%g:%a $(tty)'
}

# The size arrives after the start. Input from before podman has made the terminal raw is lost.
scenario_tty_size_and_input() {
  command -v script >/dev/null || missing 'no script(1)'
  rm -f /tmp/keys /tmp/typed
  mkfifo /tmp/keys
  script -qec "stty rows 31 cols 77; podman --runtime $RUNTIME run --rm -it --network none bb sh -c 'until stty size | grep \"31 77\"; do sleep 0.1; done; echo ready; read x; exit \$x'" /dev/null </tmp/keys >/tmp/typed 2>&1 &
  exec 3>/tmp/keys
  eventually grep ready /tmp/typed
  echo 3 >&3
  status=0
  wait $! || status=$?
  exec 3>&-
  grep -o '31 77' /tmp/typed | head -n 1
  echo "$status"
}

scenario_healthcheck() {
  podman run -d --name c --health-cmd 'test -e /tmp/well' --health-interval disable --health-retries 1 --network none bb sleep 100
  fails podman healthcheck run c
  podman exec c touch /tmp/well
  podman healthcheck run c
  podman inspect -f '{{.State.Health.Status}} {{len .State.Health.Log}}' c
}

scenario_init() {
  podman run --rm --init --network none bb sh -c 'tr "\0" " " </proc/1/cmdline | cut -d " " -f 1; [ $$ != 1 ]'
  podman run -d --name c --init --network none bb sh -c 'trap "exit 9" TERM; echo up; while :; do sleep 0.1; done'
  logged c up
  podman stop -t 60 c
  podman inspect -f '{{.State.ExitCode}}' c
}

scenario_preserve_fds() {
  podman run --rm --preserve-fds 2 --network none bb sh -c 'cat <&3; echo four >&4' 3<<<three 4>/tmp/four
  cat /tmp/four
}

scenario_many() {
  for i in $(seq 12); do podman run --rm --network none bb echo "$i" >"/tmp/many-$i" 2>&1 & done
  wait
  for i in $(seq 12); do cat "/tmp/many-$i"; done
  podman ps -aq
}

scenario_hooks() {
  mkdir -p /tmp/hooks
  rm -f /tmp/hook.log
  printf '#!/bin/sh\necho "$1 $(cat | grep -o "\\"status\\": *\\"[a-z]*\\"" | tr -d " ")" >>/tmp/hook.log\n' >/tmp/hook
  chmod +x /tmp/hook
  for stage in prestart createRuntime poststart poststop; do
    echo "{\"version\":\"1.0.0\",\"hook\":{\"path\":\"/tmp/hook\",\"args\":[\"hook\",\"$stage\"]},\"when\":{\"always\":true},\"stages\":[\"$stage\"]}" >"/tmp/hooks/$stage.json"
  done
  podman --hooks-dir /tmp/hooks run --rm --network none bb echo hooked
  cut -d " " -f 1 /tmp/hook.log
  grep poststop /tmp/hook.log
  printf '#!/bin/sh\nexit 1\n' >/tmp/hook
  fails podman --hooks-dir /tmp/hooks run --rm --network none bb echo hooked
}
