#!/bin/sh
# Packs bin/penstock for Linux: packaging/dist.sh VERSION ARCH. The same commit and compilers give the same bytes.
set -eu
cd "$(dirname "$0")/.."
version=$1 arch=$2
name=penstock-$version-linux-$arch
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
rm -rf "dist/$name"
mkdir -p "dist/$name"
install -m 755 bin/penstock "dist/$name/penstock"
install -m 644 packaging/penstock.service packaging/penstock.yaml packaging/INSTALL.md LICENSE CHANGELOG.md "dist/$name/"
tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --format=gnu -C dist -cf - "$name" |
	gzip -9n >"dist/$name.tar.gz"
rm -rf "dist/$name"
(cd dist && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "dist/$name.tar.gz"
