# SPDX-License-Identifier: Apache-2.0
# Every strategy while somebody exchanges names (props/attack/exchange.c): a directory and a
# symbolic link that leads to the host. The switch may be refused; where it takes place, the command
# must not see the host. RACES says how often each is tried (ci/nightly: more often).
#
#     host/p/root          the new root; in it bin/, data/way/deep/
#     host/marker          what the command looks for
#
# Where names are exchanged: the root itself; its parent; a name at its top; the old root's
# directory; on the way to the target of a mount.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
: "${ATTACK:?the attacking program}"
runs=${RACES:-8}

# --- in a mount namespace of its own: race MODE --------------------------------------------------
if [[ ${1:-} == race ]]; then
  inside=()
  [[ $2 != user ]] || inside=(--unshare user --map root)
  host=$WORK/host
  mount -t tmpfs none "$host"
  cd "$host"
  # The command has the same path in the root and on the host, or it would not run there.
  mkdir -p p/root/{bin,proc,data/way/deep} "p/root$host" other
  cp "$ATTACK" attack
  cp "$ATTACK" "p/root$host/attack"
  touch marker
  ln -s / other/root
  ln -s other q
  ln -s / p/link
  ln -s / p/root/link
  ln -s / p/root/data/link
  mounts >mounts

  # race STRATEGY PLACE DIRECTORY ONE OTHER OPTION...: prints a row of the table
  race() {
    local strategy=$1 place=$2 directory=$3 one=$4 other=$5 answer exchanges i
    local in=0 OUT=0 refused=0
    shift 5
    "$ATTACK" exchange "$directory" "$one" "$other" >exchanged &
    for ((i = 0; i < runs; ++i)); do
      answer=$(timeout 60 "$PIVOTCHECK" switch "${inside[@]}" --strategy "$strategy" "$@" \
        p/root -- "$host/attack" sees "${host#/}/marker" 2>err) || {
        [[ $? -eq 125 ]] || die "$strategy, $place: neither a switch nor a refusal: $(cat err)"
        answer=refused
      }
      ((++$answer))
    done
    kill $!
    wait $!
    exchanges=$(<exchanged)
    echo "| $strategy | $place | $in | $refused | $OUT | $exchanges |"
  }
  for strategy in "${all_strategies[@]}"; do
    race "$strategy" root p root link
    race "$strategy" parent . p q
    race "$strategy" top p/root bin link
    race "$strategy" target p/root/data way link --tmpfs /data/way/deep
    case $strategy in
      put-old | manual | proc-first) race "$strategy" 'old root' p/root '.pivotcheck-old-*' link ;;
    esac
  done
  # What stayed in the root where its name was another's is swept by the next switch.
  "$PIVOTCHECK" switch "${inside[@]}" --strategy put-old p/root -- "$host/attack" cwd x >/dev/null
  ls -A p/root | diff <(printf '%s\n' bin data link proc "${host#/}" | cut -d/ -f1 | sort) - ||
    die 'something stayed in the root'
  mounts | cmp - mounts || die 'a mount stayed'
  exit 0
fi

# --- outside -------------------------------------------------------------------------------------
needs_user_namespaces
open_up
mkdir host
self=$folder/race_test.sh
cp "$0" "$self"
cp "$ATTACK" attack
cp "$(dirname "$0")"/{common,roots}.sh .
chmod -R a+rX .
# measure MODE COMMAND...: runs this file again, in a namespace of its own
measure() {
  local mode=$1
  shift
  "$@" env WORK="$folder" PIVOTCHECK="$PIVOTCHECK" SOURCE="$SOURCE" ATTACK="$folder/attack" \
    RACES="$runs" bash "$self" race "$mode" >"$mode" 2>messages ||
    die "$mode: $(cat "$mode" messages)"
  echo "$mode: strategy, place, switched, refused, OUT, exchanges"
  cat "$mode"
}
measure user as_user unshare --user --map-root-user --mount
if [[ $EUID -eq 0 ]]; then
  measure root unshare --mount --propagation private
else
  echo 'NOT RUN: as root'
fi
rows=(user)
[[ ! -e root ]] || rows+=(root)
[[ -z $(awk -F'|' '$6 > 0' "${rows[@]}") ]] || die 'the host came in'
[[ -n $(awk -F'|' '$4 > 0' user) ]] || die 'no run ended in a switch'
[[ -n $(awk -F'|' '$7 > 0' user) ]] || die 'no names were exchanged'
