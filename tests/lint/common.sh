# SPDX-License-Identifier: Apache-2.0
# Sourced by the lints: the repository to look at, and its tracked files. Lints print one line for each thing wrong and exit
# 1; 77 where they cannot run.
set -u
root=${1:-$(dirname "$0")/../..}
cd "$root" || exit 1
problems=0

skip() {
    echo "skipped: $1"
    exit 77
}

problem() {
    echo "$1"
    problems=$((problems + 1))
}

finish() {
    [ "$problems" -eq 0 ] && exit 0
    echo "$problems problems"
    exit 1
}

# Tracked files that exist, by pathspec.
tracked() {
    git ls-files -- "$@" | while IFS= read -r file; do
        [ -f "$file" ] && echo "$file"
    done
}

command -v git > /dev/null || skip "git is not installed, so it is unknown which files belong to the repository"
git rev-parse --git-dir > /dev/null 2>&1 || skip "$PWD is not a git checkout"
