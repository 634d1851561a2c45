# Podman and buildah as docs/engines/podman.md says.
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../page"
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../installs"

scenario_install_page() {
  command podman tag bb docker.io/library/busybox
  trap 'rm -f /etc/containers/containers.conf.d/*; command podman untag bb docker.io/library/busybox; command podman rmi -f made >/dev/null' EXIT
  # Where the limits of root cannot be raised, builds ask for lower ones.
  mkdir -p /etc/containers/containers.conf.d
  printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n' >/etc/containers/containers.conf.d/bed.conf
  holds podman
}

# The runtime by its name, and as the default.
scenario_install_page_default() {
  mkdir -p /etc/containers/containers.conf.d
  trap 'rm -f /etc/containers/containers.conf.d/*' EXIT
  page /etc/containers/containers.conf.d/runt.conf >/etc/containers/containers.conf.d/runt.conf
  fails podman run --rm --network none bb nonexistent
  # The reference may be one that podman gives no container without cgroups.
  command podman --runtime runt run --rm --network none --cgroups=disabled bb echo without cgroups
  page /etc/containers/containers.conf.d/runt-default.conf | sed "s/runt/$RUNTIME/" >/etc/containers/containers.conf.d/runt-default.conf
  command podman info --format '{{.Host.OCIRuntime.Name}}'
  command podman run -d --name cc --network none bb sleep 1000
  command podman inspect --format '{{.OCIRuntime}}' cc
  command podman exec cc echo inside
}

# runt install: what it writes works, and goes.
scenario_install_command() {
  mkdir -p /etc/containers
  cp /etc/containers/containers.conf /tmp/usual.conf
  trap 'cp /tmp/usual.conf /etc/containers/containers.conf; runt install --undo >/dev/null' EXIT
  # The usual file names runt already.
  sed -i '/^runt = /d; /runtime_supports/d' /etc/containers/containers.conf
  runt install --podman | sed 's/^podman [0-9.]*:/podman:/'
  command podman --runtime runt run --rm --network none bb echo by name
  runt install --undo
  ls /etc/containers/containers.conf.d /var/lib/runt 2>/dev/null || true
  runt install --undo
}

scenario_install_upgrade() {
  mkdir -p /etc/containers
  cp /etc/containers/containers.conf /tmp/usual.conf
  trap 'runt install --undo >/dev/null; cp /tmp/usual.conf /etc/containers/containers.conf' EXIT
  sed -i '/^runt = /d; /runtime_supports/d' /etc/containers/containers.conf
  rm -rf /tmp/before
  cp -a /etc/containers /tmp/before
  doctor_says podman
  installed_earlier podman
  command podman --runtime runt run -d --name cc --network none bb sleep 1000 >/dev/null
  upgraded podman
  command podman exec cc echo still there
  doctor_says podman
  command podman rm -f -t 0 cc
  undone podman
  diff -r /tmp/before /etc/containers
  doctor_says podman
}
