# Podman and buildah with the file of docs/install.md.
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../page"

scenario_install_page() {
  page /etc/containers/containers.conf >/tmp/page.conf
  export CONTAINERS_CONF=/tmp/page.conf
  podman run --rm --network none bb echo by name
  fails podman run --rm --network none bb nonexistent
  # The reference may be one that podman gives no container without cgroups.
  command podman --runtime runt run --rm --network none --cgroups=disabled bb echo without cgroups
}

scenario_install_page_default() {
  page /etc/containers/containers.conf | sed "s/^# runtime = .*/runtime = \"$RUNTIME\"/" >/tmp/page.conf
  export CONTAINERS_CONF=/tmp/page.conf
  command podman info --format '{{.Host.OCIRuntime.Name}}'
  command podman run -d --name cc --network none bb sleep 1000
  command podman inspect --format '{{.OCIRuntime}}' cc
  command podman exec cc echo inside
}

scenario_install_page_buildah() {
  page /etc/containers/containers.conf >/tmp/page.conf
  export CONTAINERS_CONF=/tmp/page.conf
  printf 'FROM bb\nRUN echo built >/made\nCMD ["cat", "/made"]\n' >/tmp/Containerfile
  mkdir -p /tmp/context
  local program
  program=$(command -v "$RUNTIME")
  # shellcheck disable=SC2086 # a list of words
  buildah --runtime "$program" build --isolation oci --network none $ulimits -t built -f /tmp/Containerfile /tmp/context >/dev/null 2>&1
  podman run --rm --network none built
  # shellcheck disable=SC2086
  BUILDAH_RUNTIME=$program buildah build --isolation oci --no-cache --network none $ulimits -t built -f /tmp/Containerfile /tmp/context >/dev/null 2>&1
  podman rmi -f built >/dev/null
}
