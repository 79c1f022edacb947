# SPDX-License-Identifier: Apache-2.0
# Has COMMAND print its man pages and its completion into FOLDER.
function(print_to file)
  execute_process(COMMAND ${COMMAND} ${ARGN} OUTPUT_FILE ${FOLDER}/${file}
                  COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER}/man1)
print_to(man1/pivotcheck.1 --man)
# Its own page names the pages of its subcommands.
file(STRINGS ${FOLDER}/man1/pivotcheck.1 lines REGEX "^\\.BR pivotcheck")
foreach(line IN LISTS lines)
  string(REGEX REPLACE "^.*-([a-z]+) .*$" "\\1" name ${line})
  print_to(man1/pivotcheck-${name}.1 --man ${name})
endforeach()
foreach(shell IN ITEMS bash zsh fish)
  print_to(pivotcheck.${shell} --completion ${shell})
endforeach()
