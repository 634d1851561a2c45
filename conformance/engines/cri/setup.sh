# Kubernetes' CRI with CNI and its own registry, driven by crictl, with the handler of the runtime. ENGINE=crio:
# CRI-O's, else containerd's. HANDLER: the handler that stands for runt, "runt" by default (see cri/containerd.sh).
cri=$here/../cri
tools=$here/../../build/cri
export CONTAINER_RUNTIME_ENDPOINT=unix:///run/cri.sock
# engine_configuration, engine, engine_version
# shellcheck source=conformance/cri/containerd.sh
. "$cri/${ENGINE:-containerd}.sh"
# shellcheck source=conformance/engines/tables
. "$here/tables"
# shellcheck disable=SC2034 # read by inside
fast='pod_runs pod_exec pod_logs'
# shellcheck disable=SC2034 # read by inside
long='pod_serve_endures'
[ "${ENGINE:-containerd}" = crio ] || long+=' pod_install_crio'

# crictl ARGUMENT…: without its notes
crictl() { "$tools/bin/crictl" --timeout 60s "$@"; }
# handler: the handler of $RUNTIME
handler() {
  if [ "${RUNTIME:-runc}" = runt ] && [ -n "${HANDLER:-}" ]; then echo "$HANDLER"; else echo "${RUNTIME:-runc}"; fi
}

# engine_starts: starts the engine and waits until it answers
engine_starts() {
  engine >>/tmp/engine.log 2>&1 </dev/null &
  disown
  eventually crictl info || {
    tail -n 20 /tmp/engine.log
    return 1
  }
}

setup() {
  mkdir -p /etc/cni/net.d
  cp "$cri/pods.conflist" /etc/cni/net.d/10-pods.conflist
  older_tables || true
  engine_configuration || return 1
  node "$cri/registry.mjs" "$ROOTFS" "$tools/programs" >/tmp/registry.log 2>&1 </dev/null &
  disown
  eventually grep -q listens /tmp/registry.log || {
    cat /tmp/registry.log
    return 1
  }
  engine_starts
  # Pods get a copy.
  [ -e /etc/resolv.conf ] || echo 'nameserver 127.0.0.1' >/etc/resolv.conf
  crictl pull registry.k8s.io/e2e-test-images/busybox:1.29-2
}

versions() { echo "$(engine_version), $(runc --version | sed -n 1p), $("$tools/bin/crictl" --version)"; }

tidy() {
  crictl rmp -a -f
  rm -rf /tmp/pods
}

end() {
  pkill -x "${ENGINE:-containerd}"
  pkill -f registry.mjs
  pkill -f serve/activated.pl
}
