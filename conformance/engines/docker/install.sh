# Docker as docs/engines/docker.md says.
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../page"
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../installs"

# with_page FILE [OPTION…]: a daemon with that file as daemon.json; the usual one is restored at the end of the
# scenario.
with_page() {
  local file=$1
  shift
  stop_daemon
  cp /etc/docker/daemon.json /tmp/usual.json
  trap 'stop_daemon; cp /tmp/usual.json /etc/docker/daemon.json; daemon' EXIT
  cp "$file" /etc/docker/daemon.json
  # Flags disable features that this bed lacks.
  daemon --bridge none --iptables=false --ip6tables=false --storage-driver overlay2 "$@"
}

# The first file lets dockerd choose: systemd, where it runs with cgroup v2. The second asks for cgroupfs.
scenario_docker_install_page() {
  page /etc/docker/daemon.json "$(if [ "$DRIVER" = systemd ]; then echo 1; else echo 2; fi)" >/tmp/page.json
  with_page /tmp/page.json
  run --rm bb echo by name
  docker run -d --runtime "$RUNTIME" --network none --name cc bb sleep 1000
  docker inspect -f '{{.HostConfig.Runtime}}' cc
  docker info -f '{{.CgroupDriver}}'
  docker rm -f cc
}

scenario_docker_install_page_default() {
  page /etc/docker/daemon.json 2 | sed "s/^{/{ \"default-runtime\": \"$RUNTIME\",/" >/tmp/page.json
  with_page /tmp/page.json
  docker run -d --network none --name cc bb sleep 1000
  docker inspect -f '{{.HostConfig.Runtime}}' cc
  docker exec cc echo inside
  docker rm -f cc
}

# No program named runc in PATH works, so the runtime of the page must run the build steps.
scenario_docker_install_page_build() {
  page /etc/docker/daemon.json 2 >/tmp/page.json
  rm -rf /tmp/path /tmp/context
  mkdir -p /tmp/path /tmp/context
  if [[ $(docker version -f '{{.Server.Version}}') == 20.* ]]; then
    ln -s "$(command -v "$RUNTIME")" /tmp/path/runc
  else
    ln -s /bin/false /tmp/path/runc
    export "$(page /etc/systemd/system/docker.service.d/runt.conf | sed -n "s#^Environment=\(.*=\).*#\1$(command -v "$RUNTIME")#p")"
  fi
  PATH=/tmp/path:$PATH with_page /tmp/page.json
  printf 'FROM bb\nRUN echo built >/made\nCMD ["cat", "/made"]\n' >/tmp/context/Dockerfile
  DOCKER_BUILDKIT=1 docker build -q --no-cache --network none -t built /tmp/context >/dev/null 2>/tmp/err || { tail -n 3 /tmp/err; exit 1; }
  docker run --runtime runt --network none --rm built
  docker rmi -f built >/dev/null
}

scenario_docker_install_page_shim() {
  [[ $(docker version -f '{{.Server.Version}}') != 20.* ]] || {
    echo 'Docker 20.10 takes no shim'
    exit 77
  }
  sed -n '/"runtimeType"/p' /checkout/docs/engines/docker.md | sed '1s/^/{/; $s/$/}/' >/tmp/page.json
  with_page /tmp/page.json
  docker run --rm --runtime runt --network none bb echo by the shim
  docker run -d --runtime runt --network none --name cc bb sleep 1000
  docker exec cc echo inside
  docker rm -f cc
}

# runt install: dockerd reads what it wrote after a reload, and the file returns byte for byte.
scenario_docker_install_command() {
  echo '{"exec-opts": ["native.cgroupdriver=cgroupfs"]}' >/tmp/page.json
  with_page /tmp/page.json
  runt install --docker | sed 's/^Docker [0-9.]*:/Docker:/'
  kill -HUP "$(cat /run/docker.pid)"
  known() { docker info -f '{{json .Runtimes}}' | grep '"runt"'; }
  eventually known
  runt install --docker | sed 's/^Docker [0-9.]*:/Docker:/'
  runt install --undo
  cmp /tmp/page.json /etc/docker/daemon.json
}

scenario_docker_install_upgrade() {
  echo '{"exec-opts": ["native.cgroupdriver=cgroupfs"]}' >/tmp/page.json
  with_page /tmp/page.json
  doctor_says Docker
  known() { docker info -f '{{json .Runtimes}}' | grep '"runt"'; }
  installed_earlier docker
  kill -HUP "$(cat /run/docker.pid)"
  eventually known
  docker run -d --runtime runt --network none --name cc bb sleep 1000 >/dev/null
  upgraded docker
  docker exec cc echo still there
  doctor_says Docker
  docker rm -f cc
  undone docker
  cmp /tmp/page.json /etc/docker/daemon.json
  doctor_says Docker
}
