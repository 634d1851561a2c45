# shellcheck shell=bash
# `runt serve` as the node's server of tasks and sandboxes, started through a socket as systemd does.
served=/run/runt/serve.sock

# server_starts CONTAINERD: starts it, for the containerd at that address
server_starts() {
  mkdir -p /run/runt
  # As containerd's shims: a container without a value of its own inherits it.
  (
    echo 1 >/proc/self/oom_score_adj
    exec perl "$here/serve/activated.pl" "$served" runt --root /run/runt/state serve --containerd "$1" $([ "${HANDLER:-}" != streaming ] || echo --streaming) >>/tmp/serve.log 2>&1 </dev/null
  ) &
  disown
  eventually grep -q 'is ready at' /tmp/serve.log || {
    tail -n 5 /tmp/serve.log
    return 1
  }
}

# server_pid: the pid of the running server
server_pid() { cat "$served.pid"; }

# server_is_another PID: whether a server other than that one runs
server_is_another() { [ "$(server_pid)" != "$1" ] && [ -d "/proc/$(server_pid)" ]; }

# server_killed: kills the server; it is started again
server_killed() {
  local pid
  pid=$(server_pid)
  kill -9 "$pid"
  eventually server_is_another "$pid"
}

server_ends() { pkill -f serve/activated.pl; }
