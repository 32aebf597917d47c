#!/usr/bin/env bash
# Mesa's software driver for Vulkan, lavapipe, which has shader-f16, from Debian's packages. It is
# unpacked into a directory, and nothing is installed. Prints what has the tests use it:
#
#   eval "$(packages/backend-webgpu/tools/lavapipe.sh DIRECTORY)"
#
# Dawn refuses the one of Debian 12; there it is the one of the backports.
set -euo pipefail
directory=$(realpath "$1")
mkdir -p "$directory"/{lists,cache}/partial "$directory/cache/archives/partial"

release=$(. /etc/os-release && echo "$VERSION_CODENAME")
site=$(apt-get indextargets --format '$(SITE)' "Codename: $release" | head -n 1)
suites=$release
[ "$release" != bookworm ] || suites="$release $release-backports"
for suite in $suites; do
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $suite main"
done >"$directory/sources.list"

apt() {
  apt-get -qq -o Dir::Etc::SourceList="$directory/sources.list" -o Dir::Etc::SourceParts=- \
    -o Dir::State::Lists="$directory/lists" -o Dir::Cache="$directory/cache" \
    -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" "$@" >&2
}
apt update
apt install --download-only --reinstall --no-install-recommends --yes \
  --target-release "${suites##* }" mesa-vulkan-drivers libvulkan1
for package in "$directory"/cache/archives/*.deb; do dpkg -x "$package" "$directory"; done

libraries=$(dirname "$directory"/usr/lib/*/libvulkan_lvp.so)
echo "export VK_DRIVER_FILES=$(echo "$directory"/usr/share/vulkan/icd.d/lvp_icd*.json)"
echo "export LD_LIBRARY_PATH=$libraries XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp}"
