;; What the plugin `mask` of the example `masked-log` does, for Extism: every digit inside a JSON text becomes `*`.
(module
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u64" (func $input_load_u64 (param i64) (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (memory (export "memory") 2)

  ;; Input and output lie in memories of Extism, and are copied eight bytes at a time, as its own kits do it.
  (func (export "call") (result i32)
    (local $at i32) (local $end i32) (local $byte i32) (local $inside i32)
    (local $text i32) (local $length i32) (local $block i64)
    (local.set $text (i32.const 65536))
    (local.set $length (i32.wrap_i64 (call $input_length)))
    (block $read
      (loop $next
        (br_if $read (i32.gt_u (i32.add (local.get $at) (i32.const 8)) (local.get $length)))
        (i64.store (i32.add (local.get $text) (local.get $at))
          (call $input_load_u64 (i64.extend_i32_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $next)))
    (block $read
      (loop $next
        (br_if $read (i32.ge_u (local.get $at) (local.get $length)))
        (i32.store8 (i32.add (local.get $text) (local.get $at))
          (call $input_load_u8 (i64.extend_i32_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.set $at (local.get $text))
    (local.set $end (i32.add (local.get $text) (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.eq (local.get $byte) (i32.const 0x22)) ;; "
          (then (local.set $inside (i32.eqz (local.get $inside))))
          (else
            (if (local.get $inside)
              (then
                (if (i32.eq (local.get $byte) (i32.const 0x5c)) ;; a backslash: what follows is no character of its own
                  (then
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x75)) ;; u, and four digits
                      (then (local.set $at (i32.add (local.get $at) (i32.const 4))))))
                  (else
                    (if (i32.lt_u (i32.sub (local.get $byte) (i32.const 0x30)) (i32.const 10))
                      (then (i32.store8 (local.get $at) (i32.const 0x2a))))))))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.set $block (call $alloc (i64.extend_i32_u (local.get $length))))
    (local.set $at (i32.const 0))
    (block $written
      (loop $next
        (br_if $written (i32.gt_u (i32.add (local.get $at) (i32.const 8)) (local.get $length)))
        (call $store_u64 (i64.add (local.get $block) (i64.extend_i32_u (local.get $at)))
          (i64.load (i32.add (local.get $text) (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $next)))
    (block $written
      (loop $next
        (br_if $written (i32.ge_u (local.get $at) (local.get $length)))
        (call $store_u8 (i64.add (local.get $block) (i64.extend_i32_u (local.get $at)))
          (i32.load8_u (i32.add (local.get $text) (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (call $output_set (local.get $block) (i64.extend_i32_u (local.get $length)))
    (i32.const 0)))
