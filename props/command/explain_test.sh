# SPDX-License-Identifier: Apache-2.0
# `pivotcheck explain` names the rule in set-ups in which pivot_root really fails, and the commands it
# prints for each of them are run: pivot_root then succeeds. Every set-up is made in a mount namespace of its
# own, which ends with the shell that made it.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
needs_worlds

if [[ $EUID -eq 0 ]]; then own=(unshare --mount --propagation private); else own=(unshare -Urm); fi
"${own[@]}" true 2>/dev/null || skip 'no mount namespace can be made here'
before=$(cut -d' ' -f3- /proc/self/mountinfo | sort)
mkdir w
export W=$folder/w PIVOTCHECK folder

# What runs inside of each namespace. `fixes RULE NEW OLD`: the rule is named (by --try where locks
# can't be seen), the printed commands are run, and pivot_root succeeds: in them, where they end in it.
cat >inside.sh <<'END'
set -eu
die() { echo "FAILED: $*"; [ ! -e "$folder/said" ] || cat "$folder/said"; exit 1; }
names() {
  rule=$1; shift
  status=0
  "$PIVOTCHECK" explain --try --json "$@" >"$folder/said" 2>&1 || status=$?
  [ "$status" = 1 ] || die "exit status $status, not 1: $*"
  grep -q "\"verdict\":\"refused\",\"rule\":\"$rule\"" "$folder/said" || die "not $rule: $*"
}
commands() {
  "$PIVOTCHECK" explain "$@" | awk '/^To make it succeed/ { on = 1; next } /^$|^Note|^Tried/ { on = 0 } on' |
    sed 's/^  //'
}
fixes() {
  names "$@"; shift
  commands "$@" >"$folder/script"
  [ -s "$folder/script" ] || die "no commands: $*"
  case $(cat "$folder/script") in *pivot_root*) ;; *) echo 'pivot_root "$1" "$2"' >>"$folder/script" ;; esac
  sh -e "$folder/script" "$1" "$2" </dev/null >"$folder/said" 2>&1 || { cat "$folder/script"; die "fixing $rule"; }
  echo "fixed: $rule"
}
# No command helps.
only_names() {
  names "$@"; shift
  grep -q '"commands":\[\]' "$folder/said" || die "commands for what can't be fixed: $*"
  echo "named: $rule"
}
tmpfs() { mkdir -p "$1"; mount -t tmpfs none "$1"; }
# A folder with all that a shell needs, this test's folder and the command. "$1" must be on a tmpfs.
dress_with_test() {
  mkdir -p "$1$folder" "$1/new"
  dress "$1"
  mount --bind "$folder" "$1$folder"
  cp "$PIVOTCHECK" "$1/pivotcheck"
}
END

number=0
inside() {  # inside ENTER... -- SCRIPT
  local enter=()
  while [[ $1 != -- ]]; do enter+=("$1"); shift; done
  number=$((number + 1))
  "${enter[@]}" bash -c ". $folder/inside.sh; cd $folder; $2" >log 2>&1 </dev/null || { cat log; die "$2"; }
  [[ -s log ]] || die "said nothing: $2"
  cat log
}
own() { inside "${own[@]}" -- "$1"; }

# --- arguments
own 'tmpfs $W; tmpfs $W/new; fixes name-missing $W/new $W/new/old/x'
own 'tmpfs $W; fixes name-missing $W/new $W/new/old'
own 'tmpfs $W; mkdir $W/old; cd $W/old; rmdir $W/old; fixes put-old-gone $W .'
own 'tmpfs $W; touch $W/file; fixes not-a-directory $W $W/file'
own 'tmpfs $W; touch $W/file; only_names not-a-directory $W/file $W'
own 'tmpfs $W; ln -s nowhere $W/link; only_names name-missing $W/link $W'
own 'tmpfs $W; ln -s loop $W/loop; only_names too-many-links $W/loop $W'
own 'tmpfs $W; mkdir $W/n; mount --bind $W/n $W/n; cd $W/n; rmdir $W/n 2>/dev/null || true
    umount -l $W/n; mkdir -p $W/m; cd $W/m; rmdir $W/m; only_names new-root-removed . $W'
own 'tmpfs $W; touch $W/f $W/g; mount --bind $W/g $W/f; rm $W/g; only_names not-a-directory $W/f $W/f'
# Words that a shell, mountinfo and JSON must be told with care; slashes and links that change nothing.
for name in 'a b' 'a\b' "a'b" '-n' 'a$b' 'a"b' '#' $'a\tb' $'\xe9t\xe9' 'Ünicode' '*'; do
  NAME=$name own 'tmpfs $W; mkdir "$W/$NAME"; cd $W; fixes new-root-not-mount-point "./$NAME" "./$NAME"'
  NAME=$name own 'tmpfs $W; mkdir "$W/$NAME"; fixes new-root-not-mount-point "$W/$NAME/" "$W/$NAME/."'
done
own 'tmpfs $W; mkdir -p $W/new; ln -s new $W/l; ln -s $W/l $W/m; fixes new-root-not-mount-point $W/m/../m/ $W//m'
own 'tmpfs $W; mkdir -p $W/new/sub; cd $W/new/sub; fixes new-root-not-mount-point .. .'
own 'tmpfs $W; mkdir -p $W/new; cd $W/new; fixes new-root-not-mount-point ./ ././'

# A mistyped path is asked about before mkdir is proposed.
own 'tmpfs $W; mkdir -p $W/where/new; status=0
  "$PIVOTCHECK" explain $W/wehre/new $W/wehre/new >said || status=$?; [ $status = 1 ] || die $status
  grep -A1 "^Is the path right" said | grep -q "there is no wehre in .*, but where" || die no question
  [ "$(grep -n "^Is the path" said | cut -d: -f1)" -lt "$(grep -n "mkdir -p" said | cut -d: -f1)" ] || die order
  echo asked'

# --- new_root and put_old
own 'tmpfs $W; mkdir -p $W/new/old; fixes new-root-not-mount-point $W/new $W/new/old'
own 'tmpfs $W; tmpfs $W/new; tmpfs $W/o; fixes put-old-not-under-new-root $W/new $W/o'
own 'tmpfs $W; fixes put-old-on-root-mount $W /etc'
own 'tmpfs $W; fixes put-old-on-root-mount $W /'
own 'tmpfs $W; mkdir $W/in; mount -o remount,bind,ro $W; fixes put-old-on-root-mount $W /'
own 'tmpfs $W; mount --make-unbindable $W; mkdir $W/new; fixes new-root-not-mount-point $W/new $W/new'
if [[ $EUID -eq 0 ]]; then  # in a user namespace the root mount is locked, which comes first
  own 'fixes new-root-on-root-mount /etc /etc'
  own 'only_names new-root-on-root-mount / /etc'
  own 'cd /etc; fixes new-root-on-root-mount . .'
else
  own 'fixes new-root-locked /etc /etc'
  own 'cd /etc; fixes new-root-locked . .'
fi

# --- shared mounts: a shared parent, a shared put_old, / as systemd has it, a bind whose parent is shared
own 'tmpfs $W; mount --make-shared $W; tmpfs $W/new; mount --make-private $W/new
    fixes new-root-parent-shared $W/new $W/new'
own 'tmpfs $W; tmpfs $W/new; mount --make-shared $W/new; fixes put-old-mount-shared $W/new $W/new'
own 'mount --make-rshared /; fixes put-old-mount-shared /etc /etc'
own 'mount --make-rshared /; tmpfs $W; fixes put-old-mount-shared $W $W'
own 'tmpfs $W; mkdir -p $W/new/old; mount --make-shared $W; mount --bind $W/new $W/new
    mount --make-private $W/new; fixes new-root-parent-shared $W/new $W/new/old'
own 'tmpfs $W; mount --make-shared $W; mount --bind $W $W; mount --make-private $W
    fixes new-root-parent-shared $W $W'

# --- the caller: chrooted to a directory, chrooted to a mount on a shared one, no capability
# A process outside of the chroot stays, and sees what the root is mounted on.
chrooted='dress_with_test $W/r; tmpfs $W/r/new; PIVOTCHECK=/pivotcheck; export PIVOTCHECK
          chroot() { command chroot "$@" || exit 1; return 0; }
          chroot $W/r bash -c ". $folder/inside.sh; cd /;'
own "tmpfs \$W; $chrooted fixes root-not-mount-point /new /new\""
own "tmpfs \$W; $chrooted cd /new; mkdir old; fixes root-not-mount-point . ./old\""
own "tmpfs \$W; mount --make-shared \$W; tmpfs \$W/r; mount --make-private \$W/r
    $chrooted fixes root-parent-shared /new /new\""
own "tmpfs \$W; mount --make-shared \$W; mkdir \$W/r; mount --bind \$W/r \$W/r
    mount --make-private \$W/r; $chrooted mkdir /plain; fixes new-root-parent-shared /plain /plain\""
if [[ $EUID -eq 0 ]]; then
  inside "${own[@]}" setpriv --bounding-set -sys_admin -- 'fixes pivot-no-capability /etc /etc'
fi
inside unshare -Ur -- 'fixes pivot-no-capability /etc /etc'  # the mount namespace is another's

# --- no command helps: a tree that was detached, a directory outside of the root
own 'tmpfs $W; mkdir $W/d; cd $W; umount -l $W; only_names new-root-foreign . $folder'
own "tmpfs \$W; tmpfs \$W/r; dress_with_test \$W/r; tmpfs \$W/o; PIVOTCHECK=/pivotcheck
  nsenter --root=\$W/r --wd=\$W/o sh -c '. $folder/inside.sh; only_names new-root-not-under-root . .'"
own 'tmpfs $W; tmpfs $W/r; dress_with_test $W/r; tmpfs $W/o; nsenter --root=$W/r --wd=$W/o sleep 60 & pid=$!
  sleep 0.3; umount -l $W/r; only_names root-mount-foreign --pid $pid . .; kill $pid'

# --- a locked mount
own 'tmpfs $W; unshare -Urm bash -c ". $folder/inside.sh; fixes new-root-locked $W $W"'
own 'tmpfs $W; unshare -Urm bash -c ". $folder/inside.sh
    tmpfs $W/new; $PIVOTCHECK explain $W/new $W/new >$folder/said || die its own
    $PIVOTCHECK explain --try $W/new $W/new >$folder/said || die tried; echo told"'

# --- another process, by its number; it is looked at from outside
own "tmpfs \$W; dress_with_test \$W/r; tmpfs \$W/r/new; chroot \$W/r sleep 60 & pid=\$!
  sleep 0.5; names root-not-mount-point --pid \$pid /new /new; commands --pid \$pid /new /new >script
  kill -0 \$pid; sh -e script </dev/null || die script; kill \$pid; echo fixed by pid"

# In namespaces of its own, and in a user namespace alone: there its mount namespace is the caller's.
inside -- 'unshare -Urm sleep 60 & pid=$!; trap "kill $pid" EXIT; sleep 0.5; names new-root-locked --pid $pid /etc /etc
  commands --pid $pid /etc /etc >script; sh -e script </dev/null || die script
  status=0; "$PIVOTCHECK" explain --try --pid $pid /etc /etc >said || die still; echo fixed in its namespaces'
inside -- 'unshare -Ur sleep 60 & pid=$!; trap "kill $pid" EXIT; sleep 0.5; names pivot-no-capability --pid $pid /etc /etc
  commands --pid $pid /etc /etc >script; sh -e script </dev/null || die script; echo fixed in a namespace below'

# In a PID namespace of its own, where /proc is still that of the one above: numbers mean others there.
inside "${own[@]}" unshare --pid --fork -- 'tmpfs $W; tmpfs $W/new; mount --make-shared $W/new
  fixes put-old-mount-shared $W/new $W/new'

# A user namespace with a copy of the machine's mounts, which half of all programs have, locks none of
# those. A copy that a process of the machine's user namespace makes of such a copy has all of them
# locked: whether the first owner is still there, or has ended.
cat >after_the_end.sh <<'END'
. "$folder/inside.sh"
touch "$folder/entered"
while [ ! -e "$folder/ended" ]; do sleep 0.1; done
fixes new-root-locked "$W" "$W"
END
if [[ $EUID -eq 0 ]]; then
  inside -- 'unshare -Urm sleep 60 & pid=$!; trap "kill $pid" EXIT; sleep 0.5
    unshare --mount --propagation private sh -c ". $folder/inside.sh; tmpfs $W; mkdir $W/n
      status=0; $PIVOTCHECK explain $W/n $W/n >said || status=\$?; [ \$status = 1 ] || die doubt; echo no doubt"'
  for end in true 'kill $pid'; do
    inside -- 'unshare -Urm sh -c "mount -t tmpfs none $W && exec sleep 60" & pid=$!; sleep 0.5
      nsenter --target $pid --mount unshare --mount --propagation unchanged sh "$folder/after_the_end.sh" & entered=$!
      for i in $(seq 100); do [ -e entered ] || sleep 0.1; done; [ -e entered ] || die did not enter
      '"$end"'; touch ended; wait $entered; rm entered ended; kill $pid 2>/dev/null || true'
  done
fi

# --- --try in JSON: whether it was tried, what it gave, whether the rules agree. A filter that looks at
# the arguments answers only the call that is tried, so that the rules are contradicted.
own 'tmpfs $W; mkdir $W/n
  "$PIVOTCHECK" explain --json --try $W/n $W/n >said || [ $? = 1 ]
  grep -q "\"tried\":true,\"tried_outcome\":\"E[A-Z]*\",\"agrees\":true" said || die not told
  "$PIVOTCHECK" explain --json $W/n $W/n >said || [ $? = 1 ]; ! grep -q tried said || die tried; echo agrees'
inside unshare -Ur -- 'status=0; "$PIVOTCHECK" explain --json --try /etc /etc >said || status=$?
  [ $status = 1 ] && grep -q "\"tried\":false,\"not_tried\":\"without the capability" said || die; echo not tried'
call=$(printf '#include <sys/syscall.h>\nSYS_pivot_root\n' | "${CXX:-c++}" -E -x c - | tail -n 1)
octal=$(printf '\\%o' "$call")
{  # ENOTTY where the first argument is not null: load the number, then the argument; errno or allow
  printf '\x20\0\0\0\0\0\0\0\x15\0\0\x03'"$octal"'\0\0\0\x20\0\0\0\x10\0\0\0'
  printf '\x15\0\x01\0\0\0\0\0\x06\0\0\0\x19\0\x05\0\x06\0\0\0\0\0\xff\x7f'
} >odd.bpf
own 'tmpfs $W; tmpfs $W/n; status=0
  "$PIVOTCHECK" switch --strategy chroot --seccomp 8 / -- "$PIVOTCHECK" explain --json --try $W/n $W/n \
    8<odd.bpf >said || status=$?
  [ $status = 5 ] || die $status; grep -q "\"tried_outcome\":\"ENOTTY\",\"agrees\":false" said || die not told
  echo contradicted'

# --- while something else mounts and unmounts, the answer is one of the two, or that it can't be told
own 'tmpfs $W; mkdir $W/n; export W
  sh -c "while [ ! -e $folder/stop ]; do mount -t tmpfs none $W/n; umount $W/n; done" & mounts=$!
  for i in $(seq 30); do
    status=0; "$PIVOTCHECK" explain $W/n $W/n >said 2>err || status=$?
    case $status in
      0) ;;
      1) grep -q "EBUSY new-root-on-root-mount\|EINVAL new-root-not-mount-point" said || die another rule ;;
      4) grep -q "mounts change" err || { cat err; die unclear; } ;;
      *) die $status ;;
    esac
  done
  touch stop; wait $mounts; rm stop; echo agreed'

# --- a current directory that was removed, with those above it: their names lead nowhere
own 'tmpfs $W; mkdir -p $W/a/a; cd $W/a/a; rmdir $W/a/a $W/a
  status=0; said=$("$PIVOTCHECK" explain $W/a $W/a) || status=$?
  case $status$said in 1*"ENOENT name-missing"*) ;; *) die "exit status $status: $said" ;; esac
  echo told'

# --- a look that fails is told as such: with every number of descriptors, the same or "cannot tell"
fewer='tmpfs $W; mkdir $W/n; seen=0
  status=0; "$PIVOTCHECK" explain $W/n $W/n >right || status=$?; [ $status = 1 ] || die $status
  for limit in $(seq 3 24); do
    status=0; (ulimit -n $limit; exec "$PIVOTCHECK" explain $W/n $W/n) >said 2>err || status=$?
    case $status in
      1) cmp -s right said || die "another answer with $limit" ;;
      4) grep -q EMFILE err said || die "no errno with $limit"; seen=$((seen + 1)) ;;
      # A command with sanitizers is not static: loader and sanitizer open files themselves.
      *) [ -n "${SANITIZE:-}" ] && [ $limit -lt 6 ] || die "exit status $status with $limit" ;;
    esac
  done
  [ $seen -gt 0 ] && [ $seen -lt 22 ] || die "$seen times told"; echo "told $seen times"'
own "$fewer"

# --- what it says is what happens, where it would succeed; and nothing is left
own 'tmpfs $W; mkdir $W/old; status=0; "$PIVOTCHECK" explain --json $W $W/old >said || status=$?
  if [ $status = 4 ]; then "$PIVOTCHECK" explain --try --json $W $W/old >said || die tried; else [ $status = 0 ]; fi
  grep -q "\"verdict\":\"would succeed\".*\"before\".*\"after\"" said || die no drawing
  pivot_root $W $W/old; echo succeeded'
[[ $before == "$(cut -d' ' -f3- /proc/self/mountinfo | sort)" ]] || die 'the mounts of the machine changed'
echo "$number set-ups"
