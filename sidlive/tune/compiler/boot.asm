; The start of a program of takes: a BASIC line that runs it, and code that plays the block after it: texts on the
; screen, the time, a raster interrupt for play, keys 1 to 9 for the songs. 64tass syntax, documented 6502 opcodes only.
; program.py fills in the data between the jump and ``boot``.

        .cpu "6502"

BLOCK   = $0b00                         ; init; play is at BLOCK + 3
SCREEN  = $0400
COLOURS = $d800
ROWS    = SCREEN + 40 * 6               ; six rows of text
CLOCK   = ROWS + 40 * 4 + 2             ; mm:ss
NUMBER  = ROWS + 40 * 4 + 14           ; the song's number, one digit
KEY     = $c5                           ; code of the key that is down, set by the Kernal
KERNAL  = $ea31                         ; the Kernal's interrupt handler: reads the keyboard
LINE    = 250                           ; raster line of play: below the text, where there are no bad lines

* = $0801
        .word last, 10
        .byte $9e
        .text "2061"
        .byte 0
last    .word 0
        jmp boot

songs   .byte 1                         ; number of songs with a key, at most 9
song    .byte 0                         ; the song that plays, from 0
frames  .byte 50                        ; frames of a second
others  .byte 51                        ; frames of one second in each period
period  .byte 8                         ; seconds of a period
text    .fill 240, 32                   ; screen codes

boot    sei
        cld
        lda #$7f                        ; no timer interrupts
        sta $dc0d
        lda $dc0d
        ldx #0
        stx $d020
        stx $d021
-       lda #32
        sta SCREEN,x
        sta SCREEN + $100,x
        sta SCREEN + $200,x
        sta SCREEN + $2e8,x
        lda #15
        sta COLOURS,x
        sta COLOURS + $100,x
        sta COLOURS + $200,x
        sta COLOURS + $2e8,x
        inx
        bne -
        ldx #240
-       lda text - 1,x
        sta ROWS - 1,x
        dex
        bne -
        lda #$17                        ; small and capital letters
        sta $d018
        lda #$1b
        sta $d011
        lda #LINE
        sta $d012
        lda #<interrupt
        sta $0314
        lda #>interrupt
        sta $0315
        jsr begin
        lda #1
        sta $d019
        sta $d01a
        cli

keys    lda KEY
        cmp pressed
        beq keys
        sta pressed
        ldx songs
-       dex
        bmi keys
        cmp codes,x
        bne -
        stx song
        sei
        jsr begin
        cli
        jmp keys

begin   lda song
        jsr BLOCK
        ldx #4                          ; 00:00
-       lda zero,x
        sta CLOCK,x
        dex
        bpl -
        lda period
        sta until
        lda frames
        sta left
        ldx song
        inx
        txa
        ora #$30
        sta NUMBER
        rts

interrupt
        lda #1
        sta $d019
        jsr BLOCK + 3
        dec left
        bne +
        jsr second
+       jmp KERNAL

second  lda frames
        dec until
        bne +
        lda period
        sta until
        lda others
+       sta left
        ldx #4                          ; count up, from the last digit
digit   inc CLOCK,x
        lda CLOCK,x
        cmp limits,x
        bne +
        lda #$30
        sta CLOCK,x
        dex
        bmi +
        cpx #2                          ; the colon
        bne digit
        dex
        bpl digit
+       rts

zero    .byte $30, $30, $3a, $30, $30
limits  .byte $3a, $3a, 0, $36, $3a
codes   .byte $38, $3b, $08, $0b, $10, $13, $18, $1b, $20 ; key codes of 1 to 9
pressed .byte $40                       ; none
left    .byte 0                         ; frames left of this second
until   .byte 0                         ; seconds left until one of the other length

        .cerror * > BLOCK, "no room before the block"
        .fill BLOCK - *, 0
