@ Adds to the sums of every tile what its weights and some tables give: Armv6-M.
@
@ In: r0 = the frame, see `Frame` in arm.rs.
@
@   r0  tables                        r8      sums in memory
@   r1  weights, as if there were     r9      end of the sums
@       eight groups                  r10     bytes from plane to plane
@   r2-r5 sums of the four rows       r11     bytes of all tables
@   r6  anything                      r12     planes left
@   r7  bytes of a table: 512         lr      where to enter the groups

    .macro  row     sum, offset         @ five columns of a row
    ldrb    r6, [r1, #\offset]
    lsls    r6, r6, #1
    ldrh    r6, [r0, r6]
    adds    \sum, \sum, r6
    .endm

    .macro  group   offset              @ of four rows
    row     r2, \offset
    row     r3, \offset + 1
    row     r4, \offset + 2
    row     r5, \offset + 3
    adds    r0, r0, r7                  @ the next table
    .endm

    .macro  groups
    group   0
    group   4
    group   8
    group   12
    group   16
    group   20
    group   24
    group   28
    .endm

    push    {{r4-r7, lr}}
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    push    {{r4-r7}}
    ldr     r1, [r0, #{PLANES}]
    push    {{r1}}
    ldr     r4, [r0, #{GROUPS}]
    lsls    r5, r4, #2
    mov     r10, r5
    ldr     r5, [r0, #{SUMS}]
    mov     r8, r5
    ldr     r6, [r0, #{TILES}]
    lsls    r6, r6, #4                  @ four words each
    adds    r5, r5, r6
    mov     r9, r5
    lsls    r5, r4, #9
    mov     r11, r5
    movs    r5, #8
    subs    r5, r5, r4                  @ groups that are not there
    lsls    r6, r5, #2
    ldr     r1, [r0, #{WEIGHTS}]
    subs    r1, r1, r6
    ldr     r0, [r0, #{TABLES}]
    adr     r6, 9f
    ldrb    r6, [r6, r5]
    lsls    r6, r6, #1                  @ bytes of their code
    movs    r7, #1
    orrs    r6, r7                      @ Thumb
    lsls    r7, r7, #9
    ldr     r5, [sp]
    cmp     r5, #1
    beq     11f
    b       4f

    @ One plane: the sums in memory go on.
11:
    adr     r5, 2f
    adds    r5, r5, r6
    mov     lr, r5
    mov     r6, r8
1:  ldm     r6!, {{r2-r5}}
    bx      lr
    .p2align 2
2:  groups
3:  add     r1, r10
    mov     r6, r11
    subs    r0, r0, r6
    mov     r6, r8
    stm     r6!, {{r2-r5}}
    mov     r8, r6
    cmp     r6, r9
    beq     31f
    b       1b
31: b       8f

    @ Several planes: each counts three times as much as the one behind it.
4:  adr     r5, 7f
    adds    r5, r5, r6
    mov     lr, r5
5:  ldr     r6, [sp]
    mov     r12, r6
    movs    r2, #0
    movs    r3, #0
    movs    r4, #0
    movs    r5, #0
    bx      lr
6:  adds    r6, r2, r2
    adds    r2, r2, r6
    adds    r6, r3, r3
    adds    r3, r3, r6
    adds    r6, r4, r4
    adds    r4, r4, r6
    adds    r6, r5, r5
    adds    r5, r5, r6
    bx      lr
    .p2align 2
7:  groups
    add     r1, r10
    mov     r6, r11
    subs    r0, r0, r6
    mov     r6, r12
    subs    r6, r6, #1
    mov     r12, r6
    beq     71f
    b       6b
71: mov     r6, r8
    ldr     r7, [r6]
    adds    r2, r2, r7
    ldr     r7, [r6, #4]
    adds    r3, r3, r7
    ldr     r7, [r6, #8]
    adds    r4, r4, r7
    ldr     r7, [r6, #12]
    adds    r5, r5, r7
    stm     r6!, {{r2-r5}}
    mov     r8, r6
    movs    r7, #1
    lsls    r7, r7, #9
    cmp     r6, r9
    beq     8f
    b       5b

8:  add     sp, sp, #4
    pop     {{r4-r7}}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    pop     {{r4-r7, pc}}

    .p2align 2
9:  .byte   0, (3b - 2b) * 1 / 16       @ half the bytes of so many groups: of 0 to 7
    .byte   (3b - 2b) * 2 / 16, (3b - 2b) * 3 / 16, (3b - 2b) * 4 / 16
    .byte   (3b - 2b) * 5 / 16, (3b - 2b) * 6 / 16, (3b - 2b) * 7 / 16
    .purgem row
    .purgem group
    .purgem groups
