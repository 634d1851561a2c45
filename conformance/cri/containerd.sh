# shellcheck shell=bash
# shellcheck disable=SC2154 # here, from setup.sh
# containerd as the engine of CRI: the handlers runc, runt (type io.containerd.runt.v1) and replaced (type
# io.containerd.runc.v2 with runt's shim).

# runtimes PLUGIN: the handlers of the plugin, with systemd's cgroups if DRIVER says so; the default is runt
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
  # containerd 2.1 to 2.4 makes no pod with a user namespace if a type other than runc's has options (docs/shim.md).
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
  ! containerd --version | grep -q ' v\?2\.' || version=3
  cat <<END
version = $version
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/cri.sock"
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

engine_configuration() {
  ln -sf "$(readlink -f "$here/../../dist/runt")" /usr/local/bin/containerd-shim-runt-v1
  mkdir -p /etc/containerd/certs.d/_default
  cat >/etc/containerd/certs.d/_default/hosts.toml <<'END'
[host."http://127.0.0.1:5000"]
  capabilities = ["pull", "resolve"]
END
  configuration >/etc/containerd/config.toml
}

engine() { exec containerd --config /etc/containerd/config.toml; }
engine_version() { containerd --version | cut -d ' ' -f 1,3; }
