#!/bin/sh
# Installs memlatch for the user who runs it: sh memlatch-installer.sh [--uninstall]
#
# It asks for the archive of this machine's platform and for SHA256SUMS, compares the sum, and puts the binary, the
# commands, man pages and completions below ~/.local (PREFIX=DIRECTORY takes another place). Every file that it makes is listed in
# PREFIX/share/memlatch/installed; --uninstall removes those, and nothing else. Your memory files and locks are left alone.
#
# MEMLATCH_DOWNLOADS=URL takes the files from elsewhere, and MEMLATCH_VERSION=VERSION another version.
set -eu

VERSION=0.0.0
DOWNLOADS=https://example.org/memlatch/releases/download

version=${MEMLATCH_VERSION:-$VERSION}
downloads=${MEMLATCH_DOWNLOADS:-$DOWNLOADS}
prefix=${PREFIX:-${HOME:?}/.local}
list=$prefix/share/memlatch/installed

say() { printf 'memlatch-installer: %s\n' "$*"; }
fail() {
	printf 'memlatch-installer: %s\n' "$*" >&2
	exit 1
}

# Removes the files that the list names, and the folders that are empty then.
uninstall() {
	[ -f "$list" ] || fail "nothing to remove: there is no '$list'"
	count=0
	while IFS= read -r file; do
		[ -n "$file" ] || continue
		rm -f "$prefix/$file"
		count=$((count + 1))
	done <"$list"
	rm -f "$list"
	rmdir "$prefix/share/memlatch" 2>/dev/null || :
	say "$count files removed from $prefix; memory files and locks are as they were"
}

fetch() {
	if command -v curl >/dev/null 2>&1; then
		curl --fail --silent --show-error --location --output "$2" "$1"
	elif command -v wget >/dev/null 2>&1; then
		wget -q -O "$2" "$1"
	else
		fail "needs curl or wget"
	fi || fail "cannot fetch $1; nothing was installed"
}

sum() {
	if command -v sha256sum >/dev/null 2>&1; then
		sha256sum "$1"
	elif command -v shasum >/dev/null 2>&1; then
		shasum -a 256 "$1"
	else
		fail "needs sha256sum or shasum; nothing was installed"
	fi | cut -d ' ' -f 1
}

platform() {
	system=$(uname -s) machine=$(uname -m)
	case $machine in
	x86_64 | amd64) machine=x86_64 ;;
	aarch64 | arm64) machine=aarch64 ;;
	*) fail "there is no binary for $machine; build it: cargo install memlatch" ;;
	esac
	case $system in
	Linux) echo "$machine-unknown-linux-gnu" ;;
	Darwin) echo "$machine-apple-darwin" ;;
	*) fail "there is no binary for $system; Linux and macOS have one" ;;
	esac
}

# put FILE WHERE: WHERE is below the prefix. The old file is replaced whole, so that a running memlatch goes on.
put() {
	mkdir -p "$prefix/$(dirname "$2")"
	rm -f "$prefix/$2.new"
	cp -P "$1" "$prefix/$2.new"
	mv -f "$prefix/$2.new" "$prefix/$2"
	printf '%s\n' "$2" >>"$work/installed"
}

# What stands there under one of our names and is not ours is not overwritten.
check() {
	if [ -e "$prefix/bin/$1" ] && ! grep -qsx "bin/$1" "$list"; then
		fail "'$prefix/bin/$1' is there already and was not installed by this script; move it away, or set PREFIX; nothing was installed"
	fi
}

case ${1:-} in
'') ;;
--uninstall)
	uninstall
	exit
	;;
*) fail "usage: memlatch-installer.sh [--uninstall]" ;;
esac

target=$(platform)
name=memlatch-$version-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for command in memlatch memlatch-remote file-lock memory-update memory-read atomic-write; do
	check "$command"
done

fetch "$downloads/v$version/SHA256SUMS" "$work/SHA256SUMS"
wanted=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$name\.tar\.gz\$/\1/p" "$work/SHA256SUMS")
[ -n "$wanted" ] || fail "release $version has nothing for $target; build it: cargo install memlatch; nothing was installed"
fetch "$downloads/v$version/$name.tar.gz" "$work/archive.tar.gz"
found=$(sum "$work/archive.tar.gz")
[ "$found" = "$wanted" ] || fail "$name.tar.gz has the sum $found, but SHA256SUMS says $wanted; nothing was installed"
say "$name.tar.gz has the sum that SHA256SUMS names"

gzip -dc "$work/archive.tar.gz" | tar -xf - -C "$work"
"$work/$name/memlatch" --version >/dev/null 2>&1 || fail "the binary does not run here; nothing was installed"

put "$work/$name/memlatch" bin/memlatch
put "$work/$name/memlatch-remote" bin/memlatch-remote
for command in file-lock memory-update memory-read atomic-write; do
	ln -s memlatch "$work/$command"
	put "$work/$command" "bin/$command"
done
for page in "$work/$name"/man/*.1; do
	put "$page" "share/man/man1/${page##*/}"
done
for file in "$work/$name"/bash/*; do
	put "$file" "share/bash-completion/completions/${file##*/}"
done
for file in "$work/$name"/fish/*; do
	put "$file" "share/fish/vendor_completions.d/${file##*/}"
done
put "$work/$name/zsh/_memlatch" share/zsh/site-functions/_memlatch
for file in LICENSE THIRD-PARTY-LICENCES; do
	put "$work/$name/$file" "share/memlatch/$file"
done
# What an older version had and this one has not.
if [ -f "$list" ]; then
	while IFS= read -r file; do
		grep -qxF "$file" "$work/installed" || rm -f "$prefix/$file"
	done <"$list"
fi
mkdir -p "$prefix/share/memlatch"
cp "$work/installed" "$list.new"
mv "$list.new" "$list"

say "memlatch $version is in $prefix/bin: memlatch file-lock memory-update memory-read atomic-write"
say "man pages and completions are below $prefix/share; 'sh memlatch-installer.sh --uninstall' removes all of it"
case :$PATH: in
*:"$prefix/bin":*) ;;
*) say "$prefix/bin is not on your PATH; add to your shell's profile: export PATH=\"$prefix/bin:\$PATH\"" ;;
esac
say "next: memlatch doctor"
