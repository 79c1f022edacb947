# SPDX-License-Identifier: Apache-2.0
# The Debian package: made by CPack, installed by dpkg into a root in which there is nothing else,
# used there, and purged: then nothing is left.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
: "${BUILD:?the build folder}"
needs_user_namespaces
[[ -z ${SANITIZE:-} ]] || skip 'a build with sanitizers is not for others to install'
[[ -w $BUILD ]] || skip 'CPack writes into the build folder, which is not ours'
for tool in cpack dpkg dpkg-deb dpkg-shlibdeps man; do
  command -v "$tool" >/dev/null || skip "no $tool (ci/install build tests)"
done
chmod 755 .
expect 0 cpack -G DEB --config "$BUILD/CPackConfig.cmake" -B "$folder/made"
package=$(echo made/pivotcheck_*.deb)
[[ $(dpkg-deb -f "$package" Package) == pivotcheck ]] || die 'the package has another name'
[[ $("$PIVOTCHECK" --version) == "pivotcheck $(dpkg-deb -f "$package" Version) "* ]] ||
  die 'the package has another version than the command'
# A command that is linked statically needs no other package.
if ! ldd "$PIVOTCHECK" >/dev/null 2>&1; then
  [[ -z $(dpkg-deb -f "$package" Depends) ]] || die 'a static command depends on something'
fi
dpkg-deb -c "$package" | awk '{ print $2, $6 }' >contents
! grep -v '^root/root \./' contents || die 'not all belongs to root'
for file in bin/pivotcheck lib/libpivotcheck.a include/pivotcheck/root_switch.h \
  lib/cmake/pivotcheck/pivotcheckConfig.cmake lib/pkgconfig/pivotcheck.pc \
  share/man/man1/pivotcheck.1 share/man/man1/pivotcheck-switch.1 share/doc/pivotcheck/copyright \
  share/bash-completion/completions/pivotcheck share/zsh/vendor-completions/_pivotcheck \
  share/fish/vendor_completions.d/pivotcheck.fish; do
  has contents "./usr/$file"
done
# What lies in a build folder may not be asked for by what is installed.
dpkg-deb --fsys-tarfile "$package" | tar -x --to-stdout --wildcards './usr/lib/cmake/*' \
  './usr/lib/pkgconfig/*' './usr/share/*' >texts
has_not texts "$SOURCE"

mkdir -p fresh/var/lib/dpkg/{info,updates}
touch fresh/var/lib/dpkg/{status,available}
[[ $EUID -ne 0 ]] || chown -R 65534:65534 fresh
names() { (cd fresh && find . -path ./var -prune -o -print | sort); }
names >names_before
# As root of a user namespace: it can change nothing of this machine but that folder.
dpkg_in_fresh() {
  as_user unshare --user --map-root-user --mount \
    dpkg --root="$folder/fresh" --log=/dev/null --force-depends --force-script-chrootless "$@"
}
expect 0 dpkg_in_fresh --install "$folder/$package"
expect 0 out:'Status: install ok installed' dpkg_in_fresh --status pivotcheck

# In a root with nothing of ours, or of anybody's. The package's own command takes us there.
in_fresh() {
  as_user "$folder/fresh/usr/bin/pivotcheck" switch --unshare user --map root "$folder/fresh" -- \
    "/usr/bin/$1" "${@:2}"
}
if ! ldd "$PIVOTCHECK" >/dev/null 2>&1; then
  expect 0 in_fresh pivotcheck --version
  "$PIVOTCHECK" --version | cmp - out || die 'that is another version'
  expect 0 out:new-root-on-root-mount in_fresh pivotcheck rules
fi
LC_ALL=C MANPATH=$folder/fresh/usr/share/man MANWIDTH=80 man pivotcheck-switch 2>err |
  sed 's/.\x08//g' >out
has out 'pivotcheck switch [OPTION]... ROOT -- COMMAND [ARGUMENT]...'
[[ ! -s err ]] || die 'man warns'
bash --norc -c 'source "$0" && complete -p pivotcheck' \
  "$folder/fresh/usr/share/bash-completion/completions/pivotcheck" >out
has out '-F _pivotcheck pivotcheck'

expect 0 dpkg_in_fresh --purge pivotcheck
names | diff names_before - || die 'something is left'
ldd "$PIVOTCHECK" >/dev/null 2>&1 || exit 0
skip 'the package was installed and removed, but this build is not static: it was not run there'
