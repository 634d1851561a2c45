# Podman: runt as a command in a container, which makes containers there.

# nested COMMAND… run: a container of a container goes through its whole life, by the runt of this machine
nested() {
  "$@" --rm --network none --privileged -v /usr/local/bin/runt:/bin/runt:ro bb sh -ec '
    exec 2>&1
    mkdir -p /b/rootfs/bin
    cp -a /bin/sh /bin/cat /bin/sleep /bin/id /b/rootfs/bin/
    cd /b
    runt spec -- sh -c "echo inside; id -u; exit 7"
    runt run once || echo "status $?"
    rm config.json
    runt spec -- sleep 1000
    runt create web
    runt start web
    runt exec web sh -c "echo joined; cat /proc/1/comm"
    runt kill web KILL
    for try in 1 2 3 4 5 6 7 8 9; do
      ! runt state web | grep -q stopped || break
      sleep 1
    done
    runt delete web
    runt list -q'
}

scenario_nested() { nested podman run; }

# rootless.sh has the user.
scenario_rootless_nested() {
  prepared
  nested rootless run
}
