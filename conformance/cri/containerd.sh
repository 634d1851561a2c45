# shellcheck shell=bash
# shellcheck disable=SC2154 # here, from setup.sh
# containerd as the engine of CRI: the handlers runc, runt (type io.containerd.runt.v1), replaced (type
# io.containerd.runc.v2 with runt's shim), grpc (type io.containerd.runt-grpc.v1) and, from 2.0 on, serve (pods of
# `runt serve`) and streaming (the same with io_type = "streaming").
# shellcheck source=conformance/engines/serve/server.sh
. "$here/serve/server.sh"

# has_sandboxers: whether this containerd takes pods from a server
has_sandboxers() { containerd --version | grep -q ' v\?2\.'; }

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
  [plugins."$1".containerd.runtimes.grpc]
    runtime_type = "io.containerd.runt-grpc.v1"
END
  has_sandboxers && cat <<END
  [plugins."$1".containerd.runtimes.serve]
    runtime_type = "io.containerd.runt.v1"
    sandboxer = "runt"
  [plugins."$1".containerd.runtimes.streaming]
    runtime_type = "io.containerd.runt.v1"
    sandboxer = "runt"
    io_type = "streaming"
END
  # containerd 2.1 to 2.4 makes no pod with a user namespace if a type other than runc's has options (docs/shim.md).
  # Up to 2.3 it starts no container of a sandboxer if such a type has options.
  [ "${DRIVER:-}" = systemd ] || return 0
  for handler in runc runt replaced grpc; do
    cat <<END
  [plugins."$1".containerd.runtimes.$handler.options]
    SystemdCgroup = true
END
  done
}

configuration() {
  local version=2
  ! has_sandboxers || version=3
  cat <<END
version = $version
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/cri.sock"
END
  if [ $version = 3 ]; then
    cat <<END
[proxy_plugins.runt]
  type = "sandbox"
  address = "$served"
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
  for name in runt-v1 runt-grpc-v1; do ln -sf "$(readlink -f "$here/../../dist/runt")" "/usr/local/bin/containerd-shim-$name"; done
  # Before containerd, which asks it for its pods.
  ! has_sandboxers || server_starts /run/cri.sock || return 1
  mkdir -p /etc/containerd/certs.d/_default
  cat >/etc/containerd/certs.d/_default/hosts.toml <<'END'
[host."http://127.0.0.1:5000"]
  capabilities = ["pull", "resolve"]
END
  configuration >/etc/containerd/config.toml
}

engine() { exec containerd --config /etc/containerd/config.toml; }
engine_version() { containerd --version | cut -d ' ' -f 1,3; }
