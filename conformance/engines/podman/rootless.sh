# Podman as an ordinary user.

# user COMMAND…: runs it as the user, with its arguments unchanged
user() { runuser -u user -- env HOME=/home/user XDG_RUNTIME_DIR=/run/user/1000 "$@"; }
rootless() { user podman --runtime "$RUNTIME" --cgroup-manager cgroupfs "$@"; }

# Prepares an ordinary user: the account, ids, a run-time directory, the image.
prepared() {
  id user >/dev/null 2>&1 || {
    useradd -u 1000 -d /home/user user
    grep -q '^user:' /etc/subuid || echo user:100000:65536 | tee -a /etc/subuid >>/etc/subgid
  }
  mkdir -p /home/user /run/user/1000
  chown 1000:1000 /home/user /run/user/1000
  chmod 0700 /run/user/1000
  # The first command of a user warns that / is not shared.
  user podman image exists bb 2>/dev/null || tar -C "$ROOTFS" -c . | user podman import --quiet -c 'ENV PATH=/bin' - bb >/dev/null 2>&1
}

scenario_rootless() {
  prepared
  rootless run --rm --network none bb sh -c 'id -u; tr -s " " </proc/self/uid_map; grep CapEff /proc/self/status; hostname | wc -c'
  fails rootless run --rm --network none bb sh -c 'exit 7'
  fails rootless run --rm --network none bb nonexistent
  rootless run --rm --network none -u 1000:5 bb id
}

scenario_rootless_exec_and_stop() {
  prepared
  rootless run -d --name c --network none bb sh -c 'trap "exit 4" TERM; echo up; while :; do sleep 0.1; done'
  eventually prints up rootless logs c
  rootless exec c sh -c 'id -u; echo out'
  echo in | rootless exec -i c cat
  rootless exec -t c sh -c 'tty; stat -c %u:%g $(tty)'
  # A child of the loop may exist, as sh, as exe or as sleep.
  rootless top c comm | grep -xE 'COMMAND|sh' | sort -u
  rootless stop -t 60 c
  rootless inspect -f '{{.State.ExitCode}}' c
  rootless rm c
}

scenario_rootless_tty() {
  prepared
  rootless run --rm -t --network none bb sh -c 'tty; test -t 0 && echo terminal; stat -c %u:%g $(tty)'
}

scenario_rootless_keep_id() {
  prepared
  rm -rf /home/user/v
  user mkdir /home/user/v
  rootless run --rm --network none --userns keep-id -v /home/user/v:/v bb sh -c 'id; touch /v/x; stat -c %u:%g /v/x; tr -s " " </proc/self/uid_map'
  stat -c %u:%g /home/user/v/x
}

# The user's own id is not mapped: the runtime opens files in the user's directories of mode 0700 (/etc/hosts, secrets).
scenario_rootless_unmapped() {
  prepared
  rm -rf /home/user/v
  user mkdir -m 0700 /home/user/v
  echo inner | user tee /home/user/v/f >/dev/null
  chmod 0700 /home/user
  local flags
  for flags in --userns=auto --userns=auto:size=2000 --userns=nomap '--uidmap 0:1:1000 --gidmap 0:1:1000' '--uidmap 0:5:1 --gidmap 0:5:1'; do
    echo "$flags"
    # shellcheck disable=SC2086 # words
    rootless run --rm --network none $flags -v /home/user/v/f:/f -v /home/user/v:/closed bb sh -c '
      id -u; grep -c localhost /etc/hosts; cat /f; stat -c %u /f; tr -s " " </proc/self/uid_map; touch /made; stat -c %u /made' ||
      echo "status $?"
  done
  rootless run --rm -t --network none --userns=auto --tmpfs /etc/ssl --read-only bb sh -c 'tty; stat -c %u $(tty); touch /etc/ssl/x && ls /etc/ssl'
  rootless run --rm --network none --userns=auto -u 5:6 -w /var/tmp bb sh -c 'id -u; id -g; pwd'
  rootless run -d --name c --network none --userns=auto bb sleep 1000 >/dev/null
  rootless exec c sh -c 'id -u; hostname | wc -c'
  rootless rm -f -t 0 c >/dev/null
}

scenario_rootless_unmapped_sources() {
  prepared
  rm -rf /home/user/v
  user mkdir -m 0700 /home/user/v
  echo inner | user tee /home/user/v/f >/dev/null
  chmod 0700 /home/user
  echo secret | rootless secret create s - >/dev/null
  rootless run --rm --network none --userns=auto --secret s bb cat /run/secrets/s
  rootless secret rm s >/dev/null
  rootless run --rm --network none --userns=auto --device /dev/null:/dev/none bb sh -c 'echo x >/dev/none && echo device' || echo "status $?"
  rootless run --rm --network none --userns=auto -v named:/n:U --tmpfs /t bb sh -c 'touch /n/x /t/x; stat -c %u /n/x /t/x' || echo "status $?"
  rootless volume rm named >/dev/null
  rootless pod create --name p --userns=auto --network none >/dev/null
  rootless run --rm --pod p -v /home/user/v/f:/f bb sh -c 'id -u; cat /f' || echo "status $?"
  rootless pod rm -f p >/dev/null
}

scenario_rootless_volumes() {
  prepared
  rm -rf /home/user/v
  user mkdir /home/user/v
  rootless run --rm --network none -v /home/user/v:/v -v named:/n --tmpfs /t bb sh -c 'touch /v/x /n/x /t/x; stat -c %u:%g /v/x /n/x /t/x'
  stat -c %u:%g /home/user/v/x
  rootless run --rm --network none -v /home/user/v:/v:O bb sh -c 'touch /v/y; ls /v'
  rootless run --rm --network none --read-only -v /home/user/v:/v:ro bb sh -c 'touch /v/z' || echo "status $?"
  rootless volume rm named
}

scenario_rootless_pod() {
  prepared
  rootless pod create --name p --hostname pod --network none >/dev/null
  rootless run --rm --pod p bb hostname
  rootless pod rm -f p >/dev/null
}

scenario_rootless_host_namespaces() {
  prepared
  rootless run --rm --network host --pid host --ipc host --uts host bb sh -c 'hostname; readlink /proc/self/ns/net' >/tmp/ns 2>/dev/null
  head -n 1 /tmp/ns
  [ "$(tail -n 1 /tmp/ns)" = "$(readlink /proc/self/ns/net)" ]
}

scenario_rootless_build() {
  prepared
  mkdir -p /home/user/context
  printf 'FROM bb\nRUN id -u && touch /made\nUSER 1000\nRUN id -u\n' >/home/user/context/Containerfile
  rootless build --runtime "$RUNTIME" --isolation oci --no-cache --network none -t built /home/user/context 2>&1 | grep -E '^([0-9]+$|STEP)'
  rootless run --rm --network none built ls -l /made | cut -d ' ' -f 1
  rootless rmi -f built >/dev/null
}
