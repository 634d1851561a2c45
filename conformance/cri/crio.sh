# shellcheck shell=bash
# shellcheck disable=SC2154 # here and tools, from setup.sh
# CRI-O as the engine of CRI: the handlers runc, and runt by the file of docs/engines/cri-o.md, both by conmon.
# shellcheck source=conformance/engines/page
. "$here/page"

# program HANDLER: its path. CRI-O lowers oom_score_adj for its pods, and no setting prevents that. Where it is not
# allowed (CAP_SYS_RESOURCE), a script first removes it from the config.
program() {
  local path
  path=$(command -v "$1")
  if sh -c 'echo -998 >/proc/self/oom_score_adj' 2>/dev/null; then
    echo "$path"
    return
  fi
  cat >"/usr/local/bin/$1-as-may-be" <<END
#!/bin/sh
bundle=''
for argument; do
  [ "\$bundle" != next ] || bundle=\$argument
  case \$argument in --bundle | -b) bundle=next ;; esac
done
[ -z "\$bundle" ] || sed -i 's/"oomScoreAdj": *-[0-9]*/"oomScoreAdj":0/' "\$bundle/config.json"
exec $path "\$@"
END
  chmod +x "/usr/local/bin/$1-as-may-be"
  echo "/usr/local/bin/$1-as-may-be"
}

engine_configuration() {
  ln -sf "$(readlink -f "$tools/bin/crio")" /usr/local/bin/crio
  mkdir -p /etc/containers /etc/crio/crio.conf.d
  cat >/etc/containers/registries.conf <<'END'
[[registry]]
prefix = "*.io"
location = "127.0.0.1:5000"
insecure = true
END
  echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/etc/containers/policy.json
  cat >/etc/crio/crio.conf <<END
[crio.api]
listen = "/run/cri.sock"
[crio.image]
pause_image = "registry.k8s.io/sandbox:1"
pause_command = ""
[crio.network]
plugin_dirs = ["/usr/lib/cni"]
[crio.runtime]
pinns_path = "$(readlink -f "$tools/bin/pinns")"
default_runtime = "runt"
[crio.runtime.runtimes.runc]
runtime_path = "$(program runc)"
runtime_root = "/run/runc"
END
  page /etc/crio/crio.conf.d/10-runt.conf |
    sed -e "s|^cgroup_manager = .*|cgroup_manager = \"$DRIVER\"|" -e "s|^runtime_path = .*|runtime_path = \"$(program runt)\"|" >/etc/crio/crio.conf.d/10-runt.conf
}

engine() { exec "$tools/bin/crio"; }
engine_version() { "$tools/bin/crio" --version | sed -n 's/^crio version /CRI-O /p'; }
