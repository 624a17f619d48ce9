;; A tile of the Mandelbrot set: run takes 32 bytes, little-endian,
;;     f64 left, f64 top, f64 step, u32 width, u32 height
;; and returns width * height bytes: after how many steps each point has left the circle of radius 2,
;; 255 for those that have not.
(module
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 1024))

  ;; alloc(size) -> pointer: a place for so many bytes. There is nothing to free: each task gets a
  ;; fresh instance.
  (func $alloc (export "alloc") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free
      (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 15)) (i32.const -16)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $free) (i32.shl (memory.size) (i32.const 16))))
      (br_if $enough
        (i32.ne (i32.const -1)
          (memory.grow
            (i32.add (i32.const 1)
              (i32.shr_u
                (i32.sub (global.get $free) (i32.shl (memory.size) (i32.const 16)))
                (i32.const 16))))))
      (unreachable))
    (local.get $at))

  ;; steps(x, y) -> after how many steps a point has left
  (func $steps (param $x f64) (param $y f64) (result i32)
    (local $a f64) (local $b f64) (local $aa f64) (local $bb f64) (local $count i32)
    (loop $next
      (local.set $aa (f64.mul (local.get $a) (local.get $a)))
      (local.set $bb (f64.mul (local.get $b) (local.get $b)))
      (if (f64.gt (f64.add (local.get $aa) (local.get $bb)) (f64.const 4))
        (then (return (local.get $count))))
      (local.set $b
        (f64.add (f64.mul (f64.mul (f64.const 2) (local.get $a)) (local.get $b)) (local.get $y)))
      (local.set $a (f64.add (f64.sub (local.get $aa) (local.get $bb)) (local.get $x)))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $count) (i32.const 255))))
    (i32.const 255))

  ;; run(pointer, length) -> pointer << 32 | length
  (func (export "run") (param $at i32) (param $length i32) (result i64)
    (local $width i32) (local $height i32) (local $column i32) (local $row i32)
    (local $first i32) (local $pixel i32)
    (if (i32.ne (local.get $length) (i32.const 32)) (then (unreachable)))
    (local.set $width (i32.load offset=24 (local.get $at)))
    (local.set $height (i32.load offset=28 (local.get $at)))
    (local.set $first (call $alloc (i32.mul (local.get $width) (local.get $height))))
    (local.set $pixel (local.get $first))
    (block $done
      (loop $rows
        (br_if $done (i32.ge_u (local.get $row) (local.get $height)))
        (local.set $column (i32.const 0))
        (block $row_done
          (loop $columns
            (br_if $row_done (i32.ge_u (local.get $column) (local.get $width)))
            (i32.store8 (local.get $pixel)
              (call $steps
                (f64.add (f64.load (local.get $at))
                  (f64.mul (f64.convert_i32_u (local.get $column))
                    (f64.load offset=16 (local.get $at))))
                (f64.add (f64.load offset=8 (local.get $at))
                  (f64.mul (f64.convert_i32_u (local.get $row))
                    (f64.load offset=16 (local.get $at))))))
            (local.set $pixel (i32.add (local.get $pixel) (i32.const 1)))
            (local.set $column (i32.add (local.get $column) (i32.const 1)))
            (br $columns)))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $rows)))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $first)) (i64.const 32))
      (i64.extend_i32_u (i32.mul (local.get $width) (local.get $height))))))
