// Plays tunes with libsidplayfp: reports the registers of a tune's first SID at given instants, and the time that this takes.
//
// Copyright (C) 2026 the sidlive authors. GPL-3.0-or-later.
// Build: g++ -O2 -o peer peer.cpp -lsidplayfp         (Debian: apt-get install g++ libsidplayfp-dev)
//
//     peer FRAMES OUT SONG TUNE [SONG TUNE ...]        SONG counts from 1; 0 is the start song
//
// Writes 4 rows of 62 bytes per video frame to OUT, tune by tune, and a line of JSON per tune to stdout. A row belongs to the instant
// 1/4, 2/4, 3/4 or 4/4 into its frame, counted from the reset, and holds:
//   exact  25 registers: as written before that cycle; only while run is 0
//   seen   25 registers: as a caller of play(buffer, n) at 44,100 Hz sees them. libsidplayfp runs batches of 5,000 scheduler events;
//          this is the state after the first batch that contains the instant's sample
//   half   when that batch ended, in half-cycles since the reset
//   run    how often the tune was started again: libsidplayfp does so when a tune jams the processor
//
// No sound is computed. If the tune reads oscillator 3 or envelope 3, it is played again with sound. The class of the chips is not in
// the public headers: its virtual functions are replaced in a copy of its table (libsidplayfp 2.4, Itanium C++ ABI).

#include <sidplayfp/SidConfig.h>
#include <sidplayfp/SidInfo.h>
#include <sidplayfp/SidTune.h>
#include <sidplayfp/SidTuneInfo.h>
#include <sidplayfp/builders/residfp.h>
#include <sidplayfp/sidplayfp.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

// libsidplayfp leaves parts of its machine uninitialised: make all memory zero, so that runs are equal.
void* operator new(size_t size) {
    void* memory = calloc(1, size ? size : 1);
    if (!memory) abort();
    return memory;
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }

namespace {

enum Slot { POKE = 0, READ = 4, CLOCK = 7, SLOTS = 13 };
constexpr int SCHEDULER = 48, NOW = 8;  // offsets: the chip's scheduler, the scheduler's clock in half-cycles
constexpr int QUARTERS = 4;
constexpr double SAMPLE_HZ = 44100;

struct Row {
    int32_t run;
    int64_t half;
    uint8_t seen[25], exact[25];
} __attribute__((packed));

using Read = uint8_t (*)(void*, uint_least8_t);
using Poke = void (*)(void*, uint_least16_t, uint8_t);

struct Watched {
    void* first = nullptr;  // the chip at $D400
    const int64_t* now = nullptr;
    bool sound = false;
    Poke poke = nullptr;
    Read read = nullptr;
    uint8_t registers[32] = {};
    uint8_t bus = 0;  // the value read from a write-only register: the last byte on the bus, until it fades (as in reSIDfp)
    int64_t fades = 0, bus_cycles = 0x1d00;
    int64_t touched = 0;  // the cycle of the last access
    long reads = 0;       // number of reads of oscillator 3 and envelope 3
    std::vector<Row>* rows = nullptr;
    double cycles_a_row = 0;
    size_t due = 0;  // the next row whose "exact" is to be filled in, and its instant
    int64_t due_half = INT64_MAX;

    int64_t cycle() const { return (*now + 1) >> 1; }
    double instant(size_t row) const { return double(row + 1) * cycles_a_row; }
    void schedule() { due_half = due < rows->size() ? 2 * int64_t(instant(due)) : INT64_MAX; }
    void keep_exact_until(int64_t half) {
        for (; half >= due_half; schedule()) memcpy((*rows)[due++].exact, registers, 25);
    }
} chip;

void on_poke(void* self, uint_least16_t address, uint8_t value) {
    if (self == chip.first) {
        if (*chip.now >= chip.due_half) chip.keep_exact_until(*chip.now);
        chip.registers[address & 31] = value;
        chip.bus = value;
        chip.touched = chip.cycle();
        chip.fades = chip.touched + chip.bus_cycles;
    }
    if (chip.sound) chip.poke(self, address, value);
}

uint8_t on_read(void* self, uint_least8_t address) {
    if (self != chip.first) return chip.sound ? chip.read(self, address) : 0;
    const int64_t cycle = chip.touched = chip.cycle();
    if (address == 0x1b || address == 0x1c) chip.reads++;
    if (chip.sound) return chip.read(self, address);
    if (address == 0x19 || address == 0x1a) {  // no paddles
        chip.bus = 0xff;
        chip.fades = cycle + chip.bus_cycles;
    } else if (cycle >= chip.fades) {
        chip.bus = 0;
    } else {
        chip.fades = cycle + (chip.fades - cycle) / 2;  // such a read drains the bus
    }
    return chip.bus;
}

void on_clock(void*) {}

class Chips : public ReSIDfpBuilder {
public:
    explicit Chips(bool sound) : ReSIDfpBuilder("peer") {
        create(3);
        chip = Watched();
        chip.sound = sound;
        for (auto* each : sidobjs) {
            void*** object = reinterpret_cast<void***>(each);
            if (!chip.first) {
                chip.first = object;
                memcpy(table_, *object - 2, sizeof table_);
                chip.poke = reinterpret_cast<Poke>(table_[2 + POKE]);
                chip.read = reinterpret_cast<Read>(table_[2 + READ]);
                table_[2 + POKE] = reinterpret_cast<void*>(on_poke);
                table_[2 + READ] = reinterpret_cast<void*>(on_read);
                if (!sound) table_[2 + CLOCK] = reinterpret_cast<void*>(on_clock);
            }
            *object = table_ + 2;
        }
    }

private:
    void* table_[2 + SLOTS];  // the first two words describe the type
};

double cpu_seconds() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

struct Outcome {
    std::string error;
    double seconds = 0;
    int jams = 0;
    unsigned driver = 0;  // where libsidplayfp put its own code
    long reads = 0;
};

// Imitates a caller that asks for the samples up to each row's instant. Samples of a batch that a call does not take are left for the
// next call. The call in which the processor jams gets no more samples; the next call gets the samples made up to the chip's last access.
void run(sidplayfp& engine, double clock_hz, Outcome& outcome) {
    const int64_t step = int64_t(clock_hz / SAMPLE_HZ * 65536 + 0.5);  // cycles per sample, times 65536
    int64_t asked = 0, waiting = 0, made = 0, earlier = 0;
    const auto samples = [&](int64_t cycle) { return ((earlier + cycle) * 65536 - 32768) / step; };
    chip.schedule();
    for (size_t number = 0; number < chip.rows->size(); number++) {
        const int64_t wanted = int64_t(chip.instant(number) / (clock_hz - 0.0111) * SAMPLE_HZ);
        int64_t missing = wanted - asked;
        asked = wanted;
        while (missing > 0) {
            const int64_t before = (*chip.now + 1) >> 1;
            engine.play(nullptr, 0);
            const bool jammed = !engine.isPlaying();
            const int64_t cycle = jammed ? std::max(chip.touched, before) : chip.cycle();
            waiting += samples(cycle) - made;
            made = samples(cycle);
            if (jammed) {
                outcome.jams++;
                earlier += cycle;
                chip.due_half = INT64_MAX;
                break;
            }
            const int64_t taken = std::min(waiting - 1, missing);  // the newest sample stays
            waiting -= taken;
            missing -= taken;
        }
        if (!outcome.jams) chip.keep_exact_until(*chip.now);
        Row& row = (*chip.rows)[number];
        row.run = outcome.jams;
        row.half = *chip.now;
        memcpy(row.seen, chip.registers, 25);
    }
}

Outcome play(const char* path, int song, long frames, bool sound, std::vector<Row>& rows) {
    Outcome outcome;
    SidTune tune(path);
    if (!tune.getStatus()) {
        outcome.error = tune.statusString();
        return outcome;
    }
    tune.selectSong(unsigned(song));
    Chips chips(sound);
    sidplayfp engine;
    SidConfig config;
    config.powerOnDelay = 0;
    config.sidEmulation = &chips;
    config.defaultC64Model = SidConfig::PAL;
    config.samplingMethod = SidConfig::INTERPOLATE;
    config.frequency = 400000;  // so that a call of play without a buffer is one batch
    chip.rows = &rows;
    if (tune.getInfo()->sidModel(0) == SidTuneInfo::SIDMODEL_8580) chip.bus_cycles = 0xa2000;
    const double began = cpu_seconds();
    // In this order: load() starts the machine with the power-on delay that was configured before.
    if (!engine.config(config) || !engine.load(&tune)) {
        outcome.error = engine.error();
        return outcome;
    }
    chip.now = reinterpret_cast<const int64_t*>(*reinterpret_cast<char**>(static_cast<char*>(chip.first) + SCHEDULER) + NOW);
    const bool pal = !strstr(engine.info().speedString(), "NTSC");
    rows.assign(size_t(frames * QUARTERS), Row());
    chip.cycles_a_row = double(pal ? 312 * 63 : 263 * 65) / QUARTERS;
    run(engine, pal ? 17734475. / 18 : 14318180. / 14, outcome);
    outcome.seconds = cpu_seconds() - began;
    outcome.reads = chip.reads;
    outcome.driver = engine.info().driverAddr();
    return outcome;
}

}  // namespace

int main(int argc, char** argv) {
    const long frames = argc > 1 ? atol(argv[1]) : 0;
    if (frames < 1 || argc < 5 || argc % 2 == 0) {
        fprintf(stderr, "usage: peer FRAMES OUT SONG TUNE [SONG TUNE ...]\n");
        return 2;
    }
    FILE* out = fopen(argv[2], "wb");
    if (!out) {
        perror(argv[2]);
        return 1;
    }
    std::vector<Row> rows;
    for (int i = 3; i + 1 < argc; i += 2) {
        Outcome outcome = play(argv[i + 1], atoi(argv[i]), frames, false, rows);
        const bool sound = outcome.reads > 0;
        if (sound) outcome = play(argv[i + 1], atoi(argv[i]), frames, true, rows);
        if (outcome.error.empty()) fwrite(rows.data(), sizeof(Row), rows.size(), out);
        fflush(out);
        printf("{\"seconds\": %.6f, \"jams\": %d, \"driver\": %u, \"sound\": %s, \"error\": \"%s\"}\n",
               outcome.seconds, outcome.jams, outcome.driver, sound ? "true" : "false", outcome.error.c_str());
        fflush(stdout);
    }
    return fclose(out) ? 1 : 0;
}
