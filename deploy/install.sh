#!/bin/sh
# Lays the package out as Debian would, from the tarball that "npm pack" makes:
#   /usr/lib/iommu-broker            the package and what it depends on
#   /usr/bin                         iommu-brokerd, iommuctl
#   /etc/iommu-broker/config.yaml    kept where there is one; a newer one is then config.yaml.new
#   /usr/lib/{systemd/system,sysusers.d,tmpfiles.d,udev/rules.d}
#   /usr/share/iommu-broker          drop-ins, Prometheus rules, Grafana dashboards, Kubernetes manifests
#   /usr/share/doc/iommu-broker      the documents, as they lie in the package: their links to each other hold
#   /usr/share/man/man1, and bash's and zsh's directories of completions
# It changes files beneath DESTDIR only: users, directories and units are made known by the commands that it prints.
set -eu

usage() {
  echo "usage: install.sh [--destdir DIR] [--node FILE] TARBALL" >&2
  exit 64
}

destdir='' node='' tarball=''
while [ $# -gt 0 ]; do
  case $1 in
    --destdir) [ $# -gt 1 ] || usage; destdir=${2%/}; shift 2 ;;
    --node) [ $# -gt 1 ] || usage; node=$2; shift 2 ;;
    -*) usage ;;
    *) [ -z "$tarball" ] || usage; tarball=$1; shift ;;
  esac
done
[ -n "$tarball" ] || usage
[ -f "$tarball" ] || { echo "install.sh: there is no file $tarball: npm pack makes it" >&2; exit 66; }
tarball=$(cd "$(dirname "$tarball")" && pwd)/$(basename "$tarball")

# What runs it: the units start /usr/bin/iommu-brokerd with systemd's PATH, which need not be the caller's.
[ -n "$node" ] || node=$(command -v node) || { echo "install.sh: there is no node: --node names one" >&2; exit 69; }
"$node" -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  process.exit(major > 22 || (major === 22 && minor >= 12) ? 0 : 1);
' || { echo "install.sh: $node is $("$node" --version), and 22.12 or later is needed: --node names one" >&2; exit 69; }

if [ -n "$destdir" ]; then
  mkdir -p "$destdir"
  destdir=$(cd "$destdir" && pwd)
fi
lib=$destdir/usr/lib/iommu-broker
package=$lib/node_modules/iommu-broker
mkdir -p "$lib"
# No package's scripts: none that this one depends on needs its own.
npm install --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund --prefix "$lib" "$tarball"

program() {
  mkdir -p "$destdir/usr/bin"
  printf '#!/bin/sh\nexec %s /usr/lib/iommu-broker/node_modules/iommu-broker/%s "$@"\n' "$node" "$2" > "$destdir/usr/bin/$1"
  chmod 0755 "$destdir/usr/bin/$1"
}
program iommu-brokerd dist/server/main.js
program iommuctl dist/cli/main.js

file() { install -D -m 0644 "$package/deploy/$1" "$destdir/$2"; }
for unit in iommu-broker.service iommu-broker.socket iommu-broker-fds.socket iommu-broker-admin.socket; do
  file "systemd/$unit" "usr/lib/systemd/system/$unit"
done
file systemd/sysusers.conf usr/lib/sysusers.d/iommu-broker.conf
file systemd/tmpfiles.conf usr/lib/tmpfiles.d/iommu-broker.conf
file systemd/60-iommu-broker.rules usr/lib/udev/rules.d/60-iommu-broker.rules

config=etc/iommu-broker/config.yaml
if [ ! -e "$destdir/$config" ]; then
  file systemd/config.yaml "$config"
elif ! cmp -s "$package/deploy/systemd/config.yaml" "$destdir/$config"; then
  file systemd/config.yaml "$config.new"
fi

share=$destdir/usr/share/iommu-broker
mkdir -p "$share"
for drop_in in native.conf bind-devices.conf vended.conf counters.conf modules-load.conf; do
  file "systemd/$drop_in" "usr/share/iommu-broker/systemd/$drop_in"
done
for tree in prometheus grafana kubernetes; do
  rm -rf "${share:?}/$tree"
  cp -R "$package/deploy/$tree" "$share/$tree"
done

doc=$destdir/usr/share/doc/iommu-broker
rm -rf "${doc:?}"
mkdir -p "$doc"
for document in README.md ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md LICENSE docs; do
  cp -R "$package/$document" "$doc/$document"
done
# What the documents link to besides: not a second time, only where they look for it.
for linked in deploy examples proto; do
  ln -s "../../../lib/iommu-broker/node_modules/iommu-broker/$linked" "$doc/$linked"
done
man=$destdir/usr/share/man/man1
mkdir -p "$man"
mv -f "$doc/docs/iommuctl.1" "$man/iommuctl.1"
chmod 0644 "$man/iommuctl.1"

completion() {
  mkdir -p "$destdir/$(dirname "$2")"
  "$node" "$package/dist/cli/main.js" completion "$1" > "$destdir/$2"
  chmod 0644 "$destdir/$2"
}
completion bash usr/share/bash-completion/completions/iommuctl
completion zsh usr/share/zsh/vendor-completions/_iommuctl

[ -n "$destdir" ] || cat <<'NEXT'
Installed. To make it known and start it:
  systemd-sysusers
  systemd-tmpfiles --create iommu-broker.conf
  udevadm control --reload
  systemctl daemon-reload
  iommu-brokerd --config /etc/iommu-broker/config.yaml --check-config
  systemctl enable --now iommu-broker.service
NEXT
