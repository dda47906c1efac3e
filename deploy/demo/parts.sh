# shellcheck shell=bash
# Sourced by up, down and enter: a cluster of three hosts on this machine.
#
# Each host is a systemd of its own in a network namespace of its own, on a
# copy-on-write view of one Debian tree. All that the cluster writes is in one
# tmpfs, and all its processes are in its namespaces: so that, and they, are
# all that has to go.

demo=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tools/setup.sh
source "$demo/../../tools/setup.sh"
program=${PRIVATE_REGISTRY:-$top/build/private-registry}

state=/run/private-registry-demo
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
cache=${PRIVATE_REGISTRY_DEMO_CACHE:-/var/cache/private-registry-demo}

hosts=(1 2 3)
switch=pr-demo			# the namespace that all others are linked to
centre=10.77.0.1		# there are etcd and what stands in for Docker Hub
etcd=http://$centre:2379
hub=registry-1.docker.io	# as Docker Hub is called by engines

# shellcheck disable=SC2034 # used by up
demo_packages=(debootstrap systemd-container etcd-server docker-registry skopeo
	umoci busybox-static iproute2 openssl curl)
tree_packages=systemd,systemd-sysv,dbus,iproute2,procps,ca-certificates
tree_packages+=,docker.io,containerd,runc
tree_packages+=,libcurl4,libjansson4,libyaml-0-2,libsqlite3-0,libpsl5
tree=$cache/$suite-$(cksum <<<"$tree_packages" | tr -d ' ')

# ------------------------------------------------------------------ the tree

# The archive that this machine's apt uses.
archive() {
	# shellcheck disable=SC2016 # it is apt's variable
	apt-get indextargets --format '$(REPO_URI)' | grep -m 1 . ||
		echo http://deb.debian.org/debian
}

# Once; whoever else wants it meanwhile waits.
tree_make() (
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
	[ -d "$tree" ] && return
	rm -rf --one-file-system "$cache"/*-*
	timeout --foreground 1200 debootstrap --variant=minbase --include="$tree_packages" "$suite" \
		"$tree.part" "$(archive)" >"$cache/log" 2>&1 || {
		tail -n 5 "$cache/log" >&2
		return 1
	}
	rm -rf "$tree.part"/etc/hostname "$tree.part"/var/cache/apt/archives/*.deb
	: >"$tree.part/etc/machine-id"
	mv "$tree.part" "$tree"
)

# ---------------------------------------------------------------- the network

within() {
	local namespace=$1
	shift
	nsenter --net="/run/netns/$namespace" "$@"
}

address() {
	echo "10.77.0.1$1"
}

network_make() {
	ip netns add $switch
	within $switch ip link set lo up
	within $switch ip link add hosts type bridge
	within $switch ip address add $centre/24 dev hosts
	within $switch ip link set hosts up
	for host in "${hosts[@]}"; do
		link_make "$host"
	done
}

link_make() {
	local own=$switch-$1
	ip netns add "$own"
	within $switch ip link add "host-$1" type veth peer name eth0 \
		netns "$own"
	within $switch ip link set "host-$1" master hosts up
	within "$own" ip link set lo up
	within "$own" ip address add "$(address "$1")/24" dev eth0
	within "$own" ip link set eth0 up
	within "$own" ip route add default via $centre
}

# ----------------------------------------------------------------- the centre

etcd_start() {
	within $switch setsid etcd --name demo --data-dir $state/etcd \
		--unsafe-no-fsync --listen-client-urls $etcd \
		--advertise-client-urls $etcd >$state/etcd.log 2>&1 </dev/null &
	disown
	wait_until "etcd answers" etcd_asks kv/range '{"key": "eA=="}'
}

etcd_asks() {
	within $switch curl --silent --fail --max-time 5 --data "$2" "$etcd/v3/$1"
}

# What etcd has below the prefix, in base64: "/private-registry/registries/".
registries() {
	etcd_asks kv/range '{"keys_only": true, "key":
		"L3ByaXZhdGUtcmVnaXN0cnkvcmVnaXN0cmllcy8=", "range_end":
		"L3ByaXZhdGUtcmVnaXN0cnkvcmVnaXN0cmllczA="}'
}

hub_certify() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-days 2 -subj "/CN=$hub" -keyout $state/hub.key \
		-addext "subjectAltName=DNS:$hub,IP:$centre" \
		-out $state/hub.crt 2>$state/openssl.log
	cat $state/hub.crt "$tree/etc/ssl/certs/ca-certificates.crt" \
		>$state/authorities
}

hub_start() {
	hub_certify
	cat >$state/hub.yml <<-END
		version: 0.1
		log: {level: error}
		storage: {filesystem: {rootdirectory: $state/hub}}
		http:
		  addr: $centre:443
		  tls: {certificate: $state/hub.crt, key: $state/hub.key}
	END
	within $switch setsid docker-registry serve $state/hub.yml \
		>$state/hub.log 2>&1 </dev/null &
	disown
	wait_until "the stand-in for Docker Hub answers" within $switch \
		curl --silent --fail --cacert $state/hub.crt \
		--output $state/hub.answer https://$centre/v2/
}

# image_make TAG: skippy/hello:TAG at the hub, of busybox and a layer of its own.
image_make() {
	local image=$state/images:$1
	head -c 2000000 /dev/urandom >$state/noise
	umoci new --image "$image" &&
		umoci insert --image "$image" /bin/busybox /bin/busybox &&
		umoci insert --image "$image" $state/noise /noise &&
		umoci config --image "$image" --config.entrypoint /bin/busybox &&
		within $switch skopeo copy --quiet --dest-cert-dir $state/trust \
			"oci:$image" "docker://$centre/skippy/hello:$1" &&
		layer_of "$1" >"$state/layer-$1"
}

layer_of() {
	skopeo inspect --raw "oci:$state/images:$1" |
		grep -o 'sha256:[0-9a-f]\{64\}' | tail -n 1
}

images_make() {
	mkdir $state/trust
	cp $state/hub.crt $state/trust/ca.crt
	umoci init --layout $state/images
	for tag in "$@"; do
		quietly "making skippy/hello:$tag" image_make "$tag"
	done
}

# downloads TAG: how often the hub has sent that image's own layer.
downloads() {
	grep -c "GET /v2/skippy/hello/blobs/$(cat "$state/layer-$1") .* 200 " \
		$state/hub.log || true
}

# ------------------------------------------------------------------ the hosts

root_of() {
	echo "$state/$1/root"
}

# host_make HOST: what it is before anybody has heard of a registry.
host_make() {
	local home=$state/$1
	mkdir -p "$home"/{above,work,root,docker,containerd}
	mount -t overlay overlay -o \
		"lowerdir=$tree,upperdir=$home/above,workdir=$home/work" "$home/root"
	cp -r "$demo/host/." "$home/root/"
	cp "$top"/deploy/systemd/private-registry{,-agent}.service \
		"$home/root/etc/systemd/system/"
	ln -s ../private-registry-agent.service \
		"$home/root/etc/systemd/system/multi-user.target.wants/"
	install "$program" "$home/root/usr/local/bin/private-registry"
	cp $state/authorities "$home/root/etc/ssl/certs/ca-certificates.crt"
	echo "host-$1" >"$home/root/etc/hostname"
	printf '%s\n' "127.0.0.1 localhost host-$1" "$centre $hub" \
		>"$home/root/etc/hosts"
	: >"$home/root/etc/resolv.conf"
}

# Docker wants a cgroup that it may write to, and runc to make keyrings.
host_boot() {
	local home=$state/$1 own=(--register=no)
	[ -d /run/systemd/system ] || own+=(--keep-unit)
	UNIFIED_CGROUP_HIERARCHY=1 setsid systemd-nspawn "${own[@]}" --quiet \
		--boot --machine="$switch-$1" --directory="$home/root" \
		--network-namespace-path="/run/netns/$switch-$1" \
		--bind="$home/docker:/var/lib/docker" \
		--bind="$home/containerd:/var/lib/containerd" \
		--capability=all --system-call-filter="@keyring bpf" \
		--resolv-conf=off --console=pipe \
		>"$home/console" 2>&1 </dev/null &
	echo $! >"$home/nspawn"
	disown
}

# The process that is its systemd.
leader() {
	local nspawn
	nspawn=$(cat "$state/$1/nspawn")
	awk '{print $1}' "/proc/$nspawn/task/$nspawn/children"
}

# enter HOST COMMAND...: as root there.
enter() {
	local process
	process=$(leader "$1")
	shift
	nsenter --target "$process" --mount --uts --ipc --net --pid --cgroup \
		env -i "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
		"TERM=${TERM:-dumb}" "$@"
}

is_up() {
	case $(enter "$1" systemctl is-system-running 2>&1) in
	running | degraded) return 0 ;;
	esac
	return 1
}

# engine HOST UNIT: its main process, as that host counts.
engine() {
	enter "$1" systemctl show --property=MainPID --value "$2"
}

# files HOST: everything below /etc, with mode, owner and digest.
files() (
	cd "$(root_of "$1")/etc" || return
	find . -printf '%p %y %m %U:%G %l\n' | sort
	find . -type f -exec sha256sum {} + | sort -k 2
)

# is_pointed HOST ADDRESS: all engines there look at that registry.
is_pointed() {
	local etc
	etc=$(root_of "$1")/etc
	grep -qs "^DOCKER_REPO=$2:5000/" "$etc/environment" &&
		grep -qs "//$2:5000\"" "$etc/containerd/certs.d/docker.io/hosts.toml" &&
		docker_says "$1" | grep -q "\"Mirrors\":\[\"http://$2:5000/"
}

# is_as_before HOST: its files, and what dockerd has in force.
is_as_before() {
	cmp -s <(files "$1") "$state/$1/before" &&
		docker_says "$1" | grep -q '"Mirrors":\(\[\]\|null\)'
}

docker_says() {
	curl --silent --max-time 5 --unix-socket \
		"/proc/$(leader "$1")/root/run/docker.sock" http://docker/info
}

# ------------------------------------------------------------------- the end

# Everybody in the demo's namespaces, and nobody else.
everybody() {
	local namespace
	for namespace in $switch "${hosts[@]/#/$switch-}"; do
		[ ! -e "/run/netns/$namespace" ] || ip netns pids "$namespace"
	done
}

# Who boots a host, and waits for its end, is outside of them.
booting() {
	local host nspawn
	for host in "${hosts[@]}"; do
		nspawn=$(cat "$state/$host/nspawn" 2>/dev/null) || continue
		[ "$(cat "/proc/$nspawn/comm" 2>/dev/null)" != systemd-nspawn ] ||
			echo "$nspawn"
	done
}

nobody_is_left() {
	local inside outside
	mapfile -t inside < <(everybody)
	mapfile -t outside < <(booting)
	[ ${#inside[@]} = 0 ] || kill -KILL "${inside[@]}"
	[ ${#outside[@]} = 0 ] || kill -TERM "${outside[@]}"
	[ "${#inside[@]} ${#outside[@]}" = "0 0" ]
}

cluster_end() {
	local namespace
	wait_until "its processes end" nobody_is_left
	for namespace in "${hosts[@]/#/$switch-}" $switch; do
		[ ! -e "/run/netns/$namespace" ] || ip netns delete "$namespace"
	done
	[ ! -d $state ] || wait_until "its files go" state_unmount
}

state_unmount() {
	! mountpoint -q $state || umount -R $state 2>/dev/null || return
	rmdir $state
}

# -------------------------------------------------------------------- waiting

# wait_until WHAT COMMAND...: until the command succeeds, or two minutes have passed.
wait_until() {
	local what=$1 end=$((SECONDS + 120))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || {
			say "Waited in vain until $what." >&2
			return 1
		}
		sleep 0.05
	done
}
