# Podman: volumes, tmpfs, and later mounts.

folder() {
  rm -rf "/tmp/$1"
  mkdir "/tmp/$1"
  echo "in $1" >"/tmp/$1/file"
}

# mounts POINT OPTION…: the mounts at and below POINT
mounts() {
  local point=$1
  shift
  podman run --rm --network none "$@" bb awk -v p="$point" 'index($5, p) == 1 { printf "%s %s", $5, $6; for (i = 7; $i != "-"; i++) { sub(/:.*/, "", $i); printf " %s", $i }; print " " $(i + 1) }' /proc/self/mountinfo
}

scenario_volume() {
  folder v
  podman run --rm --network none -v /tmp/v:/v bb sh -c 'cat /v/file; echo new >/v/new'
  cat /tmp/v/new
  fails podman run --rm --network none -v /tmp/v:/v:ro bb touch /v/other
  podman run --rm --network none -v /tmp/v/file:/etc/file:ro bb cat /etc/file
  mounts /v -v /tmp/v:/v:ro,noexec,nodev
}

# The root of the host as a volume, as monitoring agents use it, with all mounts below. A symlink may lead up to / and
# down again.
scenario_volume_of_the_host() {
  folder v
  ln -sfn ../../../etc /tmp/v/up
  for option in ro rslave rprivate; do
    podman run --rm --network none -v "/:/host:$option" bb sh -c 'cat /host/tmp/v/file; ls -d /host/usr/lib/os-release /host/proc/self; readlink /host/proc/1/exe | wc -l'
    podman run --rm --network none -v /tmp/..:/host:$option -v /tmp/v/up:/settings:$option bb sh -c 'cat /host/tmp/v/file; grep -c . /settings/debian_version'
  done
}

scenario_volume_with_a_name() {
  podman run --rm --network none -v named:/etc bb sh -c 'cat /etc/hosts >/dev/null; echo kept >/etc/kept'
  podman run --rm --network none -v named:/x bb cat /x/kept /x/passwd
  podman volume rm named
}

scenario_volume_overlay() {
  folder v
  podman run --rm --network none -v /tmp/v:/v:O bb sh -c 'cat /v/file; echo new >/v/new; rm /v/file; ls /v'
  ls /tmp/v
}

scenario_volume_propagation() {
  folder v
  mkdir /tmp/v/sub
  mount --bind /tmp/v /tmp/v
  mount --make-shared /tmp/v
  for p in private slave shared rprivate rslave rshared; do
    echo "$p"
    mounts /v -v "/tmp/v:/v:$p"
    podman run -d --name c --network none --cap-add sys_admin --security-opt seccomp=unconfined -v "/tmp/v:/v:$p" bb sleep 100 >/dev/null
    mount -t tmpfs outside /tmp/v/sub
    podman exec c grep -c '^outside /v/sub' /proc/mounts || true
    umount /tmp/v/sub
    podman exec c mount -t tmpfs inside /v/sub
    grep -c '^inside /tmp/v/sub' /proc/mounts || true
    podman rm -f -t 0 c >/dev/null
    umount /tmp/v/sub 2>/dev/null || true
  done
  umount /tmp/v
}

scenario_volume_with_mounts_below() {
  folder v
  mkdir /tmp/v/sub
  mount -t tmpfs -o mode=0700 below /tmp/v/sub
  mounts /v -v /tmp/v:/v:ro
  mounts /v --mount type=bind,src=/tmp/v,dst=/v,ro
  mounts /v --mount type=bind,src=/tmp/v,dst=/v,bind-nonrecursive
  umount /tmp/v/sub
}

scenario_volume_that_is_missing() {
  fails podman run --rm --network none -v /tmp/nothing-here:/v bb true
  podman run --rm --network none -v "$(mktemp -d):/made/for/it" bb ls -d /made/for/it
}

scenario_volume_over_links() {
  folder v
  podman run --name c --network none bb sh -c 'mkdir /real; ln -s /real /link; ln -s /etc/target /dangling'
  podman commit -q c linked >/dev/null
  podman run --rm --network none -v /tmp/v:/link linked cat /real/file
  podman run --rm --network none -v /tmp/v:/dangling linked cat /etc/target/file
  podman rmi -f linked >/dev/null
}

scenario_volumes_from() {
  folder v
  podman run -d --name c --network none -v /tmp/v:/v -v /anonymous bb sh -c 'echo a >/anonymous/a; sleep 100'
  eventually podman exec c test -s /anonymous/a
  podman run --rm --network none --volumes-from c bb cat /v/file /anonymous/a
}

scenario_tmpfs() {
  mounts /t --tmpfs /t:size=1m,mode=1770
  podman run --rm --network none --tmpfs /t:size=1m,mode=1770 bb stat -c '%a %u:%g' /t
  podman run --rm --network none --tmpfs /etc:rw bb sh -c 'ls /etc | grep -c passwd'
  podman run --rm --network none --mount type=tmpfs,dst=/etc,notmpcopyup bb sh -c 'ls /etc | grep -c passwd' || true
  podman run --rm --network none --mount type=tmpfs,tmpfs-size=2m,destination=/t bb df -k /t | tail -n 1 | sed 's/  */ /g'
}

scenario_mount_of_an_image() {
  podman run --rm --network none --mount type=image,source=bb,destination=/image bb sh -c 'cat /image/etc/hosts; touch /image/x' 2>&1 || true
}

scenario_mount_of_devpts_and_others() {
  mounts /pts --mount type=devpts,destination=/pts
  mounts /dev -v /dev/full:/dev/other
}

scenario_root_file_system() {
  rm -rf /tmp/rootfs
  cp -a "$ROOTFS" /tmp/rootfs
  podman run --rm --network none --rootfs /tmp/rootfs echo rootfs
  podman run --rm --network none --rootfs /tmp/rootfs:O sh -c 'touch /x; ls /x'
  ls /tmp/rootfs/x 2>/dev/null || echo none
  rm -rf /tmp/rootfs
}

scenario_secret() {
  echo hidden | podman secret create s - >/dev/null
  podman run --rm --network none --secret s bb sh -c 'cat /run/secrets/s; stat -c %a /run/secrets/s'
  podman run --rm --network none --secret s,type=env,target=S bb sh -c 'echo $S'
  podman secret rm s >/dev/null
}
