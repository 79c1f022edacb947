# SPDX-License-Identifier: Apache-2.0
# For find_package(pivotcheck): the target pivotcheck::pivotcheck, and what it is linked with.
include(CMakeFindDependencyMacro)
find_dependency(fmt)
include(${CMAKE_CURRENT_LIST_DIR}/pivotcheckTargets.cmake)
