// SPDX-License-Identifier: Apache-2.0
// handles.cc: open, fchdir, close. A handle is a file descriptor that was opened with O_PATH.
#include <algorithm>

#include "model/apply/call.h"

namespace pivotcheck::model {

Refusal store_handle(Call& call, const HandleName& name, Location at, NamespaceId detached_tree) {
  std::vector<Handle>& handles = call.task().handles;
  const auto open = std::ranges::find(handles, name.slot, &Handle::slot);
  if (open == handles.end()) {
    handles.push_back({name.text, name.slot, at, detached_tree});
  } else {
    *open = {name.text, name.slot, at, detached_tree};
  }
  return {};
}

Refusal apply(Call& call, const Open& op) {
  Location at;
  if (const Refusal r = find(call, op.path, at)) return r;
  return store_handle(call, op.handle, at, {});
}

Refusal apply(Call& call, const Fchdir& op) {
  const Handle* handle = find_handle(call.task(), op.handle.slot);
  if (handle == nullptr) return Rule::handle_closed;
  if (call.world[handle->at.dentry].kind != Kind::directory) return Rule::fchdir_not_directory;
  if (!may_search(call.world, call.task(), handle->at.dentry)) return Rule::search_denied;
  call.task().current_directory = handle->at;
  return {};
}

Refusal apply(Call& call, const Close& op) {
  const std::size_t closed = std::erase_if(
      call.task().handles, [&](const Handle& handle) { return handle.slot == op.handle.slot; });
  return closed > 0 ? Refusal{} : Rule::handle_closed;
}

}  // namespace pivotcheck::model
