# shellcheck shell=bash
# Sourced by ./run and ./test: install what is missing, build with Meson.

top=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
export LC_ALL=C.UTF-8

# shellcheck disable=SC2034 # used by those who source this
build_packages=(gcc libc6-dev meson ninja-build pkg-config python3
	libssl-dev libcurl4-openssl-dev libsqlite3-dev libjansson-dev
	libyaml-dev libpsl-dev libcmocka-dev ca-certificates)

say() {
	printf '%s\n' "$@"
}

# quietly WHAT COMMAND...: shows what the command printed only if it fails.
quietly() {
	local what=$1 output
	shift
	output=$("$@" 2>&1 </dev/null) && return
	printf '%s\n' "$output" | tail -n 40 >&2
	say "$what failed; its last lines are above." >&2
	return 1
}

# need PACKAGE...: installs those that are missing; no daemon is started.
need() (
	mapfile -t missing < <(comm -23 <(printf '%s\n' "$@" | sort -u) \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" \
			2>/dev/null | sed -n 's/^installed //p' | sort -u))
	[ ${#missing[@]} = 0 ] && return

	root=()
	if [ "$(id -u)" != 0 ]; then
		root=(sudo)
		command -v sudo >/dev/null || {
			say "Run this as root, or install sudo; missing are:" \
				"${missing[*]}" >&2
			return 1
		}
	fi
	say "Installing with apt-get: ${missing[*]}"
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap '"${root[@]}" rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' |
			"${root[@]}" tee $policy >/dev/null
		"${root[@]}" chmod 755 $policy
	fi
	apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
		apt-get -y -o DPkg::Lock::Timeout=600)
	quietly "apt-get update" "${apt[@]}" update &&
		quietly "apt-get install" "${apt[@]}" install \
			--no-install-recommends "${missing[@]}"
)

# build DIRECTORY OPTIONS [TARGET...]: OPTIONS is one word list for Meson.
build() {
	local directory=$top/$1 options=$2
	shift 2
	if [ ! -f "$directory/build.ninja" ]; then
		say "Configuring ${directory##*/}/"
		# shellcheck disable=SC2086
		quietly Meson meson setup "$directory" "$top" $options ||
			return
	fi
	say "Building ${directory##*/}/"
	ninja --quiet -C "$directory" "$@"
}
