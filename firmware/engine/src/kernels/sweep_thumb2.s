@ Adds to the sums of every tile what its weights and some tables give: Armv7-M and Armv8-M.
@
@ In: r0 = the frame, see `Frame` in arm.rs.
@
@   r0  tables                        r4-r7   sums of the four rows
@   r1  weights                       r8, r9  indices, then what the tables hold there
@   r2  sums in memory                r11     planes left
@   r3  tiles left                    r12     bytes of all tables
@   lr  where to enter the groups

    .macro  group                       @ five columns of four rows
    ldrb    r8, [r1], #1
    ldrb    r9, [r1], #1
    ldrh    r8, [r0, r8, lsl #1]
    ldrh    r9, [r0, r9, lsl #1]
    add     r4, r4, r8
    add     r5, r5, r9
    ldrb    r8, [r1], #1
    ldrb    r9, [r1], #1
    ldrh    r8, [r0, r8, lsl #1]
    ldrh    r9, [r0, r9, lsl #1]
    add     r6, r6, r8
    add     r7, r7, r9
    add     r0, r0, #512                @ the next table
    .endm

    push    {{r4-r11, lr}}
    ldr     r4, [r0, #{GROUPS}]
    ldr     r11, [r0, #{PLANES}]
    ldr     r1, [r0, #{WEIGHTS}]
    ldr     r2, [r0, #{SUMS}]
    ldr     r3, [r0, #{TILES}]
    ldr     r0, [r0, #{TABLES}]
    lsl     r12, r4, #9
    push    {{r11}}                     @ planes
    rsb     r4, r4, #8                  @ groups that are not there
    adr     r5, 9f
    ldrb    r5, [r5, r4]                @ half the bytes of their code
    cmp     r11, #1
    bne     4f

    @ One plane: the sums in memory go on.
    adr     lr, 2f
    add     lr, lr, r5, lsl #1
    orr     lr, lr, #1                  @ Thumb
1:  ldm     r2, {{r4-r7}}
    bx      lr
    .p2align 2
2:
    .rept   8
    group
    .endr
3:  sub     r0, r0, r12
    stm     r2!, {{r4-r7}}
    subs    r3, r3, #1
    bne     1b
    b       8f

    @ Several planes: each counts three times as much as the one behind it.
4:  adr     lr, 7f
    add     lr, lr, r5, lsl #1
    orr     lr, lr, #1                  @ Thumb
5:  ldr     r11, [sp]
    mov     r4, #0
    mov     r5, #0
    mov     r6, #0
    mov     r7, #0
    bx      lr
6:  add     r4, r4, r4, lsl #1
    add     r5, r5, r5, lsl #1
    add     r6, r6, r6, lsl #1
    add     r7, r7, r7, lsl #1
    bx      lr
    .p2align 2
7:
    .rept   8
    group
    .endr
    sub     r0, r0, r12
    subs    r11, r11, #1
    bne     6b
    ldrd    r8, r9, [r2]
    add     r4, r4, r8
    add     r5, r5, r9
    ldrd    r8, r9, [r2, #8]
    add     r6, r6, r8
    add     r7, r7, r9
    stm     r2!, {{r4-r7}}
    subs    r3, r3, #1
    bne     5b

8:  add     sp, sp, #4
    pop     {{r4-r11, pc}}

    .p2align 2
9:  .byte   0, (3b - 2b) * 1 / 16       @ half the bytes of so many groups: of 0 to 7
    .byte   (3b - 2b) * 2 / 16, (3b - 2b) * 3 / 16, (3b - 2b) * 4 / 16
    .byte   (3b - 2b) * 5 / 16, (3b - 2b) * 6 / 16, (3b - 2b) * 7 / 16
    .purgem group
