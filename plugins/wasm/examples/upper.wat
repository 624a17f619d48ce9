;; A WASI command: copies standard input to standard output, in capital letters.
(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)

  ;; At 0 a vector (pointer, length) for both calls, at 8 how many bytes went, at 65536 the bytes.
  (func (export "_start")
    (local $count i32) (local $at i32)
    (block $end
      (loop $pieces
        (i32.store (i32.const 0) (i32.const 65536))
        (i32.store (i32.const 4) (i32.const 65536))
        (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
          (then (unreachable)))
        (local.set $count (i32.load (i32.const 8)))
        (br_if $end (i32.eqz (local.get $count)))
        (local.set $at (i32.const 65536))
        (loop $letters
          (if (i32.lt_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 97)) (i32.const 26))
            (then
              (i32.store8 (local.get $at)
                (i32.sub (i32.load8_u (local.get $at)) (i32.const 32)))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $letters
            (i32.lt_u (i32.sub (local.get $at) (i32.const 65536)) (local.get $count))))
        (i32.store (i32.const 0) (i32.const 65536))
        (block $written
          (loop $rest
            (i32.store (i32.const 4) (local.get $count))
            (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
              (then (unreachable)))
            (local.set $count (i32.sub (local.get $count) (i32.load (i32.const 8))))
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 8))))
            (br_if $rest (local.get $count))))
        (br $pieces)))))
