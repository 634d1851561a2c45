# The endurance of shims: each container has its own, and a shim that is killed takes its container with it.

# shim_of N: the shim of container N
shim_of() { pgrep -f -- "^[^ ]*$program .* -id e$1 "; }

# killed_shim N: N ends while its shim is stopped, then the shim is killed
killed_shim() {
  local pid shim
  # Events of the containerd that runs now.
  watched
  pid=$(ctr task ls | awk -v id="e$1" '$1 == id { print $2 }')
  shim=$(shim_of "$1")
  kill -STOP "$shim"
  echo end >"/tmp/go/$1"
  eventually has_ended "$pid"
  kill -9 "$shim"
}

# ended_shim N: containerd has forgotten the task, and its event has the status
ended_shim() {
  eventually no prints "^e$1 " ctr task ls || return 1
  eventually grep -aE "/tasks/exit.*\"(container_)?id\":\"e$1\".*\"exit_status\":$(code "$1")\b" /tmp/events || return 1
  kill $events
  ctr container rm "e$1"
}

# killed_both N
killed_both() {
  local pid shim
  pid=$(ctr task ls | awk -v id="e$1" '$1 == id { print $2 }')
  shim=$(shim_of "$1")
  pkill -9 -x containerd
  kill -9 "$shim"
  until_dead
  daemon
  eventually has_ended "$pid"
}

# ended_both N: nobody was there to hear of it
ended_both() {
  eventually no prints "^e$1 " ctr task ls || return 1
  ctr container rm "e$1"
}

scenario_shim_endures() {
  [ "$RUNTIME" = runt ] || exit 0
  endures shim containerd both
  the_rest_ends
}
