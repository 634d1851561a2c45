# conmon: a container from its create to its delete, its logs, its execs.

scenario_conmon_run() {
  bundle c sh -c 'echo out; echo err >&2; exit 7'
  monitor c
  runtime state c | grep -o '"status": "[a-z]*"'
  od -c /tmp/c.pid | grep -c '\\n' || true
  [ "$(cat /tmp/c.pid)" = "$(runtime state c | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')" ]
  runtime start c
  exit_of c
  log_of c
  runtime state c | grep -o '"status": "[a-z]*"'
  runtime delete c
  runtime state c >/dev/null 2>&1 || echo gone
}

scenario_conmon_signal() {
  bundle c sleep 1000
  monitor c
  runtime start c
  runtime kill c KILL
  exit_of c
  runtime kill c KILL 2>&1 | grep -o 'container not running' || true
  runtime delete c
}

scenario_conmon_failures() {
  bundle c nonexistent
  monitor c | grep -o 'not found in $PATH' || cat /tmp/c.sync
  runtime list -q
  bundle c true
  sed -i 's#"type": "mqueue"#"type": "nosuchfs"#' /tmp/c/config.json
  monitor c | grep -c '"message"' || true
  runtime list -q
}

scenario_conmon_tty() {
  bundle c --tty sh -c 'tty; test -t 0 && test -t 2 && echo terminal; exit 3'
  monitor c -t
  runtime start c
  exit_of c
  cut -d ' ' -f 4- /tmp/c.log
  runtime delete c
}

# told_all SYNC: whether conmon has written the pid and the exit status of an exec there, or why it failed
told_all() { [ "$(grep -c . "$1")" -ge 2 ] || grep message "$1"; }

# exec_in NAME TTY ARGUMENTS [FLAG…]: conmon with a process of the config, as for a stream or an ExecSync
exec_in() {
  local name=$1 tty=$2 command=$3
  shift 3
  rm -f "/tmp/$name.e".* "/tmp/exits/$name"
  printf '{"terminal": %s, "user": {"uid": 1000, "gid": 5}, "args": %s, "env": ["PATH=/bin", "A=1"], "cwd": "/etc"}' "$tty" "$command" >"/tmp/$name.e.json"
  (
    exec 3>"/tmp/$name.e.sync"
    _OCI_SYNCPIPE=3 conmon --api-version 1 -c "$name" -n "$name" -u "$name-exec" -r "$(command -v "$RUNTIME")" --runtime-arg "--root=/tmp/state-$RUNTIME" \
      -b "/tmp/$name" --exit-dir /tmp/exits --socket-dir-path /tmp/sockets -l "k8s-file:/tmp/$name.e.log" -p "/tmp/$name.e.pid" \
      -e --exec-process-spec "/tmp/$name.e.json" "$@" </dev/null >/dev/null 2>&1
  ) || echo "conmon: status $?"
  eventually told_all "/tmp/$name.e.sync" || true
  sed -E '1s/("data": ?)[0-9]+/\1PID/' "/tmp/$name.e.sync" | sed -E 's/"message".*not found in \$PATH.*/not found/'
  [ ! -e "/tmp/$name.e.log" ] || cut -d ' ' -f 2- "/tmp/$name.e.log" | sort
}

scenario_conmon_exec() {
  bundle c sleep 1000
  monitor c
  runtime start c
  exec_in c false '["sh", "-c", "id; pwd; echo $A; echo err >&2; exit 7"]'
  exec_in c true '["sh", "-c", "tty; stat -c %u:%g $(tty); exit 4"]' -t
  exec_in c false '["nonexistent"]'
  printf '{"args": ["id"], "user": {"uid": 5, "gid": 6}, "env": ["PATH=/bin"], "cwd": "/"}' >/tmp/p.json
  runtime exec --process /tmp/p.json c
  runtime kill c KILL
  exit_of c
  runtime delete c
}

scenario_conmon_limits() {
  bundle c --memory 64m sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; sleep 1000'
  monitor c
  runtime start c
  echo '{"memory": {"limit": 100663296}, "cpu": {"shares": 200}}' | runtime update --resources - c
  find /sys/fs/cgroup -path '*/c/memory.limit_in_bytes' -exec cat {} \;
  runtime pause c
  runtime state c | grep -o '"status": "[a-z]*"'
  runtime resume c
  runtime state c | grep -o '"status": "[a-z]*"'
  runtime delete --force c
  exit_of c
}

scenario_conmon_attach() {
  bundle c cat
  monitor c -i --leave-stdin-open
  runtime start c
  ls /tmp/sockets/c/ | sort
  runtime delete --force c
}

scenario_conmon_notify() {
  bundle c sh -c 'for i in 1 2 3; do echo $i; done'
  monitor c --log-size-max 1000000 --no-new-keyring --no-pivot
  runtime start c
  exit_of c
  log_of c
  runtime delete c
}
