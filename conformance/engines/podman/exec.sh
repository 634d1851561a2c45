# Podman: additional processes in a container.

held() { podman run -d --name c --network none "$@" bb sleep 1000 >/dev/null; }

scenario_exec() {
  held --env A=1
  podman exec c sh -c 'echo out; echo err >&2; echo $A' 2>/tmp/err
  cat /tmp/err
  fails podman exec c sh -c 'exit 7'
  fails podman exec c sh -c 'kill -KILL $$'
  echo in | podman exec -i c cat
  podman exec -e B=2 -w /etc -u 1000:5 c sh -c 'id; pwd; env | sort'
  podman exec -u user c id
  podman exec -d c sh -c 'echo done >/tmp/x; mv /tmp/x /tmp/detached'
  eventually podman exec c test -e /tmp/detached
  podman exec c cat /tmp/detached
}

scenario_exec_missing() {
  held
  fails podman exec c nonexistent
  fails podman exec c /nonexistent
  fails podman exec c /etc/passwd
  fails podman exec -w /nonexistent c true
  fails podman exec -u nobody-of-this-name c true
}

scenario_exec_missing_text() {
  held
  said 'not found in \$PATH' podman exec c nonexistent
  said 'permission denied' podman exec c /etc/passwd
}

scenario_exec_tty() {
  held
  podman exec -t c sh -c 'tty; test -t 0 && test -t 1 && echo terminal; stat -c %u:%g:%a $(tty)'
  podman exec -t -u user c sh -c 'tty; stat -c %u:%g:%a $(tty)'
}

scenario_exec_view() {
  held
  podman exec c sh -c 'grep -E "^(Cap|NoNewPrivs|Seccomp:|Groups)" /proc/self/status; ulimit -n; cat /proc/self/oom_score_adj; umask; ls /proc/self/fd; ps' | sed 's/^ *[1-9][0-9]* root/PID root/'
  podman exec --privileged c grep Cap /proc/self/status
  podman exec -u 1000 c grep Cap /proc/self/status
}

scenario_exec_in_the_same_cgroups() {
  held --memory 64m --pids-limit 20
  podman exec c cat /proc/self/cgroup
  podman exec c sh -c 'for i in $(seq 40); do sleep 3 & done' 2>&1 | grep -c "an't fork" || true
}

scenario_exec_preserve_fds() {
  held
  podman exec --preserve-fds 1 c sh -c 'cat <&3' 3<<<three
}

scenario_exec_ends_with_the_container() {
  held
  rm -f /tmp/out
  podman exec c sh -c 'echo up; sleep 100' >/tmp/out &
  eventually grep up /tmp/out
  podman kill c
  status=0
  wait $! || status=$?
  [ "$status" != 0 ]
}

scenario_exec_many() {
  held
  for i in $(seq 10); do podman exec c echo "$i" >"/tmp/many-$i" 2>&1 & done
  wait
  for i in $(seq 10); do cat "/tmp/many-$i"; done
}

scenario_top() {
  held
  executes c 'sleep 1000'
  podman top c user,args
  podman top c pid comm | sed 's/  */ /g'
  podman top c -o args | tail -n 1
}

scenario_stats() {
  held --memory 64m
  executes c 'sleep 1000'
  podman stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDS}}' c | sed -E 's#[0-9.]+k?B /#USED /#i'
}

scenario_copy_diff_commit() {
  held
  podman exec c sh -c 'echo new >/tmp/new; rm /etc/hosts.not 2>/dev/null; rmdir /usr/sbin'
  podman cp c:/tmp/new /tmp/copied
  cat /tmp/copied
  podman cp /etc/debian_version c:/tmp/version
  podman exec c test -s /tmp/version
  podman diff c | sort
  podman commit -q c bb2
  podman run --rm --network none bb2 cat /tmp/new
  podman rmi -f bb2 >/dev/null
}
