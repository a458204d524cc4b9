#!/usr/bin/env bash
# Puts `tollgate` into $RUNNER_TEMP/tollgate/bin: the released binary where the action is used at a release or `version` names one,
# else built from the action's own source. A download whose checksum differs ends the job; it is never replaced by something else.
# shellcheck disable=SC2153 # inputs are variables of the environment
set -euo pipefail
bin="$RUNNER_TEMP/tollgate/bin"
mkdir -p "$bin"
server=${GITHUB_SERVER_URL:-https://github.com}

# The version of the action's source, if it is the released one: used at its tag, or at the commit that the tag names.
released_version() {
  local version tag
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$ACTION_PATH/Cargo.toml" | head -n 1)
  tag="v$version"
  if [ "$ACTION_REF" = "$tag" ]; then
    echo "$version"
  elif [[ "$ACTION_REF" =~ ^[0-9a-f]{40}([0-9a-f]{24})?$ ]]; then
    if git ls-remote "$server/$ACTION_REPOSITORY" "refs/tags/$tag" "refs/tags/$tag^{}" 2>/dev/null | grep -q "^$ACTION_REF"; then
      echo "$version"
    fi
  fi
}

target() {
  case "${RUNNER_OS:-}-${RUNNER_ARCH:-}" in
    Linux-X64) echo x86_64-unknown-linux-musl ;;
    Linux-ARM64) echo aarch64-unknown-linux-musl ;;
    macOS-X64) echo x86_64-apple-darwin ;;
    macOS-ARM64) echo aarch64-apple-darwin ;;
    Windows-X64) echo x86_64-pc-windows-msvc ;;
  esac
}

checksum() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

asked=${VERSION#v}
version=$asked
if [ -z "$version" ] && [ -n "${ACTION_REPOSITORY:-}" ] && [ -n "${ACTION_REF:-}" ]; then version=$(released_version); fi
target=$(target)
if [ -n "$version" ] && [ -n "$target" ]; then
  if ! [[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+([-.0-9A-Za-z]*)$ ]]; then
    echo "::error title=tollgate::\`version\` is not a version: write for example 0.1.0"
    exit 2
  fi
  if [ -z "${ACTION_REPOSITORY:-}" ]; then
    echo "::error title=tollgate::\`version\` needs the action to be used from its repository: \`uses: OWNER/tollgate@…\`"
    exit 2
  fi
  name="tollgate-$target.tar.gz"
  address="$server/$ACTION_REPOSITORY/releases/download/v$version"
  folder=$(mktemp -d)
  if curl --fail --silent --show-error --location --retry 3 --output "$folder/$name" "$address/$name" &&
    curl --fail --silent --show-error --location --retry 3 --output "$folder/SHA256SUMS" "$address/SHA256SUMS"; then
    expected=$(awk -v name="$name" '$2 == name { print $1 }' "$folder/SHA256SUMS")
    if [ -z "$expected" ] || [ "$expected" != "$(checksum "$folder/$name")" ]; then
      echo "::error title=tollgate::the checksum of $address/$name is not the one in SHA256SUMS"
      exit 2
    fi
    tar -xzf "$folder/$name" -C "$bin"
    echo "installed tollgate $version for $target, with the expected checksum"
    exit 0
  fi
  if [ -n "$asked" ]; then
    echo "::error title=tollgate::release $version cannot be had from $address"
    exit 2
  fi
  echo "release $version cannot be had; building it from the action's source"
fi

# Built outside of the checked-out change: toolchain and cargo settings in it must not count. What a released binary gains from
# link-time optimisation costs more here, where it is built for each run.
cd "$ACTION_PATH"
if ! command -v cargo >/dev/null; then
  echo "::error title=tollgate::there is no release of this revision of the action, and no Rust here to build it with"
  exit 2
fi
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
cargo install --quiet --locked --path . --root "$RUNNER_TEMP/tollgate"
