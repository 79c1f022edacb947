#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
# build.sh: builds the fuzz targets as ClusterFuzzLite and OSS-Fuzz ask for it, in the current
# directory: with CC, CXX, CFLAGS, CXXFLAGS and LIB_FUZZING_ENGINE, into OUT; objects go to WORK.
#
# Each target comes with its seeds, dictionary and options. The canary is none of them: it is there to
# fail. fuzz_trial needs what `pivotcheck explore` needs (namespaces), and says so where it can't run.

# fmt as headers: the libraries of the distribution are for another C++ library than -stdlib=libc++,
# and are not there where the targets run.
export CXXFLAGS="$CXXFLAGS -DFMT_HEADER_ONLY=1"
cmake -S . -B "$WORK/pivotcheck" -G Ninja -DPIVOTCHECK_STATIC=ON \
  -DPIVOTCHECK_FUZZING_ENGINE="$LIB_FUZZING_ENGINE"
cmake --build "$WORK/pivotcheck" --target pivotcheck_fuzzers

pack() {  # TARGET DICTIONARY SEEDS...
  local target=$OUT/$1
  cp "$WORK/pivotcheck/$1" "$target"
  cp "$2" "$target.dict"
  python3 -m zipfile -c "${target}_seed_corpus.zip" "${@:3}"
  printf '[libfuzzer]\nmax_len = 16384\n' >"$target.options"
}
for target in fuzz_trial fuzz_model fuzz_parse; do
  pack $target fuzz/scenario.dict corpus/*/
done
pack fuzz_mountinfo fuzz/mountinfo.dict fuzz/mountinfo_seeds/*
