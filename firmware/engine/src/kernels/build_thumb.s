@ Writes a table from its first row: any Arm core with Thumb.
@
@ In: r0 = the table, r1 = its first row of 14 words, r2 = what leads from a row to the next,
@     r3 = what leads from every third row to the next.
@
@   r0  where to write                r12     what leads to the next row
@   r1-r7 half a row                  lr      what leads to the next row behind a third one

    .macro  write                       @ half a row; then on to the next one's
    stm     r0!, {{r1-r7}}
    adds    r0, r0, #28
    .endm

    .macro  next    difference
    add     r1, \difference
    add     r2, \difference
    add     r3, \difference
    add     r4, \difference
    add     r5, \difference
    add     r6, \difference
    add     r7, \difference
    write
    .endm

    .macro  half
    write
    next    r12
    next    r12
    next    lr
    next    r12
    next    r12
    next    lr
    next    r12
    next    r12
    .endm

    push    {{r1, r4-r7, lr}}
    mov     r12, r2
    mov     lr, r3
    mov     r7, r1
    ldm     r7, {{r1-r7}}
    half
    subs    r0, r0, #255                @ back to the second half of the first row
    subs    r0, r0, #221
    ldr     r7, [sp]
    adds    r7, r7, #28
    ldm     r7, {{r1-r7}}
    half
    pop     {{r1, r4-r7, pc}}
    .purgem write
    .purgem next
    .purgem half
