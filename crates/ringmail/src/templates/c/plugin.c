// Takes JSON and gives JSON. What `rm_fail` says is why the link fails.
#include "ringmail.h"

rm_result call(rm_text input) {
  rm_text name;
  if (!rm_member_string(input, RM("name"), &name) || name.length == 0) {
    return rm_fail(RM("there is nobody to greet"));
  }
  rm_out greeting = {0}, out = {0};
  rm_put(&greeting, RM("hello "));
  rm_put(&greeting, name);
  rm_put(&out, RM("{\"greeting\":"));
  rm_put_string(&out, rm_written(&greeting));
  rm_put(&out, RM("}"));
  return rm_ok(rm_written(&out));
}
