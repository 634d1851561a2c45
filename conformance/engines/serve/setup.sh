# containerd with ctr and `runt serve`: the tasks of containers in a sandbox go to the server (docs/kubernetes.md). The
# reference is the shim of runc.
# shellcheck source=/dev/null
. "$here/shim/setup.sh"
# shellcheck source=conformance/engines/serve/server.sh
. "$here/serve/server.sh"
# shellcheck disable=SC2034 # read by inside
fast='ctr_output_and_status ctr_exec ctr_kill ctr_pause ctr_out_of_memory ctr_restart_of_containerd serve_is_killed serve_true_status'
# shellcheck disable=SC2034 # read by inside
long='serve_endures'

if [ "${RUNTIME:-}" = runt ]; then
  # endpoint.mjs gives ctr the address of the server.
  address=/run/ctr.sock states=/run/runt/state/default
fi

eval "$(declare -f setup | sed '1s/setup/setup_shim/')"
setup() {
  server_starts /run/containerd.sock || return 1
  setup_shim
  endpoint=$here/serve/endpoint.mjs
  node "$endpoint" /run/ctr.sock /run/containerd.sock "grpc+$served" >/tmp/endpoint.log 2>&1 </dev/null &
  disown
  eventually grep -q listens /tmp/endpoint.log || {
    cat /tmp/endpoint.log
    return 1
  }
}

# The reason why the scenarios cannot run here, if there is one.
unsupported() {
  case $(containerd --version) in
    *' v\?1.'* | *' 1.'*) echo 'containerd 1.x has no sandboxes with a task API of their own' ;;
  esac
}

eval "$(declare -f end | sed '1s/end/end_containerd/')"
end() {
  end_containerd
  server_ends
  pkill -f serve/endpoint.mjs
}
