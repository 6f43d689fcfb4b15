#!/bin/sh
# Install Debian packages by name, unless what they give is already there.
# Usage: debian.sh COMMAND=PACKAGE ... or FILE=PACKAGE, FILE beginning with /
set -u
missing=""
for pair in "$@"; do
    what="${pair%%=*}"
    case "$what" in
        /*) [ -e "$what" ] ;;
        *) command -v "$what" >/dev/null 2>&1 ;;
    esac || missing="$missing ${pair#*=}"
done
# A Debian python3 may lack venv's own part.
if ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then missing="$missing python3-venv"; fi
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then sudo=""
elif command -v sudo >/dev/null 2>&1; then sudo="sudo"
else
    echo "sentei: error: please install as root: apt-get install$missing" >&2
    exit 6
fi
echo "installing Debian packages:$missing"
# shellcheck disable=SC2086
if ! { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive \
       apt-get install -y -qq --no-install-recommends $missing >/dev/null; }; then
    echo "sentei: error: apt-get could not install:$missing" >&2
    exit 6
fi
