# SPDX-License-Identifier: Apache-2.0
# The man pages and the completion: they say all that --help says, man and mandoc find nothing
# wrong, and the shells complete with them.
source "$(dirname "$0")/common.sh"

export LC_ALL=C  # man complains about a locale that is not installed
missing=()
# needs TOOL: whether it is there; the last line counts what is not.
needs() {
  command -v "$1" >/dev/null || { missing+=("$1") && return 1; }
}
subcommands=$(pivotcheck --help | sed '1,/^Subcommands:/d' | grep -o '^  [a-z]*' | grep -o '[a-z]*')
[[ $(wc -w <<<"$subcommands") -ge 10 ]] || die "--help lists no subcommands: $subcommands"

# Every page: its sections, and every option of --help.
options_of() { grep -o '^  *-[^ ]*' <<<"$1" | tr ',' '\n' | grep -o -- '-.*'; }
for name in '' $subcommands; do
  # shellcheck disable=SC2086 # no word for pivotcheck itself
  pivotcheck --man $name >"page$name" || die "no page: $name"
  for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' 'SEE ALSO'; do
    grep -qx ".SH $section" "page$name" || die "$name: no $section"
  done
  # shellcheck disable=SC2086
  options=$(options_of "$(pivotcheck $name --help)")
  [[ $options == *--help* ]] || die "$name: no options in --help"
  grep '^\\fB' "page$name" >tags || die "$name: no options"
  for option in $options; do
    has tags "\\fB${option//-/\\-}\\fR"
  done
  echo "$options" >"options$name"
  [[ -z $name ]] || has page "pivotcheck\\-$name (1)"
done
has pageswitch 'The command\(aqs; 128+N if signal N killed it'
has pagerun '0 all that ran agreed, 1 a disagreement'
expect 2 err:'--man: there is no subcommand nosuch' pivotcheck --man nosuch
expect 2 err:'bash, zsh or fish, not tcsh' pivotcheck --completion tcsh

# A date is missing on purpose: the version says more.
if needs mandoc; then
  for page in page*; do
    mandoc -T lint -W warning "$page" | grep -v 'missing date' >lint && die "$page: $(cat lint)"
  done
fi
if needs man; then
  for page in page*; do
    [[ -z $(man --warnings -l "$page" 2>&1 >/dev/null) ]] || die "$page: man warns"
  done
  MANWIDTH=80 man -l pageswitch | sed 's/.\x08//g' >text
  has text '       --proc DST'
fi

# Bash: what TAB offers after these words, the last of which may be empty.
pivotcheck --completion bash >completion.bash
completed() {
  bash --norc -c 'source ./completion.bash
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    [[ $(complete -p pivotcheck) == *" -F _pivotcheck pivotcheck" ]] && _pivotcheck
    printf "%s\n" "${COMPREPLY[@]}"' - "$@"
}
# offers OFFERED WORDS...: that, and no other.
offers() {
  local offered
  offered=$(completed "${@:2}" | sort | xargs)
  [[ $offered == "$1" ]] || die "${*:2}: offers $offered instead of $1"
}
for name in $subcommands; do
  completed pivotcheck "$name" - | sort -u | diff <(sort -u "options$name") - ||
    die "$name: other options than in --help"
done
mkdir folder
touch 'folder.scn' 'two words.scn'
offers "$(sort <<<"$subcommands" | xargs)" pivotcheck ''
offers 'explain explore' pivotcheck -v exp
offers --every-step pivotcheck run --e
offers 'folder folder.scn' pivotcheck run folder
[[ $(completed pivotcheck run two) == 'two words.scn' ]] || die 'a name with a blank'
offers folder pivotcheck switch fo
offers 'template tmpfs-sandbox' pivotcheck switch --strategy t
offers 'template tmpfs-sandbox' pivotcheck switch --strategy = t
offers "$(completed pivotcheck switch --strategy '' | sort | xargs)" pivotcheck switch --strategy =
offers user,ipc pivotcheck switch --unshare user,ip
offers sys_admin,net_raw pivotcheck switch --drop sys_admin,net_r
offers 'folder folder.scn' pivotcheck switch folder -- f
offers --clearenv pivotcheck switch --clear
offers folder pivotcheck switch --chdir fo
offers 'both root userns' pivotcheck explore --privilege ''
offers '' pivotcheck explore --jobs ''
offers sys_chroot pivotcheck explain --caps sys_c

# What is offered is taken: there is no such root, but nothing is said about the word.
for option in strategy unshare drop; do
  offered=$(completed pivotcheck switch --$option '')
  [[ $(wc -w <<<"$offered") -ge 6 ]] || die "--$option offers too little: $offered"
  for word in $offered; do
    pivotcheck switch --$option "$word" ./nosuch -- x 2>err && die 'there is no such root'
    ! grep -qE -- "--$option|unknown" err || die "--$option $word is offered, but refused"
  done
done

if needs zsh; then
  mkdir functions
  pivotcheck --completion zsh >functions/_pivotcheck
  zsh -n functions/_pivotcheck || die 'zsh can not read it'
  # A zsh at a terminal, and TAB: each read waits until that was written.
  cat >at_terminal.zsh <<'END'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -D; echo rea""dy'
zpty -r shell seen '*ready*'
zpty -w -n shell $'pivotcheck switch --strategy t\t\t'
zpty -r shell seen '*template*tmpfs-sandbox*'
zpty -w -n shell $'\x15pivotcheck exp\t\t'
zpty -r shell seen '*explain*explore*'
zpty -d shell
END
  TERM=xterm timeout 120 zsh -f at_terminal.zsh >out 2>err || die 'zsh: TAB does not offer them'
fi
if needs fish; then
  pivotcheck --completion fish >completion.fish
  fish_offers() {
    HOME=$folder fish -c 'source completion.fish; complete -C $argv[1]' "$1" |
      cut -f1 | sort | xargs
  }
  [[ $(fish_offers 'pivotcheck exp') == 'explain explore' ]] || die 'fish: no subcommands'
  [[ $(fish_offers 'pivotcheck switch --strategy t') == 'template tmpfs-sandbox' ]] ||
    die 'fish: no strategies'
  [[ $(fish_offers 'pivotcheck switch --unshare user,ip') == user,ipc ]] || die 'fish: no lists'
fi
[[ ${#missing[@]} -eq 0 ]] || skip "${#missing[@]} of 4 tools (ci/install tests): ${missing[*]}"
