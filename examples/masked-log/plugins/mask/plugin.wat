;; Replaces every digit inside a JSON text by `*`; what is no text, numbers among them, stays as it is.
(module
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 65536))

  ;; The host writes the input where this says. Nothing is ever given back: the instance ends with the call.
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next
      (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 7)) (i32.const -8)))
    (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
      (then (drop (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $size) (i32.const 65536)))))))
    (local.get $at))

  (func (export "call") (param $text i32) (param $length i32) (result i32)
    (local $at i32) (local $end i32) (local $byte i32) (local $inside i32)
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
    ;; ok(text)
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (local.get $text))
    (i32.store (i32.const 24) (local.get $length))
    (i32.const 16)))
