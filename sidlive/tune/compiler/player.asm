; The sidlive player: plays packed SID registers, one frame per call. 64tass syntax, documented 6502 opcodes only.
;
;   start + 0   init: A = song, from 0. Clears the SID; may be called again at any time.
;   start + 3   play: call once per video frame. A, X and Y are lost.
;
; If any part lies under BASIC, the two jumps go to init_banked and play_banked, which switch BASIC off meanwhile.
; Zero page: two bytes, ZP and ZP + 1, saved and restored by both. Besides code and data the player uses RINGS, 28 ring
; buffers of a page that hold the last 256 frames: one for each column, indexed by the frame's number modulo 256. The
; code modifies itself. The data follow the code: STREAMS pointers for each song, in the order in which the streams are
; played, then the tokens.
;
; The tokens of a stream describe its registers frame by frame (packer.py writes them; its unpack reads them in Python):
;
;   0LLLLLLL back               copy L frames from 256 - back frames ago
;   00000000 n lo hi            n > 0: call: play the n tokens at the address, then continue here; n = 0: jump there
;
;   A pair of registers (frequency, pulse width, cutoff, resonance and volume):
;   10hlLLLL [lo] [hi]          set the registers whose bit is 1, then hold, L frames in all; L = 0: 256 frames
;   11LLLLLL d                  add d, signed, in each of L + 1 frames: to the pair as one number; in the cutoff and
;                               volume streams to the second register only. If d = $80 (frequency and pulse width
;                               only), lo and hi follow and are added instead
;
;   A voice's control, attack and decay, sustain and release:
;   10ascLLL [ad] [sr] [ctrl]   set the registers whose bit is 1, then hold, L frames in all; L = 0: 256 frames
;   10000000 ad sr first ctrl   set all for one frame, in which control is written twice: first, then ctrl
;   11LLLLLL                    hold for L + 1 frames
;
; A voice's registers are written in the order of the values in its tokens: envelope before control, like most tunes.
; With CONTROL_FIRST control comes before the envelope, also in the tokens: [ctrl] [ad] [sr], first ctrl ad sr. Both
; take the same cycles.
;
; While a token lasts, its stream keeps the frame index at which the token runs out (expires) and the part of the code
; to run until then (mode: the distance of a branch). Registers that hold are not written again.
; On entry to a stream X = index of this frame, Y = index of the last frame.

        .cpu "6502"

        .weak
ORIGIN  = $1000
RINGS   = $3000
ZP      = $fb
BANKED  = 0                             ; 1: a part lies under BASIC
CONTROL_FIRST = 0                       ; 1: a voice's control is written before its envelope
        .endweak

PORT    = $01
SID     = $d400
COLUMNS = 28
REGISTERS = 25
STREAMS = 11

; Let the stream branch to this part of its code from the next frame on.
mode    .segment part
        lda #<(\part - branch - 2)
        sta branch + 1
        .endsegment

; Advance past the token, which has Y bytes.
advance .segment stream
        tya
        clc
        adc ZP
        sta from + \stream
        bcc +
        inc from_high + \stream
+
        .endsegment

; Read the next token. A copy, a call or a jump is done here; any other token is left in A, with Y = 1.
take    .segment stream
        dec calls + \stream
        bne again
        ldx #\stream
        jsr go_back
again   lda from + \stream
        sta ZP
        lda from_high + \stream
        sta ZP + 1
        ldy #0
        lda (ZP),y
        beq call
        iny
        cmp #$80
        bcs other
        adc frame
        sta expires
        lda (ZP),y
        iny
        sta back
        #mode copy
        #advance \stream
        jmp copy

call    ldx #\stream
        jsr go_to
        jmp again
other
        .endsegment

; A pair of registers. stream: its number; column: of the low register; bits: of the number to which ramps add (8: the
; high register only); following: the stream that plays next.
pair    .macro stream, column, bits, following
low     = RINGS + 256 * \column
high    = RINGS + 256 * (\column + 1)
sid_low = SID + \column
sid_high = SID + \column + 1
next    = \following

hold    lda low,y
        sta low,x
        lda high,y
        sta high,x
        jmp next

ramp    clc
        lda low,y
        .if \bits > 8
step    = * + 1
        adc #0
        .endif
        sta low,x
        .if \bits > 8
        sta sid_low
        .endif
        lda high,y
step_high = * + 1
        adc #0
        .if \bits == 12
        and #$0f
        .endif
        sta high,x
        sta sid_high
        jmp next

copy    txa
        clc
back    = * + 1
        adc #0
        tay
        lda low,y
        sta low,x
        sta sid_low
        lda high,y
        sta high,x
        sta sid_high
        ldy previous
        jmp next

entry
expires = * + 1
        cpx #0
branch  bne hold
        #take \stream
        cmp #$c0
        bcc setting
        and #$3f
        adc frame                       ; and carry: L + 1
        sta expires
        lda (ZP),y
        iny
        .if \bits > 8
        cmp #$80
        beq wide
        sta step
        lda #0
        bcc +
        lda #$ff
+
        .endif
stepping
        sta step_high
        #mode ramp
        #advance \stream
        ldy previous
        jmp ramp

        .if \bits > 8
wide    lda (ZP),y
        iny
        sta step
        lda (ZP),y
        iny
        bne stepping
        .endif

setting tay
        and #$0f
        adc frame
        sta expires
        cpy #$b0
        bcs both
        cpy #$a0
        bcs high_only
        cpy #$90
        bcs low_only
        ldy previous
        lda low,y
        sta low,x
        lda high,y
        sta high,x
        ldy #1
        bne set

both    ldy #1
        lda (ZP),y
        sta low,x
        sta sid_low
        iny
        lda (ZP),y
        sta high,x
        sta sid_high
        iny
set     #mode hold
        #advance \stream
        ldy previous
        jmp next

low_only
        ldy #1
        lda (ZP),y
        sta low,x
        sta sid_low
        ldy previous
        lda high,y
        sta high,x
        ldy #2
        bne set

high_only
        ldy #1
        lda (ZP),y
        sta high,x
        sta sid_high
        ldy previous
        lda low,y
        sta low,x
        ldy #2
        bne set
        .endmacro

; Write a voice's registers to its rings and to the chip, from an earlier frame's rings or from the token at ZP, Y.
copied_envelope .segment
        lda ad,y
        sta ad,x
        sta sid_ad
        lda sr,y
        sta sr,x
        sta sid_sr
        .endsegment

copied_control .segment
        lda first,y
        sta first,x
        sta sid_control
        lda control,y
        sta control,x
        sta sid_control
        .endsegment

envelope .segment
        lda (ZP),y
        iny
        sta ad,x
        sta sid_ad
        lda (ZP),y
        iny
        sta sr,x
        sta sid_sr
        .endsegment

one_control .segment
        lda (ZP),y
        iny
        sta control,x
        sta first,x
        sta sid_control
        .endsegment

two_controls .segment
        lda (ZP),y
        iny
        sta first,x
        sta sid_control
        lda (ZP),y
        iny
        sta control,x
        sta sid_control
        .endsegment

named_envelope .segment
        bit named
        bpl +
        lda (ZP),y
        iny
        sta ad,x
        sta sid_ad
+       bvc +
        lda (ZP),y
        iny
        sta sr,x
        sta sid_sr
+
        .endsegment

named_control .segment
        lda #$20
        and named
        beq +
        lda (ZP),y
        iny
        sta control,x
        sta sid_control
+
        .endsegment

; A voice's control and envelope. stream: its number; column: of control; first_column: of the first control value;
; following: the stream that plays next.
voice   .macro stream, column, first_column, following
control = RINGS + 256 * \column
ad      = RINGS + 256 * (\column + 1)
sr      = RINGS + 256 * (\column + 2)
first   = RINGS + 256 * \first_column
sid_control = SID + \column
sid_ad  = SID + \column + 1
sid_sr  = SID + \column + 2
next    = \following

hold    lda ad,y
        sta ad,x
        lda sr,y
        sta sr,x
        lda control,y
        sta control,x
        sta first,x
        jmp next

copy    txa
        clc
back    = * + 1
        adc #0
        tay
        .if CONTROL_FIRST != 0
        #copied_control
        #copied_envelope
        .else
        #copied_envelope
        #copied_control
        .endif
        ldy previous
        jmp next

entry
expires = * + 1
        cpx #0
branch  bne hold
        #take \stream
        cmp #$c0
        bcc below
        and #$3f
        adc frame                       ; and carry: L + 1
        sta expires
        #mode hold
        #advance \stream
        ldy previous
        jmp hold

below   cmp #$80
        bne setting                     ; $80: control is written twice
        .if CONTROL_FIRST != 0
        #two_controls
        #envelope
        .else
        #envelope
        #two_controls
        .endif
        lda frame
        clc
        adc #1
        sta expires
        jmp set

setting tay
        and #$07
        clc
        adc frame
        sta expires
        tya
        asl a
        asl a
        cmp #$e0
        bcc fewer
        ldy #1
        .if CONTROL_FIRST != 0
        #one_control
        #envelope
        .else
        #envelope
        #one_control
        .endif
        bne set

fewer   cmp #$40
        bcs some
        ldy previous                    ; control alone
        lda ad,y
        sta ad,x
        lda sr,y
        sta sr,x
        ldy #1
        lda (ZP),y
        sta control,x
        sta first,x
        sta sid_control
        iny
set     #mode hold
        #advance \stream
        ldy previous
        jmp next

some    sta named
        ldy previous
        lda ad,y
        sta ad,x
        lda sr,y
        sta sr,x
        lda control,y
        sta control,x
        ldy #1
        .if CONTROL_FIRST != 0
        #named_control
        #named_envelope
        .else
        #named_envelope
        #named_control
        .endif
        lda control,x
        sta first,x
        jmp set
        .endmacro

; ----- the code

* = ORIGIN
        .if BANKED != 0
        jmp init_banked
        jmp play_banked
        .else
        jmp init
        jmp play
        .endif

init_banked
        tax
        jsr show_ram
        txa
        jsr init
        jmp show_rom
play_banked
        jsr show_ram
        jsr play
show_rom
port    = * + 1
        lda #0
        sta PORT
        rts

show_ram
        lda PORT
        sta port
        and #3                          ; BASIC is visible if both bits are set
        cmp #3
        bne +
        dec PORT
+       rts

; X = stream, ZP = its token, Y = 0: call or jump to the address in the token. Returns X = index of this frame.
go_to   iny
        lda (ZP),y
        beq +
        sta calls,x
        lda ZP
        clc
        adc #4
        sta return,x
        lda ZP + 1
        adc #0
        sta return_high,x
+       iny
        lda (ZP),y
        sta from,x
        iny
        lda (ZP),y
        sta from_high,x
        ldx frame
        rts

; X = stream: return from a call, if in one. Returns X = index of this frame.
go_back lda return_high,x
        beq +
        sta from_high,x
        lda return,x
        sta from,x
        lda #0
        sta return_high,x
+       ldx frame
        rts

init    tax
        lda ZP
        pha
        lda ZP + 1
        pha
        lda #<songs
        sta ZP
        lda #>songs
        sta ZP + 1
-       dex
        bmi +
        lda ZP
        clc
        adc #2 * STREAMS
        sta ZP
        bcc -
        inc ZP + 1
        bne -
+       ldx #0
        ldy #0
-       lda (ZP),y
        sta from,x
        iny
        lda (ZP),y
        sta from_high,x
        iny
        lda #0
        sta return_high,x
        inx
        cpx #STREAMS
        bne -
        ldx #REGISTERS - 1              ; clear the chip, and the rings for the frame before the first
-       sta SID,x
        dex
        bpl -
        stx frame                       ; 255
        stx ZP
        ldy #>RINGS
        ldx #COLUMNS
-       sty ZP + 1
        ldy #0
        sta (ZP),y
        ldy ZP + 1
        iny
        dex
        bne -
        .for stream in f1, p1, v1, f2, p2, v2, f3, p3, v3, cutoff, volume
        sta stream.expires
        .next
        pla
        sta ZP + 1
        pla
        sta ZP
        rts

play    cld
        lda ZP
        pha
        lda ZP + 1
        pha
frame   = * + 1
        ldy #0
        sty previous
        tya
        tax
        inx
        stx frame
        jmp f1.entry

f1      .pair 0, 0, 16, p1.entry
p1      .pair 1, 2, 12, v1.entry
v1      .voice 2, 4, 25, f2.entry
f2      .pair 3, 7, 16, p2.entry
p2      .pair 4, 9, 12, v2.entry
v2      .voice 5, 11, 26, f3.entry
f3      .pair 6, 14, 16, p3.entry
p3      .pair 7, 16, 12, v3.entry
v3      .voice 8, 18, 27, cutoff.entry
cutoff  .pair 9, 21, 8, volume.entry
volume  .pair 10, 23, 8, done

done    pla
        sta ZP + 1
        pla
        sta ZP
        rts

previous .byte 0                        ; the last frame's index
named   .byte 0                         ; bits of the registers that a token sets
from    .fill STREAMS, 0                ; for each stream: address of the next token
from_high .fill STREAMS, 0
calls   .byte range(0, 23 * STREAMS, 23) ; in a call: tokens left; else a counter that wraps in one stream at a time
return  .fill STREAMS, 0                ; address after the call
return_high .fill STREAMS, 0            ; 0: not in a call

songs
