# containerd with ctr and the shim of the runtime: io.containerd.runc.v2, or io.containerd.runt.v1 (with
# transport=-grpc: runt-grpc.v1). The scenarios of containerd, and some of its own.
# shellcheck source=/dev/null
. "$here/containerd/setup.sh"
# shellcheck disable=SC2034 # read by inside
fast='ctr_output_and_status ctr_exec ctr_kill ctr_pause ctr_ps_and_metrics ctr_tty ctr_restart_of_containerd ctr_out_of_memory
  shim_is_killed shim_true_status task_update task_logger'

# shellcheck disable=SC2034 # read by inside
long='shim_endures'

type=io.containerd.runc.v2
[ "${RUNTIME:-}" != runt ] || type=io.containerd.runt${transport:-}.v1
program=containerd-shim-${type#io.containerd.}
program=${program/.v/-v}

flags="--runtime $type"
# run [OPTION…] IMAGE ID COMMAND…: like ctr run, with the shim; for a type other than runc's, ctr passes systemd's use
# only in a file
run() {
  local managed=()
  if [ "$DRIVER" = systemd ]; then
    managed=(--cgroup "$(unit "$@")" --runc-systemd-cgroup)
    [ "$type" = io.containerd.runc.v2 ] || managed[2]=--runtime-config-path=/tmp/shim.toml
  fi
  ctr run --runtime "$type" "${managed[@]}" "$@"
}

eval "$(declare -f setup | sed '1s/setup/setup_containerd/')"
setup() {
  ln -sf "$(readlink -f "$here/../../dist/runt")" "/usr/local/bin/containerd-shim-runt${transport:-}-v1"
  echo 'SystemdCgroup = true' >/tmp/shim.toml
  setup_containerd
}
