# SPDX-License-Identifier: Apache-2.0
# bwrap, runc and crun, made to fail: in a chroot to a mount that is mounted on a shared one, the kernel
# refuses their pivot_root. None of them says why; `pivotcheck explain` names the rule there, and
# behind what it prints to mend it each of them runs.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
needs_worlds
[[ $EUID -eq 0 ]] || skip 'no runtime was tried: it takes root'
tools=()
for tool in bwrap runc crun; do
  if command -v "$tool" >/dev/null; then tools+=("$tool"); else echo "NOT RUN: $tool is missing"; fi
done
[[ ${#tools[@]} -gt 0 ]] && command -v busybox >/dev/null ||
  skip 'no runtime was tried: bwrap, runc, crun or busybox is missing (ci/install tests)'

mkdir w
cat >inside.sh <<'END'
set -u
mount -t tmpfs none w
mount --make-shared w
R=$PWD/w/r
mkdir "$R"
mount -t tmpfs none "$R"
mount --make-private "$R"
mkdir -p "$R"/{probe,tmp,run,var/lib,sys/fs/cgroup,bundle/rootfs/{bin,proc,dev}}
dress "$R"
mount -t cgroup2 none "$R/sys/fs/cgroup" || echo 'no cgroup2 here'
mount -t tmpfs none "$R/probe"
cp "$PIVOTCHECK" "$R/pivotcheck"
cp "$(command -v busybox)" "$R/bundle/rootfs/bin/busybox"
ln -s busybox "$R/bundle/rootfs/bin/true"
if command -v runc >/dev/null; then (cd "$R/bundle" && runc spec); else (cd "$R/bundle" && crun spec); fi
sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"true"/' "$R/bundle/config.json"
chroot "$R" bash -s <<'INNER'
cd /bundle
run() {
  case $1 in
    bwrap) bwrap --ro-bind /bundle/rootfs / true ;;
    runc) runc --root /run/runc run "pivotcheck-$$" ;;
    crun) crun --root /run/crun --cgroup-manager=disabled run "pivotcheck-$$" ;;
  esac
}
for tool in $TOOLS; do
  message=$(run "$tool" 2>&1 </dev/null)
  echo "before $tool $? $(echo "$message" | grep -i 'pivot_root.*invalid argument' | tail -n 1)"
done
/pivotcheck explain --json /probe /probe
/pivotcheck explain /probe /probe | awk '/^To make it succeed/ { on = 1; next } /^$/ { on = 0 } on' | sed 's/^  //' >/tmp/script
sh -e /tmp/script </dev/null
echo "mended $?"
for tool in $TOOLS; do
  message=$(run "$tool" 2>&1 </dev/null)
  echo "after $tool $? $(echo "$message" | tail -n 1)"
done
INNER
END
export PIVOTCHECK TOOLS="${tools[*]}"
timeout 300 unshare --mount --propagation private bash inside.sh >out 2>err </dev/null || die 'the set-up'
has out '"rule":"root-parent-shared","errno":"EINVAL"'
has out 'mended 0'
shown=0
for tool in "${tools[@]}"; do
  if ! grep -q "^after $tool 0" out; then
    echo "NOT RUN: $tool can't run here at all: $(sed -n "s/^after $tool //p" out)"
    continue
  fi
  grep -Eqi "^before $tool [1-9][0-9]* .*pivot_root.*invalid argument" out || die "$tool did not fail as it should"
  echo "$tool: failed with EINVAL, explained, and runs once that is mended"
  shown=$((shown + 1))
done
[[ $shown -gt 0 ]] || exit 77
