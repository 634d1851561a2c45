# containerd as docs/engines/containerd.md and kubernetes.md say. Pods need a client of CRI.
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../page"
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../installs"

# daemon_with FILE: a containerd with that config, and CRI, in the place of the usual one, which comes back at the end
# of the scenario
daemon_with() {
  pkill -x containerd
  until_dead
  trap 'pkill -x containerd; until_dead; daemon' EXIT
  # Its directories are those of the usual one, so that the image is there.
  sed "1a root = '/var/lib/containerd'\nstate = '/run/containerd'\n[grpc]\n  address = '/run/containerd.sock'" "$1" >/tmp/page-here.toml
  (
    containerd --config /tmp/page-here.toml >>/tmp/containerd.log 2>&1 </dev/null &
    disown
  )
  eventually ctr version
  ctr plugins ls | awk '/\.cri/ && $NF == "error" || $2 == "cri" { print $1, $2, $NF }' | sort
}

# dumped FILE: what containerd makes of the handler in it
dumped() {
  containerd --config "$1" config dump | sed -n '/runtimes.runt\]/,/SystemdCgroup/p' |
    grep -E 'runtimes.runt|runtime_type|runtime_path|BinaryName|SystemdCgroup' | tr -d " '\""
}

scenario_ctr_install_page() {
  local file=config-1.7.toml
  ! containerd --version | grep -q ' v\?2\.' || file=config-runc-shim.toml
  for name in config.toml config-runc-shim.toml config-1.7.toml; do
    page "/etc/containerd/$name" >"/tmp/$name"
    # Each version has its own form of the file.
    [[ $file = config-1.7.toml ]] && [[ $name != config-1.7.toml ]] || dumped "/tmp/$name"
  done
  daemon_with "/tmp/$file"
  run --rm "$bb" c1 echo by path
}

scenario_ctr_commands_page() {
  ctr image tag "$bb" docker.io/library/busybox:latest >/dev/null
  trap 'ctr image rm docker.io/library/busybox:latest >/dev/null' EXIT
  export CONTAINERD_ADDRESS=/run/containerd.sock
  holds containerd
}

# runt install: containerd has the handler beside those from before, and the file returns byte for byte.
scenario_ctr_install_command() {
  [ ! -e /etc/containerd/config.toml ] || cp /etc/containerd/config.toml /tmp/usual.toml
  runt install --containerd --no-verify | sed 's/^containerd [0-9.]*:/containerd:/'
  containerd config dump | grep -o 'containerd.runtimes.[a-z]*\]' | sort
  runt install --undo
  [ ! -e /tmp/usual.toml ] || cmp /tmp/usual.toml /etc/containerd/config.toml
}

# ctr asks for the shim by its path, so containerd needs no restart. The usual config has its own socket.
scenario_ctr_install_upgrade() {
  rm -rf /tmp/before
  cp -a /etc/containerd /tmp/before
  export CONTAINERD_ADDRESS=/run/containerd.sock
  doctor_says containerd
  installed_earlier containerd
  ctr run -d --runtime /opt/runt/containerd-shim-runt-v1 "$bb" cc sleep 1000
  upgraded containerd
  ctr task exec --exec-id e cc echo still there
  doctor_says containerd
  ctr task kill --signal KILL cc
  eventually prints STOPPED ctr task ls
  ctr task rm cc || true
  ctr container rm cc
  undone containerd
  diff -r /tmp/before /etc/containerd
  doctor_says containerd
}
