# containerd's CRI with CNI and a registry of its own, driven by crictl, in the handler of the runtime. HANDLER=replaced: runt's shim in the place of
# runc's, by runtime_path, for "runt".
cri=$here/../cri
tools=$here/../../build/cri
# shellcheck source=conformance/engines/tables
. "$here/tables"
# shellcheck disable=SC2034 # read by inside
fast='pod_runs pod_exec pod_logs'

# crictl ARGUMENT…, without its notes
crictl() { "$tools/bin/crictl" --runtime-endpoint unix:///run/containerd.sock --timeout 60s "$@"; }
# handler: the one of $RUNTIME
handler() {
  if [ "${RUNTIME:-runc}" = runt ] && [ "${HANDLER:-}" = replaced ]; then echo replaced; else echo "${RUNTIME:-runc}"; fi
}

# runtimes PLUGIN: the handlers below it, with systemd's cgroups where it makes them; the default is runt
runtimes() {
  local handler
  cat <<END
  [plugins."$1".containerd]
    default_runtime_name = "runt"
  [plugins."$1".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."$1".containerd.runtimes.runt]
    runtime_type = "io.containerd.runt.v1"
  [plugins."$1".containerd.runtimes.replaced]
    runtime_type = "io.containerd.runc.v2"
    runtime_path = "/usr/local/bin/containerd-shim-runt-v1"
END
  # containerd 2.1 makes no pod with a user namespace where a type of our own has options (docs/shim.md).
  [ "${DRIVER:-}" = systemd ] || return 0
  for handler in runc runt replaced; do
    cat <<END
  [plugins."$1".containerd.runtimes.$handler.options]
    SystemdCgroup = true
END
  done
}

configuration() {
  local version=2
  ! containerd --version | grep -q ' 2\.' || version=3
  cat <<END
version = $version
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd.sock"
END
  if [ $version = 3 ]; then
    cat <<END
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "registry.k8s.io/sandbox:1"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "/etc/containerd/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "/etc/cni/net.d"
$(runtimes io.containerd.cri.v1.runtime)
END
  else
    cat <<END
[plugins."io.containerd.nri.v1.nri"]
  disable = false
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/sandbox:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
$(runtimes io.containerd.grpc.v1.cri)
END
  fi
}

# waited FILE-OR-COMMAND…: until it is true, for 20 s
waited() {
  for _ in $(seq 100); do
    ! "$@" >/dev/null 2>&1 || return 0
    sleep 0.2
  done
  return 1
}

setup() {
  ln -sf "$(readlink -f "$here/../../dist/runt")" /usr/local/bin/containerd-shim-runt-v1
  mkdir -p /etc/containerd/certs.d/_default /etc/cni/net.d
  cat >/etc/containerd/certs.d/_default/hosts.toml <<'END'
[host."http://127.0.0.1:5000"]
  capabilities = ["pull", "resolve"]
END
  cat >/etc/cni/net.d/10-pods.conflist <<'END'
{
  "cniVersion": "1.0.0", "name": "pods",
  "plugins": [
    { "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "promiscMode": true,
      "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.88.0.0/16" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
END
  older_tables || true
  configuration >/etc/containerd/config.toml
  node "$cri/registry.mjs" "$ROOTFS" "$tools/programs" >/tmp/registry.log 2>&1 </dev/null &
  disown
  waited grep -q listens /tmp/registry.log || {
    cat /tmp/registry.log
    return 1
  }
  containerd --config /etc/containerd/config.toml >/tmp/containerd.log 2>&1 </dev/null &
  disown
  waited crictl info || {
    tail -n 20 /tmp/containerd.log
    return 1
  }
  # Pods get a copy.
  [ -e /etc/resolv.conf ] || echo 'nameserver 127.0.0.1' >/etc/resolv.conf
  crictl pull registry.k8s.io/e2e-test-images/busybox:1.29-2
}

versions() { echo "$(containerd --version | cut -d ' ' -f 1,3), $(runc --version | sed -n 1p), $("$tools/bin/crictl" --version)"; }

tidy() {
  crictl rmp -a -f
  rm -rf /tmp/pods
}

end() {
  pkill -x containerd
  pkill -f registry.mjs
}
